"""The program of a Linux board; `main.py` starts it: its arguments and exit codes stand there."""

import asyncio
import json
import os
import sys

import host
from bench_clock import BenchClock
from linux_board import LinuxBoard, Options
from wattle_meter import config, identity
from wattle_meter.app import Meter
from wattle_meter.errors import MeterError
from wattle_meter.installation import Installation
from wattle_meter.signer import SoftwareSigner
from wattle_wire import topics

_PROOF = "enrol.cbor"
RESTART = 3  # exit code: main.py shall start anew


class UsageError(Exception):
    """Arguments that make no sense."""


def parse(arguments: list[str]) -> tuple[str, bool, Options]:
    """(folder, identity only, options). Raises UsageError, MeterError, OSError."""
    options = Options()
    folder = ""
    only_identity = False
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--identity":
            only_identity = True
        elif argument == "--no-rtc":
            options.rtc = False
        elif argument == "--probe" and rest:
            options.probe = _units(rest.pop(0))
        elif argument == "--bench-clock" and rest:
            options.bench = BenchClock(rest.pop(0))
        elif argument == "--status" and rest:
            options.status_path = rest.pop(0)
        elif argument == "--log" and rest and rest[0] in ("0", "1", "2", "3"):
            options.log_level = int(rest.pop(0))
        elif folder or argument.startswith("-"):
            raise UsageError("argument %s is not known or lacks its value" % argument)
        else:
            folder = argument
    if not folder:
        raise UsageError("expected the folder of the board")
    return folder, only_identity, options


def _units(text: str) -> list[int]:
    from wattle_meter import probe  # here, so that a meter that runs does not hold it in its heap

    try:
        return probe.units_of(text)
    except ValueError as error:
        raise UsageError(str(error)) from None


def show_line(board: LinuxBoard, units: list[int]) -> int:
    """Prints what a probe of `units` finds; gives the exit code: 0 if somebody answers."""
    from wattle_meter import probe

    settings = config.load(board.folder)
    folder = board.folder + "/profiles"
    searching = probe.Probe(
        lambda line: board.serial_port(line, settings.board),
        board.clock,
        probe.load_profiles(folder, os.listdir(folder), print),
        print,
    )
    return 0 if asyncio.run(searching.run(units)) else 1


def show_identity(board: LinuxBoard) -> None:
    """Writes the enrolment proof and prints who this meter is."""
    settings = config.load(board.folder)
    installation = Installation(settings, board.folder)
    board.serial_port(installation.line, settings.board)  # refuses what run() would refuse
    for row in settings.loads:
        if row.relay is not None:
            board.relay(row.relay)
    keys = identity.keys_of(board.store, board.random)
    eui64 = settings.eui64 or board.eui64()
    signer = board.element or SoftwareSigner(keys.signing)
    proof = identity.enrolment_proof(keys, signer, eui64, settings.ledger_id, board.protection)
    with open(board.folder + "/" + _PROOF, "wb") as file:
        file.write(proof)
    print(json.dumps({"meter": topics.meter_id(signer.kid), "eui64": eui64.hex()}))


def main(arguments: list[str]) -> int:
    """Runs until told to stop; gives the exit code."""
    try:
        folder, only_identity, options = parse(arguments)
        board = LinuxBoard(folder, options)
        if not host.lock_folder(folder):
            raise OSError("%s is in use by another process" % folder)
        if only_identity:
            show_identity(board)
            return 0
        if options.probe is not None:
            return show_line(board, options.probe)
        meter = Meter(board)
    except UsageError as error:
        sys.stderr.write("%s\n" % error)
        return 2
    except (MeterError, OSError, ValueError) as error:
        sys.stderr.write("%s: %s\n" % (type(error).__name__, error))
        return 1
    return RESTART if asyncio.run(meter.run()) else 0
