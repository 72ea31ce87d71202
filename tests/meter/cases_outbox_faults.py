"""The outbox after a power cut, on flash that is damaged, refuses or is full."""

from wattle_meter import outbox as outbox_module
from wattle_meter import segment
from wattle_meter.outbox import Outbox
from wattle_testkit.kept_samples import filled, kept, packed, sample, span
from wattle_testkit.meter_fakes import MemoryFiles, PowerCut

CAPACITY = outbox_module.CAPACITY_BYTES_MIN
ENOSPC, EIO = 28, 5


def test_a_cut_at_every_byte_leaves_whole_records_only():
    seqs = span(1, 4) + span(20, 26)

    def write_all(outbox):
        """Single appends, then one of several records."""
        safe = []
        for seq in seqs[:4]:
            outbox.append(seq, sample(seq, 20), seq, link_up=False)
            safe.append(seq)
            yield safe[:]
        for seq in seqs[4:]:
            outbox.append(seq, sample(seq, 20), seq, link_up=True)
        outbox.flush()
        yield seqs

    whole = MemoryFiles()
    for _ in write_all(Outbox(whole, CAPACITY)):
        pass
    for budget in range(whole.written):
        files = MemoryFiles()
        files.budget = budget
        safe = []
        try:
            for done in write_all(Outbox(files, CAPACITY)):
                safe = done
        except PowerCut:
            pass
        else:
            raise AssertionError("no cut")
        files.budget = None
        after = Outbox(files, CAPACITY)
        found = kept(after)
        assert found == seqs[: len(found)], budget
        assert len(found) >= len(safe), budget
        next_seq = (after.last or 0) + 1000
        after.append(next_seq, sample(next_seq), 0, link_up=False)
        again = Outbox(files, CAPACITY)
        assert kept(again) == found + [next_seq], budget
        assert after.counts["torn"] <= 1


def test_a_cut_during_the_rotation_of_segments():
    whole = MemoryFiles()
    filled(whole, span(1, 900))
    for budget in range(whole.written - 9000, whole.written, 211):
        files = MemoryFiles()
        files.budget = budget
        try:
            filled(files, span(1, 900))
        except PowerCut:
            files.budget = None
        found = kept(Outbox(files, CAPACITY))
        assert found == span(found[0], found[-1])
        assert len(found) > 400


def test_a_damaged_record_is_skipped_and_counted():
    files = MemoryFiles()
    filled(files, span(1, 5))
    (name,) = files.content
    data = bytearray(files.content[name])
    data[2 * (segment.HEAD_BYTES + 101) + segment.HEAD_BYTES + 5] ^= 1  # inside the third
    files.content[name] = bytes(data)
    outbox = Outbox(files, CAPACITY)
    assert outbox.counts["damaged"] == 1
    assert kept(outbox) == [1, 2, 4, 5]
    assert outbox.get(3) is None


def test_every_flipped_byte_costs_no_sound_record_before_it():
    whole = MemoryFiles()
    filled(whole, span(1, 3), length=20)
    (name,) = whole.content
    sound = whole.content[name]
    for at in range(len(sound)):
        files = MemoryFiles()
        data = bytearray(sound)
        data[at] ^= 0x80
        files.content[name] = bytes(data)
        found = kept(Outbox(files, CAPACITY))
        assert len(found) < 3
        before = at // (len(sound) // 3 + 1)
        assert found[:before] == span(1, before)


def test_flash_that_keeps_an_empty_file_stops_no_start():
    class Stuck(MemoryFiles):
        def remove(self, name):
            raise OSError(EIO, name)

    files = Stuck()
    files.content["00000003.seg"] = b"torn"
    outbox = Outbox(files, CAPACITY)
    assert kept(outbox) == []
    outbox.append(1, sample(1), 0, False)
    assert "00000004.seg" in files.content
    assert kept(Outbox(files, CAPACITY)) == [1]


