"""Register words of a metering device as exact integers; pure."""

from wattle_meter.errors import MeterError
from wattle_meter.float32 import INT64_MAX, INT64_MIN, ReadingRangeError, round_half_even, scaled

# type: (words, kind); a word is 16 bits, its bytes big endian (Application Protocol 4.2)
_TYPES = {
    "float32": (2, "f"),
    "int16": (1, "i"),
    "int32": (2, "i"),
    "int64": (4, "i"),
    "uint16": (1, "u"),
    "uint32": (2, "u"),
}
TYPES = tuple(sorted(_TYPES))

_SCALE_ABSENT = 0x8000  # SunSpec sunssf: no scale factor, the value stands as it is
_SCALE_MAX = 10  # SunSpec allows -10 to 10


class AbsentError(MeterError):
    """The device says that it does not have this quantity."""


class Register:
    """Where a quantity stands in a device, and how its words become the wire's integer.

    `address` of the first word, `type_name` one of TYPES, `exponent10` leads from the register's
    unit to the wire's. Or None: `scale_at`, address of an int16 whose value is a further power of
    ten; `absent`, the bits (not negative) by which the device says that it has no such quantity;
    `wraps_at`, the register's number at which an energy counter starts again from 0.
    """

    def __init__(
        self,
        address: int,
        type_name: str,
        exponent10: int,
        scale_at: int | None = None,
        absent: int | None = None,
        wraps_at: int | None = None,
    ) -> None:
        self.address = address
        self.type_name = type_name
        self.exponent10 = exponent10
        self.scale_at = scale_at
        self.absent = absent
        self.wraps_at = wraps_at

    def span(self) -> tuple[int, int]:
        """(first, end): the addresses that one read must cover, `end` not included."""
        end = self.address + words_of(self.type_name)
        if self.scale_at is None:
            return self.address, end
        return min(self.address, self.scale_at), max(end, self.scale_at + 1)

    def value(self, words: list[int], start: int, low_first: bool) -> int:
        """The wire's integer; `words` are those of a read that began at address `start`.

        Raises AbsentError, ReadingRangeError.
        """
        at = self.address - start
        bits = _bits(words[at : at + words_of(self.type_name)], low_first)
        if bits == self.absent:
            raise AbsentError("register 0x%04x is not implemented" % self.address)
        return _number(bits, self.type_name, self._exponent10(words, start))

    def wrap(self, words: list[int], start: int) -> int | None:
        """The wire's integer at which the counter starts again, None if it is not known.

        Raises ReadingRangeError for a scale factor that is none.
        """
        if self.wraps_at is None:
            return None
        return _times10(self.wraps_at, self._exponent10(words, start))

    def _exponent10(self, words: list[int], start: int) -> int:
        if self.scale_at is None or words[self.scale_at - start] == _SCALE_ABSENT:
            return self.exponent10
        scale = _number(words[self.scale_at - start], "int16", 0)
        if not -_SCALE_MAX <= scale <= _SCALE_MAX:
            raise ReadingRangeError("scale factor %d" % scale)
        return self.exponent10 + scale


def words_of(type_name: str) -> int:
    """Number of registers that a value of `type_name` (one of TYPES) takes."""
    return _TYPES[type_name][0]


def value(words: list[int], type_name: str, low_first: bool, exponent10: int) -> int:
    """The value in `words` (0..65535 each, as many as words_of says) times 10**`exponent10`.

    `low_first` says that the least significant word comes first. Halves go to the even
    neighbour. Raises ReadingRangeError for what is no number or does not fit int64.
    """
    return _number(_bits(words, low_first), type_name, exponent10)


def _bits(words: list[int], low_first: bool) -> int:
    bits = 0
    for word in reversed(words) if low_first else words:
        bits = bits << 16 | word
    return bits


def _number(bits: int, type_name: str, exponent10: int) -> int:
    count, kind = _TYPES[type_name]
    if kind == "f":
        return scaled(bits, exponent10)
    if kind == "i" and bits >> (16 * count - 1):
        bits -= 1 << (16 * count)
    return _times10(bits, exponent10)


def _times10(number: int, exponent10: int) -> int:
    power: int = 10 ** abs(exponent10)
    result = number * power if exponent10 >= 0 else round_half_even(number, power)
    if not INT64_MIN <= result <= INT64_MAX:
        raise ReadingRangeError("value beyond int64")
    return result
