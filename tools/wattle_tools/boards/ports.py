"""The serial lines of this machine on which a board may be."""

from dataclasses import dataclass

import serial.tools.list_ports


@dataclass(frozen=True)
class Port:
    """`path` of a serial line; `usb`: what the bus says of it, "" for a line without USB."""

    path: str
    usb: str = ""


def usb_ports() -> list[Port]:
    """The serial lines behind USB, by path. A line of the mainboard has no board on it."""
    found = serial.tools.list_ports.comports()
    return sorted(
        (Port(row.device, f"{row.vid:04x}:{row.pid:04x}") for row in found if row.vid is not None),
        key=lambda port: port.path,
    )
