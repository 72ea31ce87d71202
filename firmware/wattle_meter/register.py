"""Register words of a metering device as exact integers; pure."""

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


def words_of(type_name: str) -> int:
    """Number of registers that a value of `type_name` (one of TYPES) takes."""
    return _TYPES[type_name][0]


def value(words: list[int], type_name: str, low_first: bool, exponent10: int) -> int:
    """The value in `words` (0..65535 each, as many as words_of says) times 10**`exponent10`.

    `low_first` says that the least significant word comes first. Halves go to the even
    neighbour. Raises ReadingRangeError for what is no number or does not fit int64.
    """
    count, kind = _TYPES[type_name]
    bits = 0
    for word in reversed(words) if low_first else words:
        bits = bits << 16 | word
    if kind == "f":
        return scaled(bits, exponent10)
    if kind == "i" and bits >> (16 * count - 1):
        bits -= 1 << (16 * count)
    result = bits * 10**exponent10 if exponent10 >= 0 else round_half_even(bits, 10**-exponent10)
    if not INT64_MIN <= result <= INT64_MAX:
        raise ReadingRangeError("value beyond int64")
    return result
