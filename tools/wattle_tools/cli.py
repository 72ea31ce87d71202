"""The `wattle-tool` command of technicians.

Exit codes: 0 done; 1 could not be done; 2 wrong arguments; 3 no such board; 4 line or board failed;
5 image refused; 6 read-back differs; 7 settings refused; 8 no fit authority; 9 not enrolled;
10 audit record damaged; 130 interrupted. The message says why and what to do.
"""

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from wattle_tools import certificate, update_bundle
from wattle_tools.audit import command as audit_command
from wattle_tools.audit import log
from wattle_tools.batch import arguments as batch_arguments
from wattle_tools.boards import arguments as boards_arguments
from wattle_tools.boards.arguments import mac
from wattle_tools.check import arguments as check_arguments
from wattle_tools.errors import DONE, INTERRUPTED, ToolError
from wattle_tools.flash import arguments as flash_arguments
from wattle_tools.image import commands as image_commands
from wattle_tools.label import arguments as label_arguments
from wattle_tools.modbus import arguments as modbus_arguments
from wattle_tools.provision import arguments as provision_arguments
from wattle_tools.provision import enrol_command, linux, retire_command
from wattle_tools.seal import arguments as seal_arguments
from wattle_tools.sites import command as site_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ToolError as error:
        print(f"wattle-tool: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("wattle-tool: interrupted; run it again", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wattle-tool",
        description="Sets up meter boards.",
        epilog=" ".join(__doc__.splitlines()[2:]),
    )
    parser.add_argument(
        "--home", type=Path, metavar="DIR", help="the tool's folder (default: WATTLE_TOOL_HOME)"
    )
    parser.add_argument("--who", metavar="NAME", help="for the audit record (default: the user)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    provision = commands.add_parser(
        "provision", help="make a flashed ESP32, or a Linux board, the meter of a place"
    )
    provision_arguments.add_arguments(provision)
    provision.set_defaults(run=_provision)
    install = commands.add_parser(
        "certificate", help="install the certificate that `wattle-gateway meters enrol` issued"
    )
    install.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER", help="of a Linux board; else an ESP32's"
    )
    install.add_argument("certificate", type=Path, metavar="FILE", help="PEM or DER")
    install.add_argument("--mac", type=mac, help="the ESP32 (default: the only one there is)")
    boards_arguments.add_port_arguments(install)
    install.set_defaults(run=_install)
    boards = commands.add_parser("boards", help="what is plugged in, by MAC")
    boards_arguments.add_arguments(boards)
    boards.set_defaults(run=_boards)
    flash = commands.add_parser("flash", help="fill ESP32 boards: interpreter and firmware")
    flash_arguments.add_arguments(flash)
    flash.set_defaults(run=_flash)
    for name, text, add in (
        ("check", "read a meter's devices, and what is wired wrongly", check_arguments.add_check),
        ("probe", "say who answers on a board's line", check_arguments.add_probe),
        ("log", "print what a board says", check_arguments.add_log),
    ):
        looking = commands.add_parser(name, help=text)
        add(looking)
        looking.set_defaults(run=_look, looking=name)
    read = commands.add_parser("read", help="read a device over the laptop's own adapter")
    modbus_arguments.add_read(read)
    read.set_defaults(run=_read)
    write = commands.add_parser("set", help="write a register of a device, and read it back")
    modbus_arguments.add_set(write)
    write.set_defaults(run=_set)
    batch = commands.add_parser("batch", help="provision many boards, by a CSV file")
    batch_arguments.add_arguments(batch)
    batch.set_defaults(run=_batch)
    enrol_command.add(commands)
    retire_command.add(commands)
    label = commands.add_parser("label", help="labels of meters with a QR code, PNG and PDF")
    label_arguments.add_arguments(label)
    label.set_defaults(run=_label)
    seal = commands.add_parser("seal", help="prepare the steps that burn a chip's eFuses")
    seal_arguments.add_arguments(seal)
    seal.set_defaults(run=_seal)
    site_command.add(commands)
    audit_command.add(commands)
    update_bundle.add(commands)
    image_commands.add(commands)
    return parser


def _provision(options: argparse.Namespace) -> int:
    if options.folder is not None:
        return linux.run(options)
    with _with_extra():
        from wattle_tools.provision import command
    return command.run(options)


def _boards(options: argparse.Namespace) -> int:
    with _with_extra():
        from wattle_tools.boards import command
    return command.run(options)


def _flash(options: argparse.Namespace) -> int:
    with _with_extra():
        from wattle_tools.flash import command
    return command.run(options)


def _label(options: argparse.Namespace) -> int:
    with _with_extra():
        from wattle_tools.label import command
    return command.run(options)


def _look(options: argparse.Namespace) -> int:
    with _with_extra():
        from wattle_tools.check import command
    run = {"check": command.check, "probe": command.probe, "log": command.log}[options.looking]
    return run(options)


def _read(options: argparse.Namespace) -> int:
    with _with_extra():
        from wattle_tools.modbus import command
    return command.read(options)


def _set(options: argparse.Namespace) -> int:
    with _with_extra():
        from wattle_tools.modbus import command
    return command.write(options)


def _batch(options: argparse.Namespace) -> int:
    with _with_extra():
        from wattle_tools.batch import command
    return command.run(options)


def _seal(options: argparse.Namespace) -> int:
    with _with_extra():
        from wattle_tools.seal import command
    return command.run(options)


@contextlib.contextmanager
def _with_extra() -> Iterator[None]:
    """Around imports of what only those need who have boards to fill."""
    try:
        yield
    except ImportError as error:
        raise ToolError(f"{error.name} is missing: pip install 'wattle-grid[tools]'") from error


def _install(options: argparse.Namespace) -> int:
    if options.folder is None:
        with _with_extra():
            from wattle_tools.provision import certify
        return certify.run(options)
    journal = audit_command.journal(options)
    facts: dict[str, object] = {"folder": str(options.folder), "file": str(options.certificate)}
    try:
        meter = certificate.install(options.folder, options.certificate)
    except ToolError as error:
        facts["reason"] = str(error)[:400]
        journal.append("certificate", log.FAILED, facts=facts)
        raise
    journal.append("certificate", log.DONE, facts={**facts, "meter": meter})
    print(meter)
    return DONE
