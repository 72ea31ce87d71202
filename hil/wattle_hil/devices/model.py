"""What a type of metering device is, for the bench: data, written from its maker's documents.

Independently of the firmware's profiles: that both agree is a check of both.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from wattle_hil.devices.registers import RegisterMap

# Parity and stop bits of a line, and the code by which Eastron's devices tell them.
PARITY_CODES: Mapping[str, int] = {"N1": 0, "E1": 1, "O1": 2, "N2": 3}


@dataclass(frozen=True)
class Model:
    """A type of metering device.

    tables: registers of each read function (3, 4). baud_codes: code in the baud rate register for
    each rate the type has. baud, parity: as it leaves the factory. resolution_wh: the step of
    its energy registers, or finer.
    """

    name: str
    phases: int
    tables: Mapping[int, RegisterMap]
    baud_codes: Mapping[int, int]
    baud: int = 9_600
    parity: str = "N1"
    resolution_wh: int = 1
