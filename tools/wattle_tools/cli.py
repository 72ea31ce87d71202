"""The `wattle-tool` command of technicians.

Exit codes: 0 done; 1 could not be done; 2 wrong arguments; 3 no such board; 4 line or board failed;
5 image refused; 6 read-back differs; 7 settings refused; 8 no fit authority; 9 not enrolled;
10 audit record damaged; 130 interrupted. The message says why and what to do.
"""

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from wattle_tools import certificate, dry_run, update_bundle
from wattle_tools.audit import command as audit_command
from wattle_tools.audit import log
from wattle_tools.batch import arguments as batch_arguments
from wattle_tools.boards import arguments as boards_arguments
from wattle_tools.boards.arguments import mac
from wattle_tools.check import arguments as check_arguments
from wattle_tools.errors import DONE, INTERRUPTED, ToolError
from wattle_tools.exchange import arguments as exchange_arguments
from wattle_tools.flash import arguments as flash_arguments
from wattle_tools.image import commands as image_commands
from wattle_tools.label import arguments as label_arguments
from wattle_tools.manual import commands as manual_commands
from wattle_tools.modbus import arguments as modbus_arguments
from wattle_tools.provision import arguments as provision_arguments
from wattle_tools.provision import enrol_command, linux, retire_command
from wattle_tools.seal import arguments as seal_arguments
from wattle_tools.sites import command as site_command

_EXIT_CODES = " ".join(__doc__.splitlines()[2:])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code."""
    options = _parser().parse_args(arguments)
    try:
        result = int(options.run(options))
        sys.stdout.flush()
        return result
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing is wrong. Python would complain
        # once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except ToolError as error:
        print(f"wattle-tool: {error.told}", file=sys.stderr)
        if getattr(options, "json", False) or getattr(options, "format", "") == "json":
            print(json.dumps(error.as_row(), indent=1))
        return error.exit_code
    except KeyboardInterrupt:
        print("wattle-tool: interrupted; run it again", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wattle-tool",
        description="Sets up meter boards.",
        epilog=_EXIT_CODES,
    )
    parser.add_argument(
        "--home", type=Path, metavar="DIR", help="the tool's folder (default: WATTLE_TOOL_HOME)"
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('wattle-grid')}")
    parser.add_argument("--who", metavar="NAME", help="for the audit record (default: the user)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    site_command.add(commands)
    for one in _COMMANDS:
        command = commands.add_parser(one.name, help=one.help)
        one.add_arguments(command)
        command.set_defaults(run=one.run)
    provision = commands.add_parser(
        "provision", help="make a flashed ESP32, or a Linux board, the meter of a place"
    )
    provision_arguments.add_arguments(provision)
    provision.set_defaults(run=_provision)
    _add_certificate(commands)
    enrol_command.add(commands)
    retire_command.add(commands)
    audit_command.add(commands)
    update_bundle.add(commands)
    image_commands.add(commands)
    manual_commands.add(commands, _parser, _EXIT_CODES)
    return parser


@dataclass(frozen=True)
class _Command:
    """A command whose `module` is imported when it runs: it needs the extra `tools`, which who only
    looks after a Linux board has not installed.
    """

    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    module: str
    function: str = "run"

    def run(self, options: argparse.Namespace) -> int:
        """Carries it out; the exit code."""
        return _run(self.module, self.function, options)


_COMMANDS = (
    _Command(
        "boards",
        "what is plugged in, by MAC",
        boards_arguments.add_arguments,
        "wattle_tools.boards.command",
    ),
    _Command(
        "flash",
        "fill ESP32 boards: interpreter and firmware",
        flash_arguments.add_arguments,
        "wattle_tools.flash.command",
    ),
    _Command(
        "batch",
        "provision many boards, by a CSV file",
        batch_arguments.add_arguments,
        "wattle_tools.batch.command",
    ),
    _Command(
        "label",
        "labels of meters with a QR code, PNG and PDF",
        label_arguments.add_arguments,
        "wattle_tools.label.command",
    ),
    _Command(
        "check",
        "read a meter's devices, and say what is wired wrongly",
        check_arguments.add_check,
        "wattle_tools.check.command",
        "check",
    ),
    _Command(
        "probe",
        "say who answers on a board's line",
        check_arguments.add_probe,
        "wattle_tools.check.command",
        "probe",
    ),
    _Command(
        "log",
        "print what a board says",
        check_arguments.add_log,
        "wattle_tools.check.command",
        "log",
    ),
    _Command(
        "read",
        "read a device over the laptop's own adapter",
        modbus_arguments.add_read,
        "wattle_tools.modbus.command",
        "read",
    ),
    _Command(
        "set",
        "write a register of a device, and read it back",
        modbus_arguments.add_set,
        "wattle_tools.modbus.command",
        "write",
    ),
    _Command(
        "replace",
        "exchange a meter: final and first readings, signed by both",
        exchange_arguments.add_arguments,
        "wattle_tools.exchange.command",
    ),
    _Command(
        "seal",
        "prepare the steps that burn a chip's eFuses",
        seal_arguments.add_arguments,
        "wattle_tools.seal.command",
    ),
)


def _add_certificate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    install = commands.add_parser(
        "certificate", help="install the certificate that `wattle-gateway meters enrol` issued"
    )
    install.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER", help="of a Linux board; else an ESP32's"
    )
    install.add_argument("certificate", type=Path, metavar="FILE", help="PEM or DER")
    install.add_argument("--mac", type=mac, help="the ESP32 (default: the only one there is)")
    boards_arguments.add_port_arguments(install)
    dry_run.add_argument(install)
    boards_arguments.add_json_argument(install)
    install.set_defaults(run=_install)


def _run(module: str, function: str, options: argparse.Namespace) -> int:
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        raise ToolError(f"{error.name} is missing: pip install 'wattle-grid[tools]'") from error
    return int(getattr(found, function)(options))


def _provision(options: argparse.Namespace) -> int:
    if options.folder is not None:
        return linux.run(options)
    return _run("wattle_tools.provision.command", "run", options)


def _install(options: argparse.Namespace) -> int:
    if options.folder is None:
        return _run("wattle_tools.provision.certify", "run", options)
    journal = audit_command.journal(options)
    facts: dict[str, object] = {"folder": str(options.folder), "file": str(options.certificate)}
    if options.dry_run:
        data, source = certificate.read(options.certificate), str(options.certificate)
        meter, _ = certificate.offered(options.folder, data, source)
        would = [f"write {options.folder / certificate.CERTIFICATE_FILE}"]
        return dry_run.tell(options.json, would, {**facts, "meter": meter})
    with audit_command.begun(journal, "certificate", facts=facts):
        meter = certificate.install(options.folder, options.certificate)
    facts["meter"] = meter
    journal.append("certificate", log.DONE, facts=facts)
    print(json.dumps(facts, indent=1) if options.json else meter)
    return DONE
