"""What `wattle-tool replace` does."""

import argparse
import hashlib
import json
from pathlib import Path

from wattle_wire import topics
from wattle_wire.errors import WireError

from wattle_tools import dry_run, tool_home
from wattle_tools.audit import command as audit_command
from wattle_tools.audit import log
from wattle_tools.boards import command as boards_command
from wattle_tools.boards.identity import FoundBoard
from wattle_tools.check import trial
from wattle_tools.check.judging import Readings
from wattle_tools.device import firmware_folder
from wattle_tools.errors import DONE, ExchangeError
from wattle_tools.exchange import readings
from wattle_tools.exchange.readings import Energies, SignedReading
from wattle_tools.flash import fleet
from wattle_tools.mpremote_prints import set_aside

_ROUNDS = 1


def run(options: argparse.Namespace) -> int:
    """Does the step; the exit code."""
    return _read(options) if options.step == "read" else _complete(options)


def _read(options: argparse.Namespace) -> int:
    if options.dry_run:
        return _announce(options, "<meter>.reading.json")
    journal = audit_command.journal(options)
    tool_home.check_folder(options.output)
    board = boards_command.one(options)
    with audit_command.begun(journal, "reading", board.name):
        reading = _taken(board, options)
        path = options.output / f"{reading.meter}.reading.json"
        data = (json.dumps(reading.row(), indent=1) + "\n").encode()
        tool_home.write(path, data)
    facts: dict[str, object] = {"meter": reading.meter, "sha256": _sha(data)}
    journal.append("reading", log.DONE, board.name, facts)
    if options.json:
        print(json.dumps({"mac": board.name, "file": str(path), **facts}, indent=1))
    else:
        print(f"{path}: {_shown(reading.energies)}")
    return DONE


def _complete(options: argparse.Namespace) -> int:
    journal = audit_command.journal(options)
    meter, old, final = _old(options)
    if options.dry_run:
        return _announce(options, f"{meter}-<meter>.exchange.json")
    tool_home.check_folder(options.output)
    board = boards_command.one(options)
    with audit_command.begun(journal, "replace", board.name, {"old": meter}):
        new = _taken(board, options)
        data = readings.exchange(meter, old, final, new)
        path = options.output / f"{meter}-{new.meter}.exchange.json"
        tool_home.write(path, data)
    facts: dict[str, object] = {"old": meter, "new": new.meter, "sha256": _sha(data)}
    facts["typed"] = old is None
    journal.append("replace", log.DONE, board.name, facts)
    if options.json:
        print(json.dumps({"mac": board.name, "file": str(path), **facts}, indent=1))
        return DONE
    print(f"{path}: final {_shown(final)}; first {_shown(new.energies)}")
    if meter != new.meter:
        print(f"when the new one is enrolled: wattle-tool retire {meter} --confirm {meter} ..")
    return DONE


def _old(options: argparse.Namespace) -> tuple[str, SignedReading | None, Energies]:
    """(meter, its signed reading or None, final registers)."""
    if not options.typed:
        reading = readings.load(Path(options.old))
        return reading.meter, reading, reading.energies
    try:
        topics.kid_of_meter(options.old)
    except WireError as error:
        raise ExchangeError(f"OLD: {error}", "with --typed name the meter by its id") from error
    final = dict(options.typed)
    if len(final) != len(options.typed):
        raise ExchangeError("a device stands twice in --typed", "give each once")
    return options.old, None, final


def _announce(options: argparse.Namespace, file: str) -> int:
    """What a step would do; `file`: what it would write, <meter> for that on the line."""
    board = boards_command.one(options)
    meter, would = trial.announced(board, _ROUNDS, calls=False)
    path = options.output / file.replace("<meter>", meter)
    would.insert(-1, f"write {path}")
    return dry_run.tell(options.json, would, {"mac": board.name, "meter": meter})


def _taken(board: FoundBoard, options: argparse.Namespace) -> SignedReading:
    """A reading of the board that has verified."""
    firmware = options.firmware or firmware_folder()
    with set_aside():
        [tried] = fleet.each(
            [board],
            lambda one, check: trial.run(one, firmware, _ROUNDS, _silent, check, calls=False),
        )
    if tried.sample is None:
        reasons = "; ".join(one.what for one in tried.findings)
        raise ExchangeError(f"no reading of it verifies: {reasons}", "see `wattle-tool check`")
    record = tried.record
    return readings.verified(
        bytes.fromhex(record.ledger), record.site, tried.proof.raw, tried.sample, board.name
    )


def _silent(device: int, one: Readings) -> None:
    """What it reads stands in its sample."""


def _shown(energies: Energies) -> str:
    rows = []
    for device, values in sorted(energies.items()):
        rows += [f"{device}/{name} {value} Wh" for name, value in sorted(values.items())]
    return ", ".join(rows)


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
