"""`wattle-tool check`, `probe` and `log`: looking at a board in its place."""

import argparse
from pathlib import Path

from wattle_tools import dry_run
from wattle_tools.boards.arguments import add_json_argument, add_port_arguments, mac
from wattle_tools.whole_number import within

_ROUNDS_MAX = 60
_UNIT_MAX = 247  # Modbus over Serial Line V1.02, section 2.2


def add_check(parser: argparse.ArgumentParser) -> None:
    """Arguments of `check`."""
    parser.description = (
        "Stops the meter, reads its devices, has it sign one real sample and call on its gateways, "
        "and starts it again. Exit code 1 if something is wrong. --load-w says what the load takes "
        "now, on the primary side: only so a wrong ratio can be told."
    )
    _add_board(parser)
    parser.add_argument(
        "--rounds", type=within(1, _ROUNDS_MAX), default=3, help="how often to read (default 3)"
    )
    parser.add_argument(
        "--load-w",
        type=_load,
        action="append",
        default=[],
        metavar="[D:]W",
        help="what the load of device D (or the only one) takes; negative for a source",
    )
    parser.add_argument(
        "--tolerance", type=within(1, 100), default=10, metavar="PERCENT", help="of it (default 10)"
    )
    parser.add_argument("--offline", action="store_true", help="gateways need not be reached")
    dry_run.add_argument(parser)
    add_json_argument(parser)


def add_probe(parser: argparse.ArgumentParser) -> None:
    """Arguments of `probe`."""
    parser.description = (
        "Stops the meter and prints who answers on its line, at which settings, and every "
        "plausible reading; writes nothing to any device. The board has to be provisioned, the "
        "devices in its settings need not be right."
    )
    _add_board(parser)
    parser.add_argument(
        "units", nargs="?", type=_units, default="1-247", help="1-247 or 1,3-5 (default: all)"
    )
    dry_run.add_argument(parser)
    add_json_argument(parser)


def add_log(parser: argparse.ArgumentParser) -> None:
    """Arguments of `log`."""
    parser.description = "Starts a board anew and prints what it says, until Ctrl-C."
    _add_board(parser)
    parser.add_argument("--seconds", type=within(1), metavar="S", help="end after so long")
    parser.add_argument(
        "--names", type=Path, help="the .names.json of its version (default: of this checkout)"
    )
    parser.add_argument("--json", action="store_true", help="a JSON object for each line")


def _add_board(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mac", type=mac, help="this board (default: the only one there is)")
    add_port_arguments(parser)
    parser.add_argument("--firmware", type=Path, help="sources (default: those that came with it)")


def _units(text: str) -> str:
    """As it is: the board makes numbers of it."""
    ends = [part.partition("-") for part in text.split(",")]
    numbers = [end for first, dash, last in ends for end in ([first, last] if dash else [first])]
    if not all(end.isdecimal() and 1 <= int(end) <= _UNIT_MAX for end in numbers):
        raise argparse.ArgumentTypeError(f"{text!r}, expected 1-{_UNIT_MAX} or 1,3-5")
    return text


def _load(text: str) -> tuple[int | None, float]:
    device, colon, watts = text.rpartition(":")
    try:
        if colon and not device.isdecimal():
            raise ValueError(text)
        value = float(watts)
    except ValueError:
        value = 0.0
    if not 1 <= abs(value) <= 1e9:
        raise argparse.ArgumentTypeError(f"{text!r}, expected [D:]W as in 2000")
    return (int(device) if colon else None), value
