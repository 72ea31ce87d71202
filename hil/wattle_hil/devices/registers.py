"""Register maps of emulated metering devices: what can be read, and what a read is refused for.

A read that begins or ends within a value, or reaches where there is nothing, gets exception 2; more
registers than the device answers get exception 3 (SDM630Modbus V1.8 sections 1.2, 3.8.1 and 3.11,
Modbus Application Protocol V1.1b3 section 6.4). Whether the other makers' devices are as strict is
not known: an emulated one that is shows every read that relies on more.
Registers between two documented values read as zero: known masters read 0x0000 to 0x004F at once.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from wattle_hil.errors import DeviceError, HilError

ILLEGAL_FUNCTION = 1
ILLEGAL_ADDRESS = 2
ILLEGAL_VALUE = 3

_WORD_BYTES = 2
_WORD_BITS = 16
_UNUSED = bytes(_WORD_BYTES)

Values = Mapping[str, float]


class RequestRefusedError(HilError):
    """The device answers a request with the Modbus exception `code`."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"Modbus exception {code}: {reason}")
        self.code = code


class Cell(Protocol):
    """One value of a map; `words` registers wide."""

    @property
    def words(self) -> int: ...

    def encode(self, values: Values) -> bytes:
        """The bytes of its registers, high byte of each first."""
        ...


@dataclass(frozen=True)
class Single:
    """An IEEE-754 single, high word first, of a quantity divided by `per` (1000: Wh as kWh)."""

    quantity: str
    per: int = 1
    words: int = 2

    def encode(self, values: Values) -> bytes:
        return struct.pack(">f", values[self.quantity] / self.per)


@dataclass(frozen=True)
class Integer:
    """A quantity counted in steps of 10^exponent10 of its unit; negative as two's complement.

    wraps_at: the count at which it starts again from 0 (None: when its bits are used up).
    """

    quantity: str
    exponent10: int
    words: int = 1
    low_first: bool = False
    wraps_at: int | None = None

    def encode(self, values: Values) -> bytes:
        value = values[self.quantity]
        step, parts = 10 ** max(self.exponent10, 0), 10 ** max(-self.exponent10, 0)
        # An energy is a whole number, of which a counter shows whole steps.
        count = value * parts // step if isinstance(value, int) else round(value * parts / step)
        count %= self.wraps_at or 1 << self.words * _WORD_BITS
        return in_order(count.to_bytes(self.words * _WORD_BYTES, "big"), self.low_first)


@dataclass(frozen=True)
class Fixed:
    """Registers that never change."""

    data: bytes

    @property
    def words(self) -> int:
        return len(self.data) // _WORD_BYTES

    def encode(self, values: Values) -> bytes:
        return self.data


def in_order(data: bytes, low_first: bool) -> bytes:
    """The words of a value, high word first, in the order of a device."""
    if not low_first:
        return data
    words = [data[at : at + _WORD_BYTES] for at in range(0, len(data), _WORD_BYTES)]
    return b"".join(reversed(words))


@dataclass(frozen=True)
class RegisterMap:
    """Where the values of a device lie.

    windows: ranges of register addresses (from 0) that can be read in one go.
    cells: the value that begins at each address. most: registers that one read may ask for.
    """

    windows: tuple[range, ...]
    cells: Mapping[int, Cell]
    most: int

    def __post_init__(self) -> None:
        end = 0
        for address, cell in sorted(self.cells.items()):
            last = address + cell.words - 1
            if address < end:
                raise DeviceError(f"register {address:#06x} lies within the value before it")
            if not any(address in known and last in known for known in self.windows):
                raise DeviceError(f"register {address:#06x} is in no window")
            end = address + cell.words

    def read(self, address: int, count: int, values: Values) -> bytes:
        """The bytes of `count` registers from `address`; values: number of each quantity.

        Raises RequestRefusedError with the exception code a real device answers.
        """
        if not 1 <= count <= self.most:
            raise RequestRefusedError(
                ILLEGAL_VALUE, f"{count} registers, expected 1 to {self.most}"
            )
        end = address + count
        if not any(address in window and end - 1 in window for window in self.windows):
            raise RequestRefusedError(
                ILLEGAL_ADDRESS, f"registers {address:#06x} to {end - 1:#06x} are not all there"
            )
        image = bytearray(_UNUSED * count)
        for begin, cell in self.cells.items():
            behind = begin + cell.words
            if behind <= address or end <= begin:
                continue
            if begin < address or end < behind:
                raise RequestRefusedError(
                    ILLEGAL_ADDRESS, f"{count} registers from {address:#06x} cut a value in two"
                )
            at = (begin - address) * _WORD_BYTES
            image[at : at + cell.words * _WORD_BYTES] = cell.encode(values)
        return bytes(image)
