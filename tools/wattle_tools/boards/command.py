"""What `wattle-tool boards` does."""

import argparse
import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from wattle_tools.boards.identity import FoundBoard
from wattle_tools.boards.meter_record import MeterRecord
from wattle_tools.boards.ports import usb_ports
from wattle_tools.errors import BOARD_FAILED, DONE, NO_BOARD
from wattle_tools.flash import fleet
from wattle_tools.mpremote_prints import set_aside


def chosen_ports(options: argparse.Namespace) -> list[str]:
    """The lines to look on."""
    ports = options.port or [port.path for port in usb_ports()]
    return [port for port in ports if port not in options.skip]


def one(options: argparse.Namespace) -> FoundBoard:
    """The board that --mac names, else the only one on the chosen lines. Raises NoBoardError."""
    with set_aside():
        return fleet.choose_one(fleet.find(chosen_ports(options)), options.mac)


def run(options: argparse.Namespace) -> int:
    """Prints the boards; the exit code."""
    with set_aside():
        found = fleet.find(chosen_ports(options))
    if options.json:
        print(json.dumps({"boards": [as_json(board) for board in found]}, indent=1))
    elif found:
        _print_table(found)
    else:
        print("no board is plugged in; --port names a line without USB", file=sys.stderr)
    if not found:
        return NO_BOARD
    return DONE if any(board.mac for board in found) else BOARD_FAILED


def as_json(board: FoundBoard) -> dict[str, object]:
    """A board as a row of JSON."""
    contents = board.contents
    mark = contents.mark if contents else None
    record = contents.record if contents else None
    return {
        "port": board.port,
        "mac": board.mac.hex(":") if board.mac else None,
        "chip": board.chip or None,
        "interpreter": contents.interpreter.shown if contents else None,
        "state": board.state,
        "application": {"version": mark.version, "digest": mark.digest} if mark else None,
        "configured": contents.configured if contents else None,
        "meter": record.meter if record else None,
        "site": record.site if record else None,
        "protection": record.protection if record else None,
        "certificate_until": record.certificate.until if record and record.certificate else None,
        "free_bytes": contents.free if contents else None,
        "trouble": board.trouble.reason if board.trouble else None,
        "advice": board.trouble.advice if board.trouble else None,
    }


def _print_table(found: Sequence[FoundBoard]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("board", "line", "chip", "interpreter", "state"):
        table.add_column(title, no_wrap=title == "board", min_width=len(title))
    for board in found:
        version = board.contents.interpreter.shown if board.contents else "-"
        name = board.mac.hex(":") if board.mac else "MAC unknown"
        # esptool adds the revision in brackets.
        chip = board.chip.partition(" (")[0] or "-"
        table.add_row(name, board.port, chip, version, _state(board))
    console = Console(highlight=False, markup=False)
    console.print(table)
    for board in found:
        if board.contents is not None and board.contents.record is not None:
            told = f"{board.name}: {shown_record(board.contents.record)}"
            console.print(told, soft_wrap=True)
        if board.trouble is not None:
            console.print(f"{board.name}: {board.trouble}", soft_wrap=True)


def shown_record(record: MeterRecord) -> str:
    """Who a board is, how its key is protected and how long its certificate is good."""
    until = "no certificate"
    if record.certificate is not None:
        until = f"certificate until {record.certificate.until[:10]}"
    return f"meter {record.meter} at {record.site}, key: {record.protection}, {until}"


def _state(board: FoundBoard) -> str:
    contents = board.contents
    if contents is None:
        return board.state
    words = [board.state]
    if contents.mark is not None:
        words.append(f"wattle {contents.mark.version} ({contents.mark.digest[:8]})")
    if contents.configured and contents.record is None:
        words.append("set-up half done: provision it again")
    return ", ".join(words)
