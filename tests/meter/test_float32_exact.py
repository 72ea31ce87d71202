"""float32.scaled against exact fractions: a second, slow implementation that is plainly right."""

import math
import struct
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wattle_meter import float32


@given(bits=st.integers(0, 2**32 - 1), exponent10=st.integers(-18, 18))
@example(bits=0x43663334, exponent10=1)
@example(bits=0x007FFFFF, exponent10=18)
@example(bits=0x00800000, exponent10=18)
@example(bits=0x7F7FFFFF, exponent10=-18)
@example(bits=0xDF000000, exponent10=0)
def test_scaled_equals_the_rounded_fraction(bits: int, exponent10: int) -> None:
    number: float = struct.unpack(">f", struct.pack(">I", bits))[0]
    if not math.isfinite(number):
        with pytest.raises(float32.ReadingRangeError):
            float32.scaled(bits, exponent10)
        return
    expected = round(Fraction(number) * Fraction(10) ** exponent10)
    if -(2**63) <= expected < 2**63:
        assert float32.scaled(bits, exponent10) == expected
    else:
        with pytest.raises(float32.ReadingRangeError):
            float32.scaled(bits, exponent10)


@given(st.integers(-(10**6), 10**6), st.integers(0, 5))
def test_halves_go_to_the_even_neighbour(whole: int, halvings: int) -> None:
    number = whole / 2**halvings  # exact in binary32: few bits
    bits = struct.unpack(">I", struct.pack(">f", number))[0]
    assert float32.scaled(bits, 0) == round(Fraction(whole, 2**halvings))
