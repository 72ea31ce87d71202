"""What `wattle-tool check`, `probe` and `log` do."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import serial
from wattle_wire import quantity

from wattle_tools import dry_run
from wattle_tools.audit import command as audit_command
from wattle_tools.audit import log as audit_log
from wattle_tools.boards import command as boards_command
from wattle_tools.boards.command import shown_record
from wattle_tools.boards.identity import FoundBoard
from wattle_tools.boards.repl import Repl, printable
from wattle_tools.check import judging, trial
from wattle_tools.check.judging import FAULT, OK, Finding, Readings
from wattle_tools.check.trial import Trial
from wattle_tools.device import firmware_folder
from wattle_tools.errors import CANNOT, DONE, SerialLineError, SettingsError
from wattle_tools.flash import fleet
from wattle_tools.image import build
from wattle_tools.image.linker import readable
from wattle_tools.mpremote_prints import set_aside
from wattle_tools.provision import brought

# Ten line settings of two functions, 247 units each 0.15 s.
_PROBE_S = 1_000.0
_BAUD = 115_200
_LOOK_S = 0.2
_LINE_BYTES_MAX = 4_096

Result = TypeVar("Result")


def check(options: argparse.Namespace) -> int:
    """Tries a board; the exit code."""
    firmware = options.firmware or firmware_folder()
    journal = audit_command.journal(options)
    output = sys.stdout
    rounds: list[int] = []

    def shown(device: int, one: Readings) -> None:
        rounds.append(device)
        if not options.json:
            print(f"{device}: {_values(one)}", file=output)

    board = _one(options)
    if options.dry_run:
        meter, would = trial.announced(board, options.rounds, calls=True)
        return dry_run.tell(options.json, would, {"mac": board.name, "meter": meter})
    with audit_command.begun(journal, "check", board.name):
        found = _with(
            board,
            lambda check: trial.run(board, firmware, options.rounds, shown, check, calls=True),
        )
        findings = _judged(found, options)
    is_sound = all(one.level != FAULT for _, one in findings)
    facts: dict[str, object] = {"meter": found.record.meter}
    facts["faults"] = [f"{where}: {one.what}" for where, one in findings if one.level == FAULT][:8]
    result = audit_log.DONE if is_sound else audit_log.FAILED
    journal.append("check", result, board.name, facts)
    if options.json:
        print(json.dumps(_as_json(board, found, findings), indent=1))
    else:
        print(shown_record(found.record))
        for where, one in findings:
            advice = f"; {one.advice}" if one.advice else ""
            print(f"{one.level:5} {where}: {one.what}{advice}")
    return DONE if is_sound else CANNOT


def probe(options: argparse.Namespace) -> int:
    """Prints who answers on a board's line; the exit code."""
    program = brought.probe(options.firmware or firmware_folder())
    journal = audit_command.journal(options)
    output = sys.stdout
    board = _one(options)
    if options.dry_run:
        would = [
            f"stop the meter on {board.port}, and start it again at the end",
            f"bring {program.path} ({len(program.data)} bytes) to it, and remove it",
            f"ask the units {options.units} on its line, at every line setting; write to none",
        ]
        return dry_run.tell(options.json, would, {"mac": board.name})
    said: list[str] = []

    def told(text: str) -> None:
        said.append(printable(text, 400))
        if not options.json:
            print(said[-1], file=output, flush=True)

    def run(check: Callable[[], None]) -> None:
        with Repl(board.port, check) as repl:
            try:
                brought.followed(repl, program, _PROBE_S, told, options.units)
            finally:
                repl.restart()

    with audit_command.begun(journal, "probe", board.name):
        _with(board, run)
    journal.append("probe", audit_log.DONE, board.name, {"units": options.units})
    if options.json:
        print(json.dumps({"mac": board.name, "units": options.units, "said": said}, indent=1))
    return DONE


