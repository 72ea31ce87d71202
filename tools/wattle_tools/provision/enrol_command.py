"""`wattle-tool enrol`: takes an enrolment file to the gateway, from wherever there is a network."""

import argparse
import json
import re
import shlex
from pathlib import Path

from wattle_wire import topics
from wattle_wire.errors import WireError

from wattle_tools import dry_run, tool_home
from wattle_tools.audit import command as audit_command
from wattle_tools.audit import log
from wattle_tools.boards.arguments import add_json_argument
from wattle_tools.errors import DONE, EnrolmentError, SettingsError
from wattle_tools.provision import enrolment

_FILE_BYTES_MAX = 16_384
# Words of a command that a login shell at the other end takes as they are.
_PLAIN_FOLDER = re.compile(r"[A-Za-z0-9_./-]{1,200}")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds `enrol` to the commands of wattle-tool."""
    parser = commands.add_parser("enrol", help="enrol a meter from its file, through its gateway")
    parser.add_argument("file", type=Path, metavar="FILE", help=f"<meter>{enrolment.SUFFIX}")
    add_gateway(parser)
    parser.add_argument(
        "--certificate", type=Path, metavar="FILE", help="where to put the certificate it issues"
    )
    dry_run.add_argument(parser)
    add_json_argument(parser)
    parser.set_defaults(run=run)


def add_gateway(parser: argparse.ArgumentParser) -> None:
    """How the gateway is reached."""
    parser.add_argument(
        "--through",
        required=True,
        dest="enrol_through",
        metavar="COMMAND",
        help="how wattle-gateway is run where the gateway is, "
        "'ssh operator@gateway.example wattle-gateway'",
    )
    parser.add_argument("--gateway-folder", required=True, metavar="DIR", help="its folder there")


def run(options: argparse.Namespace) -> int:
    """Enrols it; the exit code."""
    command, folder = through(options)
    data = tool_home.read(options.file, _FILE_BYTES_MAX)
    try:
        row = json.loads(data)
        meter, mac = str(row["meter"]), str(row.get("mac", ""))
        topics.kid_of_meter(meter)
    except (ValueError, KeyError, TypeError, AttributeError, WireError) as error:
        raise EnrolmentError(
            f"{options.file} is no enrolment file", "take one that `wattle-tool provision` wrote"
        ) from error
    journal = audit_command.journal(options)
    facts: dict[str, object] = {"meter": meter, "file": str(options.file)}
    if options.dry_run:
        would = [f"run {shlex.join([*command, *enrolment.words(folder)])} < {options.file}"]
        if options.certificate is not None:
            would.append(f"write {options.certificate}")
        return dry_run.tell(options.json, would, {**facts, "mac": mac})
    with audit_command.begun(journal, "enrol", mac, facts):
        pem = enrolment.through(command, folder, meter, data)
    journal.append("enrol", log.DONE, mac, facts)
    if options.certificate is not None:
        tool_home.write(options.certificate, pem)
    if options.json:
        print(json.dumps({"meter": meter, "mac": mac, "enrolled": True}, indent=1))
        return DONE
    print(f"meter {meter} is enrolled")
    if options.certificate is not None:
        print(f"its certificate: wattle-tool certificate --mac {mac} {options.certificate}")
    return DONE


def through(options: argparse.Namespace) -> tuple[list[str], str]:
    """(words of the command that --enrol-through names, the gateway's folder there).

    Raises SettingsError.
    """
    folder = options.gateway_folder
    if folder is None or not _PLAIN_FOLDER.fullmatch(folder):
        raise SettingsError(
            f"--gateway-folder {folder!r}", "name the gateway's folder there, without blanks"
        )
    try:
        command = shlex.split(options.enrol_through)
    except ValueError as error:
        raise SettingsError(f"{options.enrol_through!r}: {error}", "close its quotes") from error
    if not command:
        raise SettingsError("no command", "say how wattle-gateway is run there")
    return command, folder
