"""Registers of a device: where a value stands and how its words become a number, and back."""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from wattle_wire import quantity
from wattle_wire.errors import WireError

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
_PROFILE_BYTES_MAX = 8_192


@dataclass(frozen=True)
class Register:
    """`address` of the first word, one of TYPES, and the power of ten from the register's unit to
    that of the quantity.
    """

    address: int
    kind: str
    exponent10: int = 0

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
        exact = Decimal(f"{number:.8g}") if self.kind == "float32" else Decimal(number)
        return exact.scaleb(self.exponent10)

    def encoded(self, number: Decimal, low_first: bool) -> list[int]:
        """The words of a number. Raises SettingsError for one that does not fit."""
        count, letter = TYPES[self.kind]
        try:
            raw = struct.pack(f">{letter}", float(number) if letter == "f" else _whole(number))
        except (struct.error, OverflowError, ValueError) as error:
            raise SettingsError(f"{number} is no {self.kind}", "give a number that fits") from error
        words = list(struct.unpack(f">{count}H", raw))
        return list(reversed(words)) if low_first else words


@dataclass(frozen=True)
class DeviceProfile:
    """What is needed of a profile to read its device: `registers` by quantity, the `function` that
    reads them, the order of words, and how its line is set (baud, parity, stop bits).
    """

    name: str
    function: int
    low_first: bool
    registers: Mapping[str, Register]
    line: tuple[int, str, int]


def profile(folder: Path, name: str) -> DeviceProfile:
    """The profile among the firmware's. Raises SettingsError.

    Profiles are checked where they come from (`make test`); here only what cannot be read so is
    refused: SunSpec, whose registers have to be looked for.
    """
    path = folder / "profiles" / f"{name}.json"
    known = sorted(one.stem for one in path.parent.glob("*.json"))
    if name not in known:
        raise SettingsError(f"{name!r} is no profile", f"take one of: {', '.join(known)}")
    try:
        row = json.loads(path.read_bytes()[:_PROFILE_BYTES_MAX])
        if "sunspec" in row:
            raise SettingsError(
                f"{name} is SunSpec: its registers are looked for by the board",
                "read it through a board with `wattle-tool check`",
            )
        registers = {
            key: Register(int(cell["address"], 16), cell["type"], cell["factor10"])
            for key, cell in row["registers"].items()
        }
        line = row["line"]
        return DeviceProfile(
            name,
            row["function"],
            row["word_order"] == "low_first",
            registers,
            (line["baud"], line["parity"], line["stop_bits"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{path} cannot be used: {error!r}", "install wattle-grid[tools] again"
        ) from error


def shown(name: str, number: Decimal) -> str:
    """A quantity for people."""
    try:
        unit = quantity.form(name)[0]
    except WireError:
        return f"{number:f}"
    return f"{name} {number:f} {unit}"


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