def test_zeros_behind_a_cut_are_a_torn_record():
    files = MemoryFiles()
    filled(files, span(1, 3))
    (name,) = files.content
    files.content[name] += bytes(700)
    outbox = Outbox(files, CAPACITY)
    assert outbox.counts["torn"] == 1
    assert outbox.flash_bytes() == len(files.content[name])
    outbox.append(4, sample(4), 0, link_up=False)
    assert len(files.content) == 2
    assert kept(Outbox(files, CAPACITY)) == [1, 2, 3, 4]


def test_failing_flash_keeps_samples_in_memory_and_recovers():
    files = MemoryFiles()
    outbox = filled(files, span(1, 3))
    files.error = EIO
    for seq in span(4, 9):
        outbox.append(seq, sample(seq), 0, link_up=False)
    assert outbox.counts["write_failed"] == 6
    assert kept(outbox) == span(1, 9)
    files.error = None
    outbox.service(0, link_up=False)
    assert kept(outbox) == span(1, 9)
    assert kept(Outbox(files, CAPACITY)) == span(1, 9)


def test_failing_flash_is_bounded_by_memory():
    files = MemoryFiles()
    files.error = EIO
    outbox = Outbox(files, CAPACITY)
    for seq in span(1, 60):
        outbox.append(seq, sample(seq, 900), 0, link_up=False)
    found = kept(outbox)
    assert 15 < len(found) < 25
    assert found == span(found[0], 60)
    assert outbox.take_lost() == [(1, found[0] - 1)]


def test_a_file_system_smaller_than_the_capacity_overwrites_the_oldest():
    files = MemoryFiles()
    outbox = filled(files, span(1, 200))
    files.error = ENOSPC
    outbox.append(201, sample(201), 0, link_up=False)
    files.error = None
    outbox.service(0, link_up=False)
    (lost,) = outbox.take_lost()
    assert lost[0] == 1
    assert kept(outbox) == span(lost[1] + 1, 201)
    assert kept(Outbox(files, CAPACITY)) == span(lost[1] + 1, 201)


def test_what_memory_and_flash_lose_in_turn_is_told_as_it_was():
    """Without space memory gives up its oldest, then flash one of its segments at each attempt."""
    files = MemoryFiles()
    outbox = filled(files, span(1, 300))
    files.error = ENOSPC
    for seq in (301, 302):
        outbox.append(seq, sample(seq, 16000), 0, link_up=False)
    assert outbox.first > 1
    outbox.service(0, link_up=False)
    flash, memory = outbox.take_lost()
    assert flash == (1, outbox.first - 1)
    assert memory == (301, 301)
    assert kept(outbox) == span(flash[1] + 1, 300) + [302]


def test_many_losses_between_two_samples_never_cover_what_is_kept():
    files = MemoryFiles()
    outbox = Outbox(files, 2 * CAPACITY)
    for seq in range(1, 700, 3):
        outbox.append(seq, sample(seq, 500), 0, link_up=False)
    files.error = ENOSPC
    for seq in (701, 702):
        outbox.append(seq, sample(seq, 16000), 0, link_up=False)
    for _ in range(outbox_module.LOST_MAX + 1):
        outbox.service(0, link_up=False)
    lost = outbox.take_lost()
    assert len(lost) == outbox_module.LOST_MAX
    assert lost[0][0] == 1
    assert lost[-1] == (701, 701)
    assert lost[-2][1] == outbox.first - 3
    held = kept(outbox)
    assert len(held) > 5
    for first, last in lost:
        assert not [seq for seq in held if first <= seq <= last]


def test_a_sound_record_of_a_packing_unknown_here_is_damaged_and_nothing_else():
    files = MemoryFiles()
    outbox = Outbox(files, CAPACITY)
    for seq in span(1, 3):
        data = b"\x80\x00" if seq == 2 else packed(sample(seq))
        outbox.append(seq, data, 0, link_up=False, packed=True)
    assert kept(outbox) == [1, 3]
    assert outbox.get(2) is None
    assert outbox.counts["damaged"] > 0
