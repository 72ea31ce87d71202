"""binary32 to integer: the cases that a shortcut through floats gets wrong."""

import struct

from wattle_meter import float32, register


def bits_of(number):
    return struct.unpack(">I", struct.pack(">f", number))[0]


def raised(bits, exponent10):
    try:
        float32.scaled(bits, exponent10)
    except float32.ReadingRangeError as error:
        return str(error)
    raise AssertionError("no error for %x" % bits)


def test_readings_of_a_real_device():
    assert float32.scaled(0x43663334, 1) == 2302  # 230.2000122 V in 0.1 V
    assert float32.scaled(0x43663334, 0) == 230
    assert float32.scaled(0x43663334, 6) == 230200012


def test_signs_and_zeros():
    assert float32.scaled(0x00000000, 3) == 0
    assert float32.scaled(0x80000000, 3) == 0
    assert float32.scaled(bits_of(-12.25), 2) == -1225


def test_halves_go_to_the_even_neighbour():
    for number, expected in ((0.5, 0), (1.5, 2), (2.5, 2), (3.5, 4), (-0.5, 0), (-1.5, -2)):
        assert float32.scaled(bits_of(number), 0) == expected
    assert float32.scaled(bits_of(0.25), 1) == 2  # 2.5
    assert float32.scaled(bits_of(25.0), -1) == 2
    assert float32.scaled(bits_of(35.0), -1) == 4


def test_one_bit_beside_a_half():
    assert float32.scaled(bits_of(0.5) + 1, 0) == 1
    assert float32.scaled(bits_of(2.5) - 1, 0) == 2
    assert float32.scaled(bits_of(2.5) + 1, 0) == 3


def test_subnormals():
    assert float32.scaled(0x00000001, 0) == 0
    assert float32.scaled(0x00000001, 18) == 0
    assert float32.scaled(0x007FFFFF, 18) == 0


def test_large_values():
    assert float32.scaled(bits_of(16777216.0), 3) == 16777216000
    assert float32.scaled(bits_of(-9223372036854775808.0), 0) == float32.INT64_MIN


def test_what_is_no_number_is_refused():
    assert raised(0x7FC00000, 0) == "NaN"
    assert raised(0xFF800001, 0) == "NaN"
    assert raised(0x7F800000, 0) == "infinity"
    assert raised(0xFF800000, 0) == "infinity"


def test_what_int64_cannot_hold_is_refused():
    assert "int64" in raised(bits_of(9223372036854775808.0), 0)
    assert "int64" in raised(bits_of(3.0e18), 1)
    assert "int64" in raised(0x7F7FFFFF, 18)


def test_words_in_both_orders():
    assert register.value([0x4366, 0x3334], "float32", False, 1) == 2302
    assert register.value([0x3334, 0x4366], "float32", True, 1) == 2302


def test_integer_registers():
    assert register.value([2259], "uint16", False, 0) == 2259
    assert register.value([0xFFFF], "int16", False, 0) == -1
    assert register.value([5, 0], "uint32", True, 1) == 50  # PZEM: 0.5 W, low word first
    assert register.value([0xFFFF, 0xFFFF], "uint32", False, 0) == 4294967295
    assert register.value([0xFFFE, 0xFFFF], "int32", True, 1) == -20
    assert register.value([0xFFFF, 0xFFFF, 0xFFFF, 0xFFFD], "int64", False, 0) == -3
    assert register.value([25], "uint16", False, -1) == 2
    assert register.value([0xFFE7], "int16", False, -1) == -2  # -25 / 10, half to even
    assert register.value([0xFFDD], "int16", False, -1) == -4  # -35 / 10


def test_integer_beyond_int64_is_refused():
    try:
        register.value([0x7FFF, 0xFFFF, 0xFFFF, 0xFFFF], "int64", False, 1)
    except float32.ReadingRangeError:
        return
    raise AssertionError("no error")
