"""IEEE 754 binary32 registers as exact integers: no float ever touches a signed value.

A metering device sends kWh, W or A as a binary32; the wire wants an integer count of a
decimal unit. The conversion multiplies by a power of ten and rounds once, exactly.
"""

from wattle_meter.errors import MeterError

INT64_MAX = (1 << 63) - 1
INT64_MIN = -(1 << 63)
EXPONENT10_MAX = 18  # 10**18 is the greatest power of ten in int64


class ReadingRangeError(MeterError):
    """A register that holds no number (NaN, infinity) or one beyond int64."""


def scaled(bits: int, exponent10: int) -> int:
    """The binary32 `bits` (0..2^32-1) times 10**`exponent10` (-18..18), rounded to an integer.

    Halves go to the even neighbour, as in IEEE 754 itself: no drift in either direction over
    many readings. Raises ReadingRangeError for NaN, infinity and results beyond int64.
    """
    biased = bits >> 23 & 0xFF
    mantissa = bits & 0x7FFFFF
    if biased == 0xFF:
        raise ReadingRangeError("NaN" if mantissa else "infinity")
    if biased:
        mantissa |= 0x800000
    else:
        biased = 1  # subnormal: the exponent of the smallest normal, without the hidden bit
    shift = biased - 150  # value = mantissa * 2**shift
    numerator, divisor = mantissa, 1
    if exponent10 >= 0:
        numerator *= 10**exponent10
    else:
        divisor = 10**-exponent10
    if shift >= 0:
        numerator <<= shift
    else:
        divisor <<= -shift
    result = round_half_even(numerator, divisor)
    if bits >> 31:
        result = -result
    if not INT64_MIN <= result <= INT64_MAX:
        raise ReadingRangeError("value beyond int64")
    return result


def round_half_even(numerator: int, divisor: int) -> int:
    """`numerator` / `divisor` (both integers, divisor > 0), halves to the even neighbour."""
    result, rest = divmod(numerator, divisor)
    if 2 * rest > divisor or (2 * rest == divisor and result & 1):
        result += 1
    return result
