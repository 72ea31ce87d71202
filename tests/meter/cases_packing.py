"""Packing: every byte comes back, and whatever else stands on flash is refused."""

import hashlib

from wattle_meter import packing
from wattle_meter.packing import PackedDamagedError

MOST = 16384


def packed(data):
    """What pack_steps comes to; nothing but None before it."""
    steps = list(packing.pack_steps(data))
    assert steps[-1] is not None
    assert steps[:-1] == [None] * (len(steps) - 1)
    return steps[-1]


def noise(length, start=0):
    """Bytes in which nothing repeats."""
    out = b""
    while len(out) < length:
        out += hashlib.sha256(b"%d,%d" % (start, len(out))).digest()
    return out[:length]


def check(data):
    small = packed(data)
    assert packing.unpack(small, MOST) == data
    return len(small)


def refused(data, text, most=MOST):
    try:
        packing.unpack(data, most)
    except PackedDamagedError as error:
        assert text in str(error), error
        return
    raise AssertionError("unpacked")


def test_what_does_not_repeat_grows_by_a_byte_in_128():
    for length in (0, 1, 3, 4, 127, 128, 129, 256, 1000):
        assert check(noise(length)) == length + (length + 127) // 128


def test_what_repeats_is_stored_once():
    for length in (1, 4, 20, 138, 900):
        piece = noise(length)
        assert check(piece * 10) < len(piece) * 1.3 + 60 + 9 * length // 16


def test_repetitions_that_reach_into_themselves():
    for length in range(1, 300):
        check(b"a" * length)
        check(b"ab" * length + b"c")
        check(noise(5) * length)


def test_lengths_and_distances_at_their_limits():
    for between in (1019, 1020, 1021, 1022):
        for length in (3, 4, 34, 35, 36, 70, 71):
            piece = noise(length, 7)
            size = check(piece + noise(between - length, 8) + piece + b"!")
            found = between <= 1024 and length >= 4
            assert (size < between + length + 9) == found, (between, length)


def test_a_repetition_further_back_than_two_bytes_can_say_is_not_looked_for():
    piece = noise(30, 9)
    near = check(piece + noise(1024 - 30, 10) + piece)
    far = check(piece + noise(1025 - 30, 10) + piece)
    assert far > near + 20


def test_the_work_is_done_in_slices():
    steps = list(packing.pack_steps(noise(1000)))
    assert len(steps) > 1000 // 60


def test_a_row_that_ends_too_early_is_refused():
    data = packed(noise(40) * 2)
    assert packing.unpack(data, MOST) == noise(40) * 2
    refused(data[:-1], "missing")
    refused(data[:20], "missing")
    refused(b"\x7f", "128 bytes are missing")


def test_a_repetition_of_nothing_is_refused():
    refused(b"\x80\x00", "before the sample")
    refused(b"\x01ab\x80\x02", "before the sample")
    assert packing.unpack(b"\x01ab\x80\x01", MOST) == b"ababab"


def test_what_would_grow_without_end_is_refused():
    bomb = b"\x00a" + b"\xfc\x00" * 1000
    refused(bomb, "at most", 1000)
    assert len(packing.unpack(bomb[:12], 1000)) == 1 + 5 * 35


def test_any_bytes_at_all_are_unpacked_or_refused():
    for seed in range(300):
        data = noise(seed % 60, seed)
        try:
            assert len(packing.unpack(data, 500)) <= 500
        except PackedDamagedError:
            pass
