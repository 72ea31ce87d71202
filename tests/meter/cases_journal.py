"""The journal: no seq without a sample or a declared gap, whatever happens in between."""

from wattle_meter.journal import Journal
from wattle_meter.keys import Pair
from wattle_meter.outbox import Outbox
from wattle_meter.signer import SoftwareSigner
from wattle_testkit.meter_fakes import FakeClock, FakeStore, MemoryFiles, run
from wattle_wire import cose, p256, sample_reader
from wattle_wire.downlink import Ack
from wattle_wire.errors import WireError
from wattle_wire.sample import GAP_ABSENT, GAP_DAMAGED, GAP_FULL, GAP_RESTART, Reading

EUI64 = bytes(range(8))
LEDGER = bytes(16)
PAIR = Pair(bytes(31) + b"\x05")
T = 1700000000000
NOSPACE, EIO = 28, 5


class Life:
    """One life of a meter over a store and files that outlive it."""

    def __init__(self, store, files):
        self.clock = FakeClock()
        self.store = store
        self.files = files
        self.outbox = Outbox(files, 65536)
        self.journal = Journal(EUI64, LEDGER, SoftwareSigner(PAIR), store, self.outbox)

    def record(self, value=1, link_up=True):
        readings = [Reading(1, T, "G", {"ei": value})]
        return run(self.journal.record(readings, "I", self.clock, link_up))

    def sample(self, seq):
        signed = cose.parse_sign1("sample", LEDGER, self.journal.data(seq))
        p256.verify(PAIR.public, signed.digest, signed.signature)
        return sample_reader.decode(signed.payload), signed.digest

    def gathered(self, count, link_up):
        readings = [Reading(1, T + 1000 * at, "G", {"ei": at, "p": 7}) for at in range(count)]
        return run(self.journal.record(readings, "I", self.clock, link_up))

    def ack(self, final, index=1):
        return self.journal.acked(Ack(final, final, [], [], index, bytes(32)))

    def flash(self):
        self.outbox.flush()


def first_life():
    return Life(FakeStore(), MemoryFiles())


def killed(life):
    """The next life after a power cut."""
    life.store.cut()
    return Life(life.store, life.files)


def test_samples_are_signed_kept_and_chained():
    life = first_life()
    assert [life.record(value) for value in (5, 6, 7)] == [1, 2, 3]
    assert life.journal.newest == 3
    first, digest = life.sample(1)
    assert (first.eui64, first.seq, first.boot, first.prev) == (EUI64, 1, 1, None)
    second, digest_2 = life.sample(2)
    assert second.prev == digest
    assert life.sample(3)[0].prev == digest_2
    assert life.sample(3)[0].readings[0].values == {"ei": 7}


def test_a_kill_declares_what_memory_held_and_what_was_reserved():
    life = first_life()
    life.record()
    life.record()
    life.flash()
    life.record()
    life = killed(life)
    assert life.journal.newest == 1024
    assert life.record() == 1025
    made, _ = life.sample(1025)
    assert (made.boot, made.prev) == (2, None)
    assert made.gaps == [(3, 1024, GAP_RESTART)]
    assert life.sample(2)[0].seq == 2


def test_a_clean_stop_loses_nothing_and_the_chain_goes_on():
    life = first_life()
    life.record()
    life.record()
    assert life.journal.stop()
    life = killed(life)
    assert life.record() == 3
    made, _ = life.sample(3)
    assert (made.boot, made.gaps) == (2, [])
    assert made.prev == life.sample(2)[1]


def test_a_stop_that_cannot_write_is_no_clean_stop():
    life = first_life()
    life.record()
    life.files.error = NOSPACE
    assert not life.journal.stop()
    life.files.error = None
    life = killed(life)
    life.record()
    assert life.sample(1025)[0].gaps == [(1, 1024, GAP_RESTART)]


def test_a_store_that_refuses_a_clean_stop_gets_an_unclean_one():
    life = first_life()
    life.record()

    def refuse():
        raise OSError(EIO)

    life.store.commit = refuse
    assert not life.journal.stop()
    del life.store.commit
    life = killed(life)
    life.record()
    assert life.sample(1025)[0].gaps == [(2, 1024, GAP_RESTART)]


