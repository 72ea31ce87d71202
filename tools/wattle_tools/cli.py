"""The `wattle-tool` command of technicians.

Exit codes: 0 done; 1 could not be done; 2 wrong arguments; 3 no such board; 4 line or board failed;
5 image refused; 6 read-back differs; 130 interrupted. The message says why and what to do.
"""

import argparse
import contextlib
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from wattle_tools import board_folder, certificate, site_file, update_bundle
from wattle_tools.board_folder import BoardChoice, DeviceChoice, Firmware, Line, LoadChoice
from wattle_tools.boards import arguments as boards_arguments
from wattle_tools.device import firmware_folder
from wattle_tools.errors import DONE, INTERRUPTED, ToolError
from wattle_tools.flash import arguments as flash_arguments
from wattle_tools.image import commands as image_commands
from wattle_tools.proof import PROOF_FILE


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
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    provision = commands.add_parser(
        "provision", help="set up the folder of a Linux board and print its meter id"
    )
    _add_provision(provision)
    provision.set_defaults(run=_provision)
    install = commands.add_parser(
        "certificate", help="install the certificate that `wattle-gateway meters enrol` issued"
    )
    install.add_argument("board", type=Path, help="the board's folder")
    install.add_argument("certificate", type=Path, help="PEM or DER file")
    install.set_defaults(run=_install)
    boards = commands.add_parser("boards", help="what is plugged in, by MAC")
    boards_arguments.add_arguments(boards)
    boards.set_defaults(run=_boards)
    flash = commands.add_parser("flash", help="fill ESP32 boards: interpreter and firmware")
    flash_arguments.add_arguments(flash)
    flash.set_defaults(run=_flash)
    update_bundle.add(commands)
    image_commands.add(commands)
    return parser


def _add_provision(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("board", type=Path, help="the board's folder, made if absent")
    parser.add_argument(
        "--site-file",
        type=Path,
        action="append",
        required=True,
        help="site.json of a gateway; its alliance's other gateways come after it; "
        "may be given again, the preferred one first",
    )
    parser.add_argument("--site", help="site of this meter (default: the gateway's)")
    parser.add_argument("--port", required=True, help="serial line to the metering devices")
    parser.add_argument("--profile", help="profile of the only device (as --device 1:PROFILE:UNIT)")
    parser.add_argument("--unit", type=int, default=1, help="its unit on the line (default 1)")
    parser.add_argument(
        "--device",
        type=_device,
        action="append",
        default=[],
        metavar="D:PROFILE:UNIT[:q,q,..]",
        help="one metering device; may be given again",
    )
    parser.add_argument(
        "--load",
        type=_load,
        action="append",
        default=[],
        metavar="D:TYPE:key=number,..",
        help="an adjustable load of device D (firmware/LOADS.md); may be given again",
    )
    parser.add_argument(
        "--relay",
        action="append",
        default=[],
        metavar="FILE",
        help="where this host's relay 0 (1, ..) takes 1 and 0",
    )
    parser.add_argument("--hold-s", type=int, help="how long loads wait for a silent gateway")
    parser.add_argument("--interval-ms", type=int, default=1_000, help="default 1000")
    parser.add_argument("--baud", type=int, help="default: as the profile says")
    parser.add_argument("--parity", choices=("N", "E", "O"), default="N", help="with --baud")
    parser.add_argument("--stop-bits", type=int, choices=(1, 2), default=1, help="with --baud")
    parser.add_argument("--outbox-bytes", type=int, help="default: 1 MiB")
    parser.add_argument("--eui64", type=_eui64, help="16 hex digits (default: the board's own)")
    parser.add_argument("--micropython", type=Path, help="interpreter (default: that on PATH)")
    parser.add_argument("--firmware", type=Path, help="sources (default: those that came with it)")


def _provision(options: argparse.Namespace) -> int:
    devices = list(options.device)
    if options.profile is not None:
        devices.insert(0, DeviceChoice(1, options.profile, options.unit))
    if not devices:
        raise ToolError("no metering device: give --profile, or --device once or more")
    choice = BoardChoice(
        devices,
        Line(options.port, options.baud, options.parity, options.stop_bits),
        options.interval_ms,
        options.site,
        options.outbox_bytes,
        options.eui64,
        options.load,
        options.relay,
        options.hold_s,
    )
    micropython = options.micropython or Path(shutil.which("micropython") or "micropython")
    board = board_folder.provision(
        options.board,
        [site_file.load(path) for path in options.site_file],
        choice,
        Firmware(micropython, options.firmware or firmware_folder()),
    )
    print(board.meter)
    print(f"EUI-64 {board.eui64.hex()}, proof {options.board / PROOF_FILE}", file=sys.stderr)
    return DONE


def _boards(options: argparse.Namespace) -> int:
    with _with_extra():
        from wattle_tools.boards import command
    return command.run(options)


def _flash(options: argparse.Namespace) -> int:
    with _with_extra():
        from wattle_tools.flash import command
    return command.run(options)


@contextlib.contextmanager
def _with_extra() -> Iterator[None]:
    """Around imports of what only those need who have boards to fill."""
    try:
        yield
    except ImportError as error:
        raise ToolError(f"{error.name} is missing: pip install 'wattle-grid[tools]'") from error


def _install(options: argparse.Namespace) -> int:
    print(certificate.install(options.board, options.certificate))
    return DONE


def _device(text: str) -> DeviceChoice:
    try:
        return DeviceChoice.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _load(text: str) -> LoadChoice:
    try:
        return LoadChoice.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _eui64(text: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != 8:
        raise argparse.ArgumentTypeError(f"{text!r}, expected 16 hex digits")
    return value
