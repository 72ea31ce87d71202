"""What a meter may rely on when the power is cut at any write; in the device's dialect.

Three lives of a journal are played on something that logs each write. Then whoever logged cuts the
power at each of them and asks check(): a meter must start with all samples that it was told were
written, and go on with a seq that nobody used.
"""

from wattle_meter import outbox as outbox_module
from wattle_meter import reservation
from wattle_meter.journal import Journal
from wattle_meter.outbox import Outbox
from wattle_meter.signer import Signer
from wattle_wire import cose
from wattle_wire.downlink import Ack
from wattle_wire.sample import Reading

from wattle_testkit.meter_fakes import FakeClock, run

# Smaller than on a board, so that few writes meet everything: full flash, many reservations.
CAPACITY_BYTES = 16384
LOST_REACH = 32
SMALL = (
    (outbox_module, "CAPACITY_BYTES_MIN", CAPACITY_BYTES),
    (outbox_module, "SEGMENT_BYTES_MIN", 4096),
    (reservation, "BLOCK", 16),
    (reservation, "_LOST_REACH", LOST_REACH),
)
SAMPLES = (36, 6, 3)  # of each life
FINAL_BEHIND = 24
_LEDGER = bytes(16)
_T = 1700000000000


def _mark(digest):
    """A signature that costs nothing and tells what was signed."""
    return digest + bytes(31) + b"\x01"


class MarkSigner(Signer):
    """Signs by _mark."""

    kid = b"\x07" * 8

    def steps(self, digest):
        yield _mark(digest)


class History:
    """All writes, and what the meter could rely on at each of them.

    `writes`: [write, used, kept]; `samples`: bytes by seq; `used`: highest seq taken; `kept`: seqs
    of the samples that were reported as written and not given up since.
    """

    def __init__(self, samples, used, kept):
        self.writes = []
        self.samples = dict(samples)
        self.used = used
        self.kept = kept
        self.journal = None
        self._waiting = []
        self._settled = 0  # writes of the steps before: what those deleted is known

    def wrote(self, write):
        """Something is written, whatever `write` says of it."""
        if self.journal is not None:
            self.used = max(self.used, self.journal.newest, self.journal._reservation.next_seq - 1)
        self.writes.append([write, self.used, self.kept])

    def recorded(self, seq, raw):
        """A sample was made; whether it is on flash is another question."""
        signed = cose.parse_sign1("sample", _LEDGER, raw)
        assert signed.signature == _mark(signed.digest), "seq %d is not what was signed" % seq
        self.samples[seq] = raw
        self._waiting.append(seq)

    def stepped(self, outbox, written):
        """A step is over; `written`: it returned after all samples were on flash."""
        first = outbox.first or 0
        for row in self.writes[self._settled :]:
            row[2] = [seq for seq in row[2] if seq >= first]
        self._settled = len(self.writes)
        self.kept = [seq for seq in self.kept if seq >= first]
        if written:
            self.kept += self._waiting
            self._waiting = []

    def ended(self):
        """The power failed: what waited in memory is gone."""
        self.journal = None
        self._waiting = []


class Place:
    """Where a meter lives."""

    def start(self, history):
        """(files, store) for a life; writes are told to `history` unless that is None."""
        raise NotImplementedError

    def end(self):
        """The life is over."""


def _begin(place, history):
    files, store = place.start(history)
    outbox = Outbox(files, CAPACITY_BYTES)
    journal = Journal(bytes(8), _LEDGER, MarkSigner(), store, outbox)
    if history is not None:
        history.journal = journal
    return outbox, journal


def _record(journal, link_up):
    base = journal.newest * 7919
    readings = [
        Reading(1, _T + 1000 * at, "G", {"ei": base + at, "p": base * at % 65521, "u": 2300 + at})
        for at in range(10)
    ]
    return run(journal.record(readings, "I", FakeClock(), link_up))


def play(place, history):
    """Three lives: the power fails, a clean stop, the power fails. Gives what was met."""
    dropped = 0
    for life, count in enumerate(SAMPLES):
        outbox, journal = _begin(place, history)
        for at in range(count):
            link_up = (at // 5 + life) % 3 == 2
            seq = _record(journal, link_up)
            history.recorded(seq, outbox.get(seq))
            history.stepped(outbox, not link_up)
            if at % 6 == 5:
                journal.acked(Ack(max(0, seq - FINAL_BEHIND), seq, [], [], at + 1, bytes(32)))
                history.stepped(outbox, False)
        if life == 1:
            assert journal.stop()
            history.stepped(outbox, True)
        assert not outbox.counts["write_failed"]
        dropped += outbox.counts["dropped"]
        history.ended()
        place.end()
    return {"dropped": dropped, "reservations": history.used // reservation.BLOCK}


def check(place, used, kept, samples, history=None):
    """Starts from what a cut left at `place` and makes one sample; gives the outbox's counts.

    used, kept, samples: of the History at that write. With a history, this life is noted there.
    """
    outbox, journal = _begin(place, history)
    found = []
    row = outbox.read_from(1)
    while row is not None:
        assert row[1] == samples[row[0]], "seq %d is not what was signed" % row[0]
        found.append(row[0])
        row = outbox.read_from(row[0] + 1)
    for seq in kept:
        assert seq in found, "%d was written" % seq
    seq = _record(journal, False)
    assert seq > used, "seq %d again, %d was used" % (seq, used)
    last = found[-1] if found else 0
    missing = set(range(max(last + 1, seq - LOST_REACH), seq))
    for first, to, _ in journal.chain.gaps:
        missing -= set(range(first, to + 1))
    assert not missing, "neither kept nor declared: %s" % sorted(missing)
    raw = outbox.get(seq)
    assert raw is not None
    if history is not None:
        history.recorded(seq, raw)
        history.stepped(outbox, True)
        history.ended()
    place.end()
    return outbox.counts
