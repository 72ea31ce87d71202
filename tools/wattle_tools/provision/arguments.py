"""`wattle-tool provision`: what a meter is to be, for an ESP32 on the line or a Linux board."""

import argparse
import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from wattle_tools import dry_run
from wattle_tools.board_folder import BoardChoice, DeviceChoice, Line, LoadChoice
from wattle_tools.boards.arguments import mac
from wattle_tools.errors import SettingsError
from wattle_tools.whole_number import within

_RATIO = re.compile(r"(?:(\d{1,2}):)?(\d{1,7})/(\d{1,7})")
_WATTS = re.compile(r"(?:(\d{1,2}):)?(\d{1,12})")

Value = TypeVar("Value")
# A setting of one device: its number, None for the only one.
OfDevice = tuple[int | None, Value]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.description = (
        "Without FOLDER: an ESP32 on the line, flashed before. It is checked by the firmware's own "
        "rules, makes its keys, is given its settings and a certificate, and an enrolment file is "
        "written for the gateway. With FOLDER: a Linux board, which this machine is."
    )
    parser.add_argument(
        "folder", type=Path, nargs="?", metavar="FOLDER", help="of a Linux board, made if absent"
    )
    add_options(parser)


def add_options(parser: argparse.ArgumentParser) -> None:
    """All but FOLDER."""
    parser.add_argument("--site", help="of this meter (default: the only one that is known)")
    parser.add_argument(
        "--site-file",
        type=Path,
        action="append",
        default=[],
        help="site.json of a gateway, for a site that was not added; its alliance's other gateways "
        "come after it; of a Linux board may be given again, the preferred one first",
    )
    parser.add_argument("--gateway", metavar="HOST", help="which of the site's comes first")
    _add_meter(parser.add_argument_group("metering devices"))
    _add_esp32(parser.add_argument_group("ESP32 on the line"))
    _add_linux(parser.add_argument_group("Linux board"))
    parser.add_argument("--firmware", type=Path, help="sources (default: those that came with it)")
    dry_run.add_argument(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")


def _add_meter(group: argparse._ArgumentGroup) -> None:
    # Numbers have no upper ends here: the firmware judges them, with the rest of its settings.
    group.add_argument("--profile", help="profile of the only device (as --device 1:PROFILE:UNIT)")
    group.add_argument("--unit", type=within(0), default=1, help="its unit on the line (default 1)")
    group.add_argument(
        "--device",
        type=told_as(DeviceChoice.parse),
        action="append",
        default=[],
        metavar="D:PROFILE:UNIT[:q,q,..]",
        help="one metering device; may be given again",
    )
    group.add_argument(
        "--ct",
        type=ratio,
        action="append",
        default=[],
        metavar="[D:]PRIMARY/SECONDARY",
        help="its current transformers, 200/5; may be given again",
    )
    group.add_argument(
        "--vt",
        type=ratio,
        action="append",
        default=[],
        metavar="[D:]PRIMARY/SECONDARY",
        help="its voltage transformers; may be given again",
    )
    group.add_argument(
        "--reversed",
        type=within(0),
        action="append",
        default=[],
        nargs="?",
        const=None,
        metavar="D",
        help="device D (or the only one) counts import as export; may be given again",
    )
    group.add_argument(
        "--rating",
        type=watts,
        action="append",
        default=[],
        metavar="[D:]W",
        help="the most that its point takes, on the primary side (default: the operator says)",
    )
    group.add_argument(
        "--load",
        type=told_as(LoadChoice.parse),
        action="append",
        default=[],
        metavar="D:TYPE:key=number,..",
        help="an adjustable load of device D (firmware/LOADS.md); may be given again",
    )
    group.add_argument("--hold-s", type=within(0), help="how long loads wait for a silent gateway")
    group.add_argument("--interval-ms", type=within(0), default=1_000, help="default 1000")
    group.add_argument("--baud", type=within(0), help="default: as the profile says")
    group.add_argument("--parity", choices=("N", "E", "O"), default="N", help="with --baud")
    group.add_argument("--stop-bits", type=int, choices=(1, 2), default=1, help="with --baud")
    group.add_argument("--outbox-bytes", type=within(0), help="default: 1 MiB")


def _add_esp32(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--board", metavar="NAME", help="file of its pins (firmware/BOARDS.md)")
    group.add_argument(
        "--mac", type=mac, help="this board (12 hex digits; default: the only one there is)"
    )
    group.add_argument("--wifi", metavar="SSID", help="the wireless network")
    group.add_argument(
        "--wifi-password-file",
        type=Path,
        metavar="FILE",
        help="its password (default: WATTLE_WIFI_PASSWORD, else it is asked for)",
    )
    group.add_argument(
        "--skip", action="append", default=[], metavar="PORT", help="leave this line alone"
    )
    group.add_argument(
        "--enrol-through",
        metavar="COMMAND",
        help="enrol it at once: how wattle-gateway is run where the gateway is, "
        "'ssh operator@gateway.example wattle-gateway'; with --gateway-folder",
    )
    group.add_argument("--gateway-folder", metavar="DIR", help="the gateway's folder there")
    group.add_argument(
        "--output", type=Path, default=Path(), metavar="DIR", help="for the enrolment file"
    )


def _add_linux(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--port",
        action="append",
        default=[],
        help="serial line to its metering devices; without FOLDER: look for the ESP32 here only",
    )
    group.add_argument(
        "--relay",
        action="append",
        default=[],
        metavar="FILE",
        help="where this host's relay 0 (1, ..) takes 1 and 0",
    )
    group.add_argument("--eui64", type=_eui64, help="16 hex digits (default: the board's own)")
    group.add_argument("--micropython", type=Path, help="interpreter (default: that on PATH)")


def choice(options: argparse.Namespace, port: str) -> BoardChoice:
    """What the options say of a meter; `port` "" where a board file names the line.

    Raises SettingsError.
    """
    devices: list[DeviceChoice] = list(options.device)
    if options.profile is not None:
        devices.insert(0, DeviceChoice(1, options.profile, options.unit))
    if not devices:
        raise SettingsError("no metering device", "give --profile, or --device once or more")
    for name, rows in (
        ("ct", options.ct),
        ("vt", options.vt),
        ("orient", [(number, -1) for number in options.reversed]),
        ("rating_w", options.rating),
    ):
        devices = applied(devices, name, rows)
    return BoardChoice(
        devices,
        Line(port, options.baud, options.parity, options.stop_bits),
        options.interval_ms,
        options.site,
        options.outbox_bytes,
        options.eui64,
        options.load,
        options.relay,
        options.hold_s,
    )


def applied(
    devices: Sequence[DeviceChoice], name: str, rows: Sequence[OfDevice[Any]]
) -> list[DeviceChoice]:
    """The devices with a setting each of `rows`. Raises SettingsError."""
    numbers = [device.number for device in devices]
    found: dict[int, Any] = {}
    for number, value in rows:
        if number is None and len(numbers) > 1:
            raise SettingsError(
                f"{name} of which device?", f"say D:, one of {', '.join(map(str, numbers))}"
            )
        which = numbers[0] if number is None else number
        if which not in numbers or which in found:
            raise SettingsError(
                f"{name} of device {which}, which is {'named twice' if which in found else 'none'}",
                f"the devices are {', '.join(map(str, numbers))}",
            )
        found[which] = value
    return [
        dataclasses.replace(device, **{name: found[device.number]})
        if device.number in found
        else device
        for device in devices
    ]


def ratio(text: str) -> OfDevice[tuple[int, int]]:
    """[D:]PRIMARY/SECONDARY."""
    found = _RATIO.fullmatch(text)
    if found is None or not int(found[2]) or not int(found[3]):
        raise argparse.ArgumentTypeError(f"{text!r}, expected [D:]PRIMARY/SECONDARY as in 200/5")
    return _number(found[1]), (int(found[2]), int(found[3]))


def watts(text: str) -> OfDevice[int]:
    """[D:]W."""
    found = _WATTS.fullmatch(text)
    if found is None or not int(found[2]):
        raise argparse.ArgumentTypeError(f"{text!r}, expected [D:]W as in 138000")
    return _number(found[1]), int(found[2])


def told_as(parse: Callable[[str], Value]) -> Callable[[str], Value]:
    """A parser whose ValueError argparse shows as it is."""

    def parsed(text: str) -> Value:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parsed


def _number(digits: str | None) -> int | None:
    return None if digits is None else int(digits)


def _eui64(text: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != 8:
        raise argparse.ArgumentTypeError(f"{text!r}, expected 16 hex digits")
    return value
