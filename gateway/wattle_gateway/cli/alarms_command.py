"""alarms."""

import argparse
import json

from wattle_gateway.admin.channel import ask
from wattle_gateway.alarms.catalog import CRITICAL
from wattle_gateway.cli import resource_text
from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.folder import home_of

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
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Say what is active; gives the exit code of the worst. Raises NotRunningError if the gateway
    does not run: nobody looks then."""
    alarms = ask(home_of(arguments.folder).admin_socket, "live", _DEADLINE_S)["live"]["alarms"]
    if arguments.format == "json":
        print(json.dumps(alarms, indent=2))
    else:
        print("\n".join(resource_text.alarm_lines(alarms)) or "no alarms")
    if not alarms:
        return EXIT_NONE
    critical = any(alarm["severity"] == CRITICAL for alarm in alarms)
    return EXIT_CRITICAL if critical else EXIT_WARNINGS