def test_an_old_end_of_chain_is_not_taken_for_the_newest():
    life = first_life()
    life.record()
    life.journal.stop()
    life = killed(life)
    life.record()
    life.flash()
    life = killed(life)
    assert life.sample(2)[0].prev is not None
    assert life.record() == 1025
    assert life.sample(1025)[0].prev is None


def test_a_reading_that_no_sample_can_hold_costs_its_seq_and_nothing_else():
    life = first_life()
    life.record()
    try:
        run(life.journal.record([], "I", life.clock, True))
    except WireError:
        pass
    else:
        raise AssertionError("signed")
    assert life.journal.newest == 2
    assert life.record() == 3
    made, _ = life.sample(3)
    assert (made.prev, made.gaps) == (None, [(2, 2, GAP_RESTART)])


class DeadStore(FakeStore):
    """A store that can be read but no longer written."""

    dead = False

    def commit(self):
        if self.dead:
            raise OSError(5, "flash")
        super().commit()


def test_without_a_seq_nothing_is_used():
    store = DeadStore()
    life = Life(store, MemoryFiles())
    store.dead = True
    try:
        life.record()
    except OSError:
        pass
    else:
        raise AssertionError("signed")
    assert life.journal.newest == 0
    store.dead = False
    assert life.record() == 1
    assert life.sample(1)[0].gaps == []


def test_what_a_full_outbox_overwrites_is_declared():
    life = first_life()
    count = 0
    while not life.outbox.counts["dropped"]:
        life.record(link_up=False)
        count += 1
    seq = life.record()
    [(first, to, reason)] = life.sample(seq)[0].gaps
    assert (first, reason) == (1, GAP_FULL)
    assert to == life.outbox.counts["dropped"]
    assert life.journal.next_held(1) == to + 1


def test_without_a_link_samples_are_packed_and_come_back_as_signed():
    life = first_life()
    sizes = []
    for link_up in (True, False):
        before = life.outbox.flash_bytes()
        life.gathered(10, link_up)
        life.flash()
        sizes.append(life.outbox.flash_bytes() - before)
    assert sizes[1] < sizes[0] * 0.6
    life = killed(life)
    for seq in (1, 2):
        assert [row.values["ei"] for row in life.sample(seq)[0].readings] == list(range(10))


def test_final_ends_gaps_and_lets_samples_go():
    life = first_life()
    life.record()
    life.journal.absent(1, 1)
    life.record()
    assert life.sample(2)[0].gaps == [(1, 1, GAP_ABSENT)]
    assert life.journal.samples_wait()
    assert life.ack(2)
    assert not life.ack(2)
    assert not life.journal.samples_wait()
    assert life.journal.next_held(1) is None
    life.record()
    made, _ = life.sample(3)
    assert (made.gaps, made.seen) == ([], (1, bytes(16)))


def test_a_declared_gap_keeps_samples_waiting():
    life = first_life()
    life.record()
    life.ack(1)
    assert not life.journal.samples_wait()
    life.journal.damaged(2)
    assert life.journal.chain.gaps == [[2, 2, GAP_DAMAGED]]
    assert life.journal.samples_wait()


def test_what_is_damaged_on_flash_is_not_handed_out():
    life = first_life()
    life.record()
    life.record()
    life.flash()
    [name] = life.files.content
    content = bytearray(life.files.content[name])
    content[40] ^= 1
    life.files.content[name] = bytes(content)
    assert life.journal.next_held(1) == 2
    assert life.journal.data(1) is None
    assert life.sample(2)[0].seq == 2


def test_a_sample_that_is_looked_for_twice_is_read_once():
    life = first_life()
    for _ in range(3):
        life.record()
    assert life.journal.next_held(2) == 2
    assert life.journal.next_held(2) == 2
    assert life.sample(2)[0].seq == 2
    assert life.sample(3)[0].seq == 3
    assert life.journal.next_held(4) is None
