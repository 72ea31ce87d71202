"""The `wattle-hil` command.

Exit codes: 0 done and everything checked holds; 1 a check failed; 2 it could not be done (the
message says why); 130 interrupted before it was done.
"""

import argparse
import sys
from collections.abc import Sequence

from wattle_hil import serve_device
from wattle_hil.errors import HilError
from wattle_hil.stop_signal import StopSignal

DONE, FAILED, CANNOT, INTERRUPTED = 0, 1, 2, 130

_EPILOG = "exit codes: 0 done and all checks hold, 1 a check failed, 2 could not be done,"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="wattle-hil",
        description="The bench: emulated metering devices, replayed loads, energy checks.",
        epilog=f"{_EPILOG} 130 interrupted",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    device = commands.add_parser("device", help="serve an emulated metering device on a pty")
    serve_device.add_arguments(device)
    options = parser.parse_args(arguments)
    try:
        with StopSignal() as stop:
            return _run(options, stop)
    except KeyboardInterrupt:
        print("wattle-hil: interrupted", file=sys.stderr)
        return INTERRUPTED
    except HilError as error:
        print(f"wattle-hil: {error}", file=sys.stderr)
        return CANNOT


def _run(options: argparse.Namespace, stop: StopSignal) -> int:
    serve_device.serve(options, stop)
    return DONE
