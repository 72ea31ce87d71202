"""alarms."""

import argparse
import json
from pathlib import Path

from wattle_gateway.admin.channel import ask
from wattle_gateway.alarms.catalog import CRITICAL
from wattle_gateway.cli import resource_text
from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.folder import home_of
from wattle_gateway.errors import UsageError
from wattle_gateway.pki.certificate_request import REQUEST_BYTES_MAX

EXIT_NONE = 0
EXIT_WARNINGS = 15
EXIT_CRITICAL = 16
_DEADLINE_S = 10.0


def add(command: argparse.ArgumentParser) -> None:
    """The grammar of `alarms`."""
    command.description = (
        "What is wrong with a running gateway now, since when, and what to do about it "
        "(gateway/METRICS.md lists all alarms). Exit code 0: nothing, 15: warnings, 16: something "
        "critical, 5: it does not run."
    )
    folder(command)
    output_format(command, "text", "json")
    command.add_argument(
        "--reader",
        type=Path,
        metavar="REQUEST",
        help="instead: let whoever made this request (PKCS #10, PEM, P-256; its common name is "
        "[a-z0-9-]) read the alarms at the broker, and nothing else",
    )
    command.add_argument(
        "--output", type=Path, metavar="FILE", help="with --reader: where its certificate goes"
    )
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Say what is active; gives the exit code of the worst. Raises NotRunningError if the gateway
    does not run: nobody looks then."""
    socket = home_of(arguments.folder).admin_socket
    if arguments.reader is not None or arguments.output is not None:
        _add_reader(socket, arguments.reader, arguments.output)
        return EXIT_NONE
    alarms = ask(socket, "live", _DEADLINE_S)["live"]["alarms"]
    if arguments.format == "json":
        print(json.dumps(alarms, indent=2))
    else:
        print("\n".join(resource_text.alarm_lines(alarms)) or "no alarms")
    if not alarms:
        return EXIT_NONE
    critical = any(alarm["severity"] == CRITICAL for alarm in alarms)
    return EXIT_CRITICAL if critical else EXIT_WARNINGS


def _add_reader(socket: Path, request: Path | None, output: Path | None) -> None:
    if request is None or output is None:
        raise UsageError("--reader and --output belong together")
    try:
        with request.open("rb") as file:
            pem = file.read(REQUEST_BYTES_MAX).decode(errors="replace")
    except OSError as error:
        raise UsageError(f"{request}: cannot be read: {error.strerror}") from error
    answer = ask(socket, "alarm_reader", _DEADLINE_S, request=pem)
    try:
        output.write_text(answer["certificate"])
    except OSError as error:
        raise UsageError(f"{output}: cannot be written: {error.strerror}") from error
    print(f"{output}: {answer['name']} may read the alarms")
