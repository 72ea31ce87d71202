"""The outbox: what it keeps, what it gives up, and what is left of it after a power cut."""

from wattle_meter import outbox as outbox_module
from wattle_meter import packing, segment
from wattle_meter.outbox import Outbox, OutboxError
from wattle_testkit.meter_fakes import MemoryFiles, PowerCut

CAPACITY = outbox_module.CAPACITY_BYTES_MIN
ENOSPC, EIO = 28, 5


def sample(seq, length=100):
    """Bytes that tell which seq they belong to, with length varying by seq."""
    return (b"%d," % seq * length)[: length + seq % 7]


def kept(outbox):
    """Every seq that read_from gives; checks each one's bytes."""
    result = []
    seq = 1
    while True:
        found = outbox.read_from(seq)
        if found is None:
            return result
        assert found[0] >= seq
        assert found[1] == sample(found[0], len(found[1]) - found[0] % 7)
        result.append(found[0])
        seq = found[0] + 1


def filled(files, seqs, link_up=False, length=100):
    outbox = Outbox(files, CAPACITY)
    for seq in seqs:
        outbox.append(seq, sample(seq, length), seq * 1000, link_up)
    return outbox


def span(first, last):
    return list(range(first, last + 1))


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


def packed(data):
    """`data` as the journal packs it."""
    return list(packing.pack_steps(data))[-1]


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


def test_a_sound_record_of_a_packing_unknown_here_is_damaged_and_nothing_else():
    files = MemoryFiles()
    outbox = Outbox(files, CAPACITY)
    for seq in span(1, 3):
        data = b"\x80\x00" if seq == 2 else packed(sample(seq))
        outbox.append(seq, data, 0, link_up=False, packed=True)
    assert kept(outbox) == [1, 3]
    assert outbox.get(2) is None
    assert outbox.counts["damaged"] > 0


def test_the_longest_sample_packed_is_told_from_a_torn_record():
    files = MemoryFiles()
    outbox = Outbox(files, CAPACITY)
    data = packed(bytes(segment.DATA_BYTES_MAX))
    outbox.append(1, data, 0, link_up=False, packed=True)
    assert Outbox(files, CAPACITY).get(1) == bytes(segment.DATA_BYTES_MAX)
