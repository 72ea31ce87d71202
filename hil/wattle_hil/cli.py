"""The `wattle-hil` command.

Exit codes: 0 done and everything checked holds; 1 a check failed; 2 it could not be done (the
message says why); 130 interrupted before it was done.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

from wattle_hil.children.programs import find_programs
from wattle_hil.children.stop_signal import StopSignal
from wattle_hil.devices import serve as serve_device
from wattle_hil.errors import HilError
from wattle_hil.report.files import PAGE
from wattle_hil.report.model import Report
from wattle_hil.report.plain import text_report
from wattle_hil.runs import demo, replay_plan
from wattle_hil.runs.final_checks import check_again
from wattle_hil.runs.folder import RunFolder
from wattle_hil.runs.gateway_control import GatewayControl
from wattle_hil.runs.replay import replay
from wattle_hil.serial_board import serve as serve_boards

DONE, FAILED, CANNOT, INTERRUPTED = 0, 1, 2, 130

# What is served runs until a signal: who reads it through a pipe reads each line at once.
_tell = partial(print, flush=True)

_EPILOG = (
    "exit codes: 0 done and all checks hold, 1 a check failed, 2 could not be done, 130 interrupted"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="wattle-hil",
        description="The bench: emulated metering devices, replayed loads, energy checks.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('wattle-grid')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    device = commands.add_parser("device", help="serve an emulated metering device on a pty")
    serve_device.add_arguments(device)
    device.set_defaults(run=_device)
    boards = commands.add_parser("boards", help="serve emulated ESP32 boards on ptys")
    serve_boards.add_arguments(boards)
    boards.set_defaults(run=_boards)
    replays = commands.add_parser("replay", help="a load curve into the ledger, and checked")
    replay_plan.add_arguments(replays)
    replays.set_defaults(run=_replay)
    shows = commands.add_parser(
        "demo", help="an alliance of gateways, meters and loads on this machine"
    )
    demo.add_arguments(shows)
    shows.set_defaults(run=_demo)
    checks = commands.add_parser("check", help="check a run again, from its folder")
    checks.add_argument("folder", type=Path, help="what `--out` of replay or demo named")
    checks.set_defaults(run=_check)
    options = parser.parse_args(arguments)
    try:
        with StopSignal() as stop:
            return int(options.run(options, stop))
    except KeyboardInterrupt:
        print("wattle-hil: interrupted", file=sys.stderr)
        return INTERRUPTED
    except HilError as error:
        print(f"wattle-hil: {error}", file=sys.stderr)
        return CANNOT


def _device(options: argparse.Namespace, stop: StopSignal) -> int:
    serve_device.serve(options, stop, _tell)
    return DONE


def _boards(options: argparse.Namespace, stop: StopSignal) -> int:
    serve_boards.serve(options, stop, _tell)
    return DONE


def _replay(options: argparse.Namespace, stop: StopSignal) -> int:
    programs = find_programs()
    plan = replay_plan.plan_replay(options)
    return summary(replay(plan, programs, _command_line(), stop), plan.folder)


def _demo(options: argparse.Namespace, stop: StopSignal) -> int:
    programs = find_programs()
    plan = demo.plan_demo(options)
    return summary(demo.demo(plan, programs, _command_line(), stop), plan.folder)


def _check(options: argparse.Namespace, stop: StopSignal) -> int:
    folder = RunFolder(options.folder)
    command = find_programs().gateway
    controls = {path.name: GatewayControl(command, path) for path in folder.gateways()}
    checks = check_again(controls, folder)
    for check in checks:
        print(f"[{check.verdict}] {check.name}: {check.detail}")
    return DONE if all(check.passed for check in checks) else FAILED


def summary(report: Report, folder: RunFolder) -> int:
    """Prints a report; the exit code that it means."""
    print(text_report(report), end="")
    print(f"report: {folder.shown}/{PAGE}")
    return DONE if report.passed else FAILED


def _command_line() -> str:
    return shlex.join(["wattle-hil", *sys.argv[1:]])
