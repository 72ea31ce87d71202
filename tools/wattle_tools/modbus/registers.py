"""One register of a device: how its words become a number, and back."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from wattle_tools.errors import SettingsError

# Name -> (words, struct's letter), as firmware/PROFILES.md has them.
TYPES: Mapping[str, tuple[int, str]] = {
    "float32": (2, "f"),
    "int16": (1, "h"),
    "int32": (2, "i"),
    "int64": (4, "q"),
    "uint16": (1, "H"),
    "uint32": (2, "I"),
}
HOLDING, INPUT = 3, 4
_ADDRESSES = 0x10000


@dataclass(frozen=True)
class Register:
    """`address` of the first word, and one of TYPES."""

    address: int
    kind: str

    @property
    def words(self) -> int:
        """How many registers it takes."""
        return TYPES[self.kind][0]

    def value(self, words: Sequence[int], low_first: bool) -> Decimal:
        """The number in its words; Decimal, so that no digit comes or goes."""
        ordered = list(reversed(words)) if low_first else list(words)
        raw = struct.pack(f">{len(ordered)}H", *ordered)
        [number] = struct.unpack(f">{TYPES[self.kind][1]}", raw)
        # A single has seven digits and a bit; repr of the double would show more.
        return Decimal(f"{number:.8g}") if self.kind == "float32" else Decimal(number)

    def encoded(self, number: Decimal, low_first: bool) -> list[int]:
        """The words of a number. Raises SettingsError for one that does not fit."""
        count, letter = TYPES[self.kind]
        try:
            raw = struct.pack(f">{letter}", float(number) if letter == "f" else _whole(number))
        except (struct.error, OverflowError, ValueError) as error:
            raise SettingsError(f"{number} is no {self.kind}", "give a number that fits") from error
        words = list(struct.unpack(f">{count}H", raw))
        return list(reversed(words)) if low_first else words


def at(address: int, kind: str) -> Register:
    """The register at an address. Raises SettingsError where its words go beyond the last one."""
    register = Register(address, kind)
    if address + register.words > _ADDRESSES:
        raise SettingsError(
            f"{register.words} words of {kind} from {address:#06x} on",
            f"the last one is {_ADDRESSES - 1:#06x}: give a lower --register, or another --type",
        )
    return register


def parsed(text: str) -> Decimal:
    """A number. Raises ValueError."""
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{text!r}, expected a number") from error
    if not number.is_finite():
        raise ValueError(f"{text!r}, expected a number")
    return number


def _whole(number: Decimal) -> int:
    if number != number.to_integral_value():
        raise ValueError(number)
    return int(number)
