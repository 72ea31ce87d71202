"""doctor."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from wattle_gateway.admin.channel import ask
from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.folder import home_of
from wattle_gateway.errors import DeadlineError, NotRunningError
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.reports import doctor
from wattle_gateway.reports.doctor_finding import LEVELS, OK, PROBLEM, WARNING, Finding
from wattle_gateway.reports.doctor_host import Host

EXIT_CODES = {OK: 0, WARNING: 15, PROBLEM: 16}
_DEADLINE_S = 10.0


def add(command: argparse.ArgumentParser) -> None:
    """The grammar of `doctor`."""
    command.description = (
        "Of a running or a stopped gateway. Exit code 0: all is well, 15: there are warnings, "
        "16: there are problems."
    )
    folder(command)
    output_format(command, "text", "json")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Say what is wrong and what to do next; gives the exit code of the worst finding."""
    home = home_of(arguments.folder)
    answer, live = _gateway(home)
    found = [answer, *doctor.examine(home, Host(), live)]
    worst = max((finding.level for finding in found), key=LEVELS.index)
    if arguments.format == "json":
        rows = [asdict(finding) for finding in found]
        print(json.dumps({"worst": worst, "findings": rows}, indent=2))
    else:
        print("\n".join(line for finding in found for line in _lines(finding)))
    return EXIT_CODES[worst]


def _gateway(home: GatewayHome) -> tuple[Finding, dict[str, Any] | None]:
    """Whether it runs, and what it says of itself."""
    try:
        live: dict[str, Any] = ask(home.admin_socket, "live", _DEADLINE_S)["live"]
    except NotRunningError:
        return Finding("gateway", WARNING, "not running", "`wattle-gateway run`"), None
    except DeadlineError as error:
        return Finding("gateway", PROBLEM, str(error), "see its log, then start it again"), None
    if live.get("waits"):
        return Finding("gateway", PROBLEM, f"waits for room: {live['waits']}", "free space"), live
    return Finding("gateway", OK, f"runs as process {live['pid']}"), live


def _lines(finding: Finding) -> list[str]:
    level = finding.level if finding.level == OK else finding.level.upper()
    found = "".join(char if char.isprintable() else "?" for char in finding.found)
    lines = [f"{level:<8}  {finding.check:<22}  {found}"]
    if finding.advice:
        lines.append(f"{'':<8}  {'':<22}  -> {finding.advice}")
    return lines
