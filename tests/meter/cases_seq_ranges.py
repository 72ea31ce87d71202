"""Ranges of seqs against a set of numbers that does the same the slow way."""

from wattle_meter.seq_ranges import SeqRanges


def members(ranges):
    return {seq for first, to in ranges.ranges() for seq in range(first, to + 1)}


def test_ranges_join_and_split():
    ranges = SeqRanges(8)
    assert ranges.first() is None
    ranges.add(5, 4)
    assert ranges.ranges() == []
    ranges.add(10, 12)
    ranges.add(1, 3)
    ranges.add(4, 4)
    assert ranges.ranges() == [[1, 4], [10, 12]]
    assert ranges.first() == (1, 4)
    ranges.add(3, 10)
    assert ranges.ranges() == [[1, 12]]
    ranges.remove(5, 6)
    assert ranges.ranges() == [[1, 4], [7, 12]]
    ranges.remove(0, 7)
    ranges.remove(12, 99)
    assert ranges.ranges() == [[8, 11]]


def test_like_a_set_of_numbers():
    state = 12345
    ranges = SeqRanges(1000)
    expected = set()
    for _ in range(400):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        first = 1 + state % 60
        to = first + (state >> 8) % 9
        if (state >> 16) % 3:
            ranges.add(first, to)
            expected |= set(range(first, to + 1))
        else:
            ranges.remove(first, to)
            expected -= set(range(first, to + 1))
        assert members(ranges) == expected
        last = -1
        for low, high in ranges.ranges():
            assert last + 1 < low <= high or last == -1
            last = high


def test_beyond_its_limit_the_highest_goes():
    ranges = SeqRanges(2)
    for first in (30, 10, 20):
        ranges.add(first, first)
    assert ranges.ranges() == [[10, 10], [20, 20]]
    ranges.add(15, 25)
    ranges.remove(17, 17)
    assert ranges.ranges() == [[10, 10], [15, 16]]
