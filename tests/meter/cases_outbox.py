"""The outbox: what it keeps and what it gives up."""

import gc
import sys

from wattle_meter import outbox as outbox_module
from wattle_meter import segment
from wattle_meter.outbox import Outbox, OutboxError
from wattle_testkit.kept_samples import filled, kept, packed, sample, span
from wattle_testkit.meter_fakes import MemoryFiles

CAPACITY = outbox_module.CAPACITY_BYTES_MIN


def test_samples_wait_in_memory_while_the_link_is_up():
    files = MemoryFiles()
    outbox = filled(files, span(1, 20), link_up=True)
    assert files.content == {}
    assert kept(outbox) == span(1, 20)
    assert outbox.get(7) == sample(7)
    assert (outbox.first, outbox.last) == (1, 20)


def test_samples_reach_flash_at_once_while_the_link_is_down():
    files = MemoryFiles()
    filled(files, span(1, 3))
    assert kept(Outbox(files, CAPACITY)) == [1, 2, 3]
    assert len(files.appends) == 3


def test_what_waits_is_written_when_the_link_goes_down():
    files = MemoryFiles()
    outbox = filled(files, span(1, 5), link_up=True)
    outbox.service(6000, link_up=False)
    assert kept(Outbox(files, CAPACITY)) == span(1, 5)
    assert len(files.appends) == 1


def test_no_sample_waits_longer_than_its_limit():
    files = MemoryFiles()
    outbox = filled(files, [1], link_up=True)
    outbox.service(1000 + outbox_module.MEMORY_AGE_MS - 1, link_up=True)
    assert files.content == {}
    outbox.service(1000 + outbox_module.MEMORY_AGE_MS, link_up=True)
    assert kept(Outbox(files, CAPACITY)) == [1]


def test_appends_of_one_flash_block_while_acks_are_slow():
    files = MemoryFiles()
    filled(files, span(1, 60), link_up=True, length=500)
    assert len(files.appends) == 7
    for size in files.appends:
        assert outbox_module.APPEND_BYTES <= size <= outbox_module.APPEND_BYTES + 530


def test_what_becomes_final_in_memory_is_never_written():
    files = MemoryFiles()
    outbox = Outbox(files, CAPACITY)
    for seq in span(1, 500):
        outbox.append(seq, sample(seq), seq * 1000, link_up=True)
        outbox.confirm_final(seq - 3)
    assert files.content == {}
    assert kept(outbox) == [498, 499, 500]


def test_an_older_final_changes_nothing():
    outbox = filled(MemoryFiles(), span(1, 9), link_up=True)
    outbox.confirm_final(5)
    outbox.confirm_final(3)
    assert kept(outbox) == span(6, 9)


def test_final_samples_stay_on_flash_until_their_space_is_needed():
    files = MemoryFiles()
    outbox = filled(files, span(1, 200))
    outbox.confirm_final(200)
    assert outbox.get(1) == sample(1)
    for seq in span(201, 1200):
        outbox.append(seq, sample(seq), seq * 1000, link_up=False)
    assert outbox.take_lost() != []
    assert outbox.counts["dropped"] > 0
    assert outbox.get(200) is None


def test_final_samples_are_overwritten_without_a_word():
    files = MemoryFiles()
    outbox = Outbox(files, CAPACITY)
    for seq in span(1, 2000):
        outbox.append(seq, sample(seq), seq * 1000, link_up=False)
        outbox.confirm_final(seq - 100)
        assert outbox.flash_bytes() <= CAPACITY
    assert outbox.take_lost() == []
    assert outbox.counts["dropped"] == 0
    assert kept(outbox)[-200:] == span(1801, 2000)


def test_full_without_final_drops_the_oldest_and_says_which():
    files = MemoryFiles()
    outbox = Outbox(files, CAPACITY)
    lost = []
    for seq in span(1, 2000):
        outbox.append(seq, sample(seq), seq * 1000, link_up=False)
        lost += outbox.take_lost()
        assert sum(len(data) for data in files.content.values()) <= CAPACITY
    assert outbox.counts["dropped"] == outbox.first - 1
    assert lost[0][0] == 1
    for before, after in zip(lost, lost[1:]):
        assert after[0] == before[1] + 1
    assert lost[-1][1] == outbox.first - 1
    assert kept(outbox) == span(outbox.first, 2000)


