"""`wattle-tool read` and `set`: a metering device at the laptop's own adapter."""

import argparse
from pathlib import Path

from wattle_tools import dry_run
from wattle_tools.boards.arguments import add_json_argument
from wattle_tools.modbus.registers import HOLDING, INPUT, TYPES, parsed
from wattle_tools.whole_number import within

_UNIT_MAX = 247


def add_read(parser: argparse.ArgumentParser) -> None:
    """Arguments of `read`."""
    parser.description = (
        "Reads a metering device over a USB adapter for RS-485: all of a profile, as a meter would "
        "read it, or one register. No board takes part, and nothing is signed. Of a SunSpec device "
        "it is told where its model was found, and which quantities the device does not have."
    )
    _add_line(parser)
    parser.add_argument("--profile", help="of the device (firmware/PROFILES.md)")
    _add_register(parser, "one register instead")
    parser.add_argument(
        "--function", type=int, choices=(HOLDING, INPUT), default=HOLDING, help="default: 3"
    )
    add_json_argument(parser)


def add_set(parser: argparse.ArgumentParser) -> None:
    """Arguments of `set`."""
    parser.description = (
        "Writes one holding register of a metering device and reads it back. What a register does "
        "its maker says; a wrong unit number or speed makes a device silent until it is found."
    )
    _add_line(parser)
    parser.add_argument("--profile", help="of the device: how its line is set")
    _add_register(parser, "the register")
    parser.add_argument("--value", type=_number, required=True, help="what is to stand in it")
    parser.add_argument("--single", action="store_true", help="by function 6 (one word only)")
    dry_run.add_argument(parser)
    add_json_argument(parser)


def _add_line(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "port",
        metavar="PORT",
        help="the adapter's line: its name in /dev/serial/by-id, which it keeps, or /dev/ttyUSB0",
    )
    parser.add_argument(
        "--unit", type=within(1, _UNIT_MAX), default=1, help="of the device (default 1)"
    )
    parser.add_argument("--baud", type=within(1), help="default: as the profile says, else 9600")
    parser.add_argument("--parity", choices=("N", "E", "O"), help="default: as the profile, else N")
    parser.add_argument("--stop-bits", type=int, choices=(1, 2), help="default: likewise, else 1")
    parser.add_argument("--firmware", type=Path, help="sources (default: those that came with it)")


def _add_register(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--register", type=_address, metavar="ADDRESS", help=f"{text}: 0x0014")
    parser.add_argument("--type", choices=sorted(TYPES), default="uint16", help="default: uint16")
    parser.add_argument("--low-first", action="store_true", help="its low word comes first")


def _address(text: str) -> int:
    try:
        address = int(text, 0)
    except ValueError:
        address = -1
    if not 0 <= address <= 0xFFFF:
        raise argparse.ArgumentTypeError(f"{text!r}, expected 0x0000 to 0xffff")
    return address


def _number(text: str) -> object:
    try:
        return parsed(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