def log(options: argparse.Namespace) -> int:
    """Prints what a board says; the exit code."""
    names = _names(options)
    board = _one(options)
    until = None if options.seconds is None else time.monotonic() + options.seconds
    line = b""
    try:
        with serial.Serial(board.port, _BAUD, timeout=_LOOK_S) as port:
            while until is None or time.monotonic() < until:
                line += port.read(max(1, port.in_waiting))
                while b"\n" in line or len(line) > _LINE_BYTES_MAX:
                    text, _, line = line.partition(b"\n")
                    shown = printable(text.decode(errors="replace").rstrip("\r"), 400)
                    for one in names.lines([shown]):
                        print(json.dumps({"line": one}) if options.json else one, flush=True)
    except (OSError, serial.SerialException) as error:
        raise SerialLineError(f"the line broke: {error}", "plug the board in again") from error
    return DONE


def _one(options: argparse.Namespace) -> FoundBoard:
    board = boards_command.one(options)
    if board.contents is None:
        raise board.trouble or SerialLineError("it does not answer", "plug it in again")
    return board


def _with(board: FoundBoard, job: Callable[[Callable[[], None]], Result]) -> Result:
    """What a job gives that Ctrl-C ends in order."""
    with set_aside():
        [result] = fleet.each([board], lambda _, check: job(check))
    return result


def _judged(found: Trial, options: argparse.Namespace) -> list[tuple[str, Finding]]:
    """(what it is about, finding), devices first."""
    loads = _loads(found, options)
    rows: list[tuple[str, Finding]] = []
    for device in found.devices:
        rounds = found.rounds.get(device.number)
        load_w = loads.get(device.number)
        if rounds is None:
            rows.append((f"device {device.number}", Finding(FAULT, "it was not read")))
            continue
        for one in judging.judge(device, rounds, load_w, options.tolerance / 100):
            rows.append((f"device {device.number}", one))
    rows += [("meter", one) for one in found.findings]
    rows += [("network", one) for one in judging.network(found.signal_dbm)]
    if found.record.certificate is None:
        level = judging.WARNING if options.offline else FAULT
        what = "it has no certificate, so no broker lets it in"
        rows.append(("meter", Finding(level, what, "bring it with `wattle-tool certificate`")))
        return rows
    for host, error in found.gateways.items():
        if error is None:
            rows.append((host, Finding(OK, "its broker lets the meter in")))
        else:
            level = judging.WARNING if options.offline else FAULT
            advice = "check network and broker; a meter that is not enrolled is not let in"
            rows.append((host, Finding(level, error, advice)))
    is_reached = None in found.gateways.values()
    return [*rows, ("clock", judging.clock(found.clock, found.clock_is_set, is_reached))]


def _loads(found: Trial, options: argparse.Namespace) -> Mapping[int, float]:
    numbers = [device.number for device in found.devices]
    loads: dict[int, float] = {}
    for device, watts in options.load_w:
        which = numbers[0] if device is None and len(numbers) == 1 else device
        if which not in numbers:
            raise SettingsError(
                f"--load-w of device {which}", f"say D:, one of {', '.join(map(str, numbers))}"
            )
        loads[which] = watts
    return loads


def _values(one: Readings) -> str:
    words = []
    for name in sorted(one.values):
        value = one.shown(name)
        if value is None:
            words.append(f"{name} ({one.values[name]})")
        else:
            unit, exponent = quantity.form(name)
            words.append(f"{name} {value:.{-exponent}f} {unit}")
    return ", ".join(words)


def _as_json(
    board: FoundBoard, found: Trial, findings: list[tuple[str, Finding]]
) -> dict[str, object]:
    newest = {str(number): rounds[-1].values for number, rounds in found.rounds.items()}
    return {
        "mac": board.name,
        "meter": found.record.meter,
        "site": found.record.site,
        "protection": found.record.protection,
        "signal_dbm": found.signal_dbm,
        "readings": newest,
        "findings": [{"about": where, **vars(one)} for where, one in findings],
    }


def _names(options: argparse.Namespace) -> readable.Readable:
    if options.names is None:
        return build.image(options.firmware or firmware_folder()).names
    return readable.load(options.names)