def test_ranges_lost_at_once_are_joined_and_bounded():
    files = MemoryFiles()
    outbox = Outbox(files, CAPACITY)
    for seq in range(1, 6000, 3):
        outbox.append(seq, sample(seq, 500), seq * 1000, link_up=False)
    lost = outbox.take_lost()
    assert 0 < len(lost) <= outbox_module.LOST_MAX
    assert lost[0][0] == 1
    assert lost[-1][1] == outbox.first - 3
    assert outbox.take_lost() == []


def test_seqs_must_rise():
    outbox = filled(MemoryFiles(), [5], link_up=True)
    for seq in (5, 4):
        try:
            outbox.append(seq, b"x", 0, True)
        except OutboxError as error:
            assert "after 5" in str(error)
        else:
            raise AssertionError("accepted")


def test_a_capacity_too_small_is_refused():
    try:
        Outbox(MemoryFiles(), CAPACITY - 1)
    except OutboxError:
        return
    raise AssertionError("accepted")


def test_recovery_goes_on_where_it_was():
    files = MemoryFiles()
    filled(files, [3, 4, 5, 9])
    outbox = Outbox(files, CAPACITY)
    assert (outbox.first, outbox.last) == (3, 9)
    outbox.append(10, sample(10), 0, link_up=False)
    assert kept(outbox) == [3, 4, 5, 9, 10]
    assert len(files.content) == 1
    assert outbox.get(6) is None


def test_recovery_of_an_empty_directory():
    files = MemoryFiles()
    files.content["README"] = b"not ours"
    files.content["1.seg"] = b"nor this"
    outbox = Outbox(files, CAPACITY)
    assert (outbox.first, outbox.last, outbox.read_from(1)) == (None, None, None)
    assert len(files.content) == 2


def test_the_largest_sample():
    files = MemoryFiles()
    outbox = Outbox(files, CAPACITY)
    data = bytes(segment.DATA_BYTES_MAX)
    for seq in span(1, 9):
        outbox.append(seq, data, 0, link_up=False)
    assert outbox.get(9) == data
    assert outbox.flash_bytes() <= CAPACITY


def test_packed_samples_are_given_as_they_were_signed():
    files = MemoryFiles()
    outbox = Outbox(files, CAPACITY)
    for seq in span(1, 5):
        outbox.append(seq, packed(sample(seq)), 0, link_up=True, packed=True)
    outbox.append(6, sample(6), 0, link_up=True)
    assert kept(outbox) == span(1, 6)
    assert files.content == {}
    outbox.flush()
    assert kept(outbox) == span(1, 6)
    assert outbox.flash_bytes() < 6 * segment.HEAD_BYTES + 6 * 60 + 106
    again = Outbox(files, CAPACITY)
    assert kept(again) == span(1, 6)
    assert again.flash_bytes() == outbox.flash_bytes()


def test_the_longest_sample_packed_is_told_from_a_torn_record():
    files = MemoryFiles()
    outbox = Outbox(files, CAPACITY)
    data = packed(bytes(segment.DATA_BYTES_MAX))
    outbox.append(1, data, 0, link_up=False, packed=True)
    assert Outbox(files, CAPACITY).get(1) == bytes(segment.DATA_BYTES_MAX)


class NoFiles:
    """A flash that takes everything and costs no heap."""

    def names(self):
        return []

    def append(self, name, pieces):
        pass


def largest_block(free):
    """The largest multiple of 256 bytes that the heap has in one piece."""
    low, high = 0, free // 256
    while low < high:
        middle = (low + high + 1) // 2
        try:
            bytearray(256 * middle)
            low = middle
        except MemoryError:
            high = middle - 1
    return 256 * low


def test_what_is_kept_of_files_does_not_cut_the_heap_in_pieces():
    if sys.implementation.name != "micropython":
        return  # its heap is the one that is short
    outbox = Outbox(NoFiles(), 64 * outbox_module.SEGMENT_BYTES_MIN, gc.collect)
    gc.collect()
    step = gc.mem_free() // 90  # the heap is full of garbage a few times
    for seq in span(1, 60):
        outbox.append(seq, bytes(outbox_module.SEGMENT_BYTES_MIN), 0, link_up=False)
        for _ in range(step // 32):
            bytes(16)
    gc.collect()
    free = gc.mem_free()
    assert outbox.first == 1
    assert largest_block(free) > free // 2, (largest_block(free), free)
