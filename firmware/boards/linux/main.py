"""Runs a meter as a process:  micropython main.py FOLDER [OPTION..]

    --identity           make keys if there are none, write enrol.cbor, print who this is, end
    --bench-clock FILE   time of a bench run (bench_clock.py) instead of the host's
    --probe UNITS        say what answers on the line at which settings (UNITS: 1-247 or 1,3-5) and
                         every plausible reading of it, and end; the devices in config.json need
                         not be right
    --no-rtc             start without time; learn it from the gateway
    --status FILE        write counters there as JSON every few seconds
    --log LEVEL          0 errors, 1 warnings, 2 information (default), 3 detail

Exit code 0: ended as asked; 1: something a person must mend, said on stderr; 2: wrong arguments.
"""

import asyncio
import json
import os
import sys

_HERE = __file__.rpartition("/")[0] or "."
for _room in ("/../..", "/../../../protocol"):
    sys.path.insert(1, _HERE + _room)

import host  # noqa: E402 - behind the search path
from bench_clock import BenchClock  # noqa: E402
from linux_board import LinuxBoard, Options  # noqa: E402
from wattle_meter import config, identity  # noqa: E402
from wattle_meter.app import Meter  # noqa: E402
from wattle_meter.errors import MeterError  # noqa: E402
from wattle_meter.installation import Installation  # noqa: E402
from wattle_wire import topics  # noqa: E402

_PROOF = "enrol.cbor"


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

    settings = config.load(board.folder + "/config.json")
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
    settings = config.load(board.folder + "/config.json")
    installation = Installation(settings, board.folder)
    board.serial_port(installation.line, settings.board)  # refuses what run() would refuse
    for row in settings.loads:
        if row.relay is not None:
            board.relay(row.relay)
    keys = identity.keys_of(board.store, board.random)
    eui64 = settings.eui64 or board.eui64()
    proof = identity.enrolment_proof(keys, eui64, settings.ledger_id, board.protection)
    with open(board.folder + "/" + _PROOF, "wb") as file:
        file.write(proof)
    print(json.dumps({"meter": topics.meter_id(keys.kid()), "eui64": eui64.hex()}))


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
    asyncio.run(meter.run())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
