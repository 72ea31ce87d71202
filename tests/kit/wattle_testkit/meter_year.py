"""One meter at 1 Hz on a ledger of its own, day after day, at what speed a computer has.

What it reads is a function of the time alone, and where its chain stands is asked of the ledger:
a folder that was left on any day is taken up there.
"""

from dataclasses import dataclass
from pathlib import Path

from wattle_gateway.contracts import registry
from wattle_gateway.ledger import entry
from wattle_gateway.ledger.reading_forms import Form, form_of
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_gateway.store.pool_rows import PoolEntry
from wattle_wire import cbor, cose, sample
from wattle_wire.sample import Reading, Sample

from wattle_testkit.alliance import CREATED_MS, sample_entry
from wattle_testkit.archived_ledger import DAY_MS, ArchivedLedger

READING_MS = 1000
READINGS_A_DAY = DAY_MS // READING_MS
# The day before has the enrolment.
FIRST_DAY_MS = CREATED_MS - CREATED_MS % DAY_MS + 2 * DAY_MS
# What the meter shows when it is enrolled: its numbers are as long on the last day as on the first.
_FIRST_WH = 70_000


def read_at(second: int) -> Reading:
    """What a single-phase meter reads in a second, Unix time."""
    values: dict[str, int | str] = {
        "ei": _FIRST_WH + (second - FIRST_DAY_MS // READING_MS) // 2,
        "p": 18_000 + second % 97,
        "q": 1_200 + second % 31,
        "u": 2_301 + second % 7,
        "i": 7_826 + second % 89,
        "f": 4_998 + second % 5,
    }
    return Reading(1, second * READING_MS, "G", values)


class Encoder:
    """Encodes readings of one form as `sample.encode` does: a year has too many for that."""

    def __init__(self, form: Form) -> None:
        layout = form.layout
        self._pack = layout.packed.pack
        self._fields: list[bytes | int] = [b""] * (2 * len(layout.constants) - 1)
        self._fields[::2] = layout.constants
        self._names = form.names
        self._time_at = form.time_at

    def encode(self, one: Reading) -> bytes:
        """The records of a reading."""
        numbers = [*map(one.values.__getitem__, self._names)]
        numbers.insert(self._time_at, one.time_ms)
        self._fields[1::2] = numbers  # type: ignore[assignment]
        return self._pack(*self._fields)


@dataclass(frozen=True)
class Cadence:
    """How a meter packs its readings, and how many of its samples come in at once: one by one, or
    together after its link was down. `samples_a_day` fewer than a day has end it early."""

    readings_a_sample: int = 10
    samples_a_block: int = 1
    samples_a_day: int = 0

    @property
    def sample_ms(self) -> int:
        """The time between two samples."""
        return self.readings_a_sample * READING_MS

    @property
    def whole_day(self) -> int:
        """The samples of a day that none are missing of."""
        return READINGS_A_DAY // self.readings_a_sample

    @property
    def day(self) -> int:
        """The samples of a day."""
        return self.samples_a_day or self.whole_day


@dataclass(frozen=True)
class Stands:
    """Where the meter's chain stands: its newest seq and that sample's digest."""

    seq: int
    digest: bytes | None


class MeterAt1Hz(ArchivedLedger):
    """One meter, read every second. Nothing is synced to the disk: that costs time here and
    changes no figure."""

    def __init__(self, folder: Path, cadence: Cadence) -> None:
        super().__init__(folder)
        self.cadence = cadence
        self._encoder = Encoder(form_of(_STAND_IN))
        self.driver.connection.execute("PRAGMA synchronous = OFF")
        head_ms = self.driver.head.time_ms
        if head_ms > self.unix_ms:
            self.pass_ms(head_ms - self.unix_ms)
        if registry.meter(self.driver.state, self.board.kid) is None:
            self.furnish()
            self.enrol(self.board)
        else:
            self.settle()
        self._stands = self._where()

    @property
    def samples_made(self) -> int:
        """How many samples the ledger has."""
        return self._stands.seq

    def live_day(self, day: int) -> None:
        """The day of this number goes by, 0 the first. Samples of it that are on the ledger already
        are not made again."""
        cadence = self.cadence
        done = self._stands.seq - day * cadence.day
        assert 0 <= done <= cadence.day, f"{self._stands.seq} samples before day {day}"
        begin_ms = FIRST_DAY_MS + day * DAY_MS
        for first in range(done, cadence.day, cadence.samples_a_block):
            end = min(cadence.day, first + cadence.samples_a_block)
            made = [self._make(begin_ms + at * cadence.sample_ms) for at in range(first, end)]
            self.pass_ms(begin_ms + end * cadence.sample_ms - self.unix_ms)
            self._take_in(made)
        self.pass_ms(begin_ms + DAY_MS - self.unix_ms)

    def first_sample(self) -> SignedSample:
        """The first of all, made again: a signature is a function of what is signed."""
        stands, self._stands = self._stands, Stands(0, None)
        try:
            return self._make(FIRST_DAY_MS)
        finally:
            self._stands = stands

    def _where(self) -> Stands:
        meter = registry.meter(self.driver.state, self.board.kid)
        assert meter is not None
        chain = registry.chain(self.driver.state, meter.kid, meter.first_seq)
        if not chain.runs:
            return Stands(chain.final, None)
        (run,) = chain.runs
        return Stands(run.last, run.digest)

    def _make(self, begin_ms: int) -> SignedSample:
        """The next sample, with the readings from a time on."""
        second, board = begin_ms // READING_MS, self.board
        readings = [read_at(second + number) for number in range(self.cadence.readings_a_sample)]
        seq, prev = self._stands.seq + 1, self._stands.digest
        content = Sample(board.eui64, seq, 1, prev, "S", readings)
        payload = self._payload(content)
        digest = cose.digest("sample", self.epoch.ledger_id, board.kid, payload)
        signature = board.sign(digest)
        self._stands = Stands(seq, digest)
        raw = bytes(cose.sign1(board.kid, payload, signature))
        return SignedSample(raw, board.kid, digest, signature, content)

    def _payload(self, content: Sample) -> bytes:
        own: list[dict[int, object]] = [
            {-1: 26, -2: sample.base_name(content.eui64), 0: "0/seq", 2: content.seq},
            {0: "0/boot", 2: content.boot},
            {0: "0/clk", 3: content.clock},
        ]
        if content.prev is not None:
            own.insert(2, {0: "0/prev", 8: content.prev})
        count = len(own) + sum(len(one.values) + 1 for one in content.readings)
        return b"".join(
            (
                cbor.array_head(count),
                *(cbor.encode(record) for record in own),
                *map(self._encoder.encode, content.readings),
            )
        )

    def _take_in(self, made: list[SignedSample]) -> None:
        """As ingest does: what was parsed and verified there is not again before its commit."""
        for signed in made:
            self.driver.memory.remember(self.board.signing_key, signed)
        self.driver.add([_row(signed) for signed in made], self.now)
        self.settle()


_STAND_IN = read_at(FIRST_DAY_MS // READING_MS)


def _row(signed: SignedSample) -> PoolEntry:
    content = signed.sample
    first_ms, last_ms = content.readings[0].time_ms, content.readings[-1].time_ms
    body = sample_entry(signed)
    return PoolEntry(
        0, entry.SAMPLE, signed.kid, content.seq, signed.digest, first_ms, last_ms, body
    )
