"""Register maps of emulated metering devices: what can be read, and what a read is refused for.

Rules of Eastron's SDM630Modbus protocol V1.8: a value takes two registers (sections 1.1, 3.7); a
read that begins or ends within a value gets exception 2 (3.8.1, 3.11); more than 40 values get an
exception (1.2), 3 as for every wrong quantity (Modbus Application Protocol V1.1b3, section 6.4).
Registers between two documented values read as zero: known masters read 0x0000 to 0x004F at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from wattle_hil.errors import DeviceError, HilError

ILLEGAL_FUNCTION = 1
ILLEGAL_ADDRESS = 2
ILLEGAL_VALUE = 3

MAX_REGISTERS = 80
_REGISTERS_PER_VALUE = 2
_UNUSED = bytes(4)


class RequestRefusedError(HilError):
    """The device answers a request with the Modbus exception `code`."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"Modbus exception {code}: {reason}")
        self.code = code


@dataclass(frozen=True)
class RegisterMap:
    """Where the values of a device lie.

    windows: ranges of register addresses (from 0) that can be read in one go.
    quantities: name of the value at each even address.
    """

    windows: tuple[range, ...]
    quantities: Mapping[int, str]

    def __post_init__(self) -> None:
        for address in self.quantities:
            if address % _REGISTERS_PER_VALUE or not any(
                address in known for known in self.windows
            ):
                raise DeviceError(f"register {address:#06x} is odd or in no window")

    def read(self, address: int, count: int, values: Mapping[str, bytes]) -> bytes:
        """The bytes of `count` registers from `address`; values: 4 bytes for each quantity.

        Raises RequestRefusedError with the exception code a real device answers.
        """
        if not 1 <= count <= MAX_REGISTERS:
            raise RequestRefusedError(
                ILLEGAL_VALUE, f"{count} registers, expected 1 to {MAX_REGISTERS}"
            )
        if address % _REGISTERS_PER_VALUE or count % _REGISTERS_PER_VALUE:
            raise RequestRefusedError(
                ILLEGAL_ADDRESS, f"{count} registers from {address:#06x} cut a value in two"
            )
        last = address + count - 1
        if not any(address in window and last in window for window in self.windows):
            raise RequestRefusedError(
                ILLEGAL_ADDRESS, f"registers {address:#06x} to {last:#06x} are not all there"
            )
        names = (self.quantities.get(at) for at in range(address, last, _REGISTERS_PER_VALUE))
        return b"".join(_UNUSED if name is None else values[name] for name in names)
