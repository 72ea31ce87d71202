"""Which checked samples enter the pool: what this gateway and the ledger already hold decides.

Runs in the ledger's thread, as one step of the driver: what it calls stored is on disk.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from wattle_wire import downlink

from wattle_gateway.consensus.engine import Now
from wattle_gateway.contracts import registry
from wattle_gateway.contracts.chain import Chain, expire
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.contracts.state import key as state_key
from wattle_gateway.ingest.checker import Checked, Refused
from wattle_gateway.ledger import entry, evidence, signed_sample
from wattle_gateway.ledger.errors import LimitError
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.progress import Progress
from wattle_gateway.store import ledger_rows
from wattle_gateway.store.pool_rows import PoolEntry

# A meter's share of the pool. An honest one has its outbox's tail here; a bad one must not be
# able to make the others wait.
POOL_OF_A_METER_MAX = 4_096

STORED = "stored"
REPEAT = "repeat"
FORK = "fork"


@dataclass(frozen=True)
class Admitted:
    """What became of a checked sample: one of STORED, REPEAT, FORK, or a refusal."""

    checked: Checked
    effect: str | Refused


class Admission:
    """Admits samples into the pool of `entries_max`; while `closed` says why not ("": it is open),
    new ones are told `busy`, and what is known already is answered as ever."""

    def __init__(self, entries_max: int) -> None:
        self._entries_max = entries_max
        self.closed = ""

    def admit(
        self, driver: LedgerDriver, at: Now, samples: Sequence[Checked]
    ) -> tuple[list[Admitted], Progress]:
        """Admit samples in any order; one durable write for all of them."""
        batch = _Batch(driver, at, self._entries_max, self.closed)
        # Lowest first: of two that compete for the last place the lower one counts.
        for checked in sorted(samples, key=lambda sample: (sample.meter, sample.seq)):
            batch.take(checked)
        for meter, checked in batch.new:
            driver.memory.remember(meter.signing_key, checked.signed)
        progress = driver.add(batch.rows, at)
        return batch.admitted, progress


class _Batch:
    """One call of `admit`: what it has decided so far."""

    def __init__(self, driver: LedgerDriver, at: Now, entries_max: int, closed: str) -> None:
        self._driver = driver
        self._epoch = driver.epoch
        self._at = at
        self._closed = closed
        self._room = entries_max - driver.queue.size
        self._meters: dict[bytes, tuple[Meter, Chain] | None] = {}
        self._bodies: dict[tuple[int, bytes, int], bytes] = {}
        self._counts: dict[bytes, int] = {}
        self.rows: list[PoolEntry] = []
        self.new: list[tuple[Meter, Checked]] = []
        self.admitted: list[Admitted] = []

    def take(self, checked: Checked) -> None:
        """Decide on one sample."""
        self.admitted.append(Admitted(checked, self._effect(checked)))

    def _effect(self, checked: Checked) -> str | Refused:
        known = self._meter(checked.meter)
        if known is None:
            kid = checked.meter.hex()
            return Refused(downlink.NOT_ENROLLED, f"kid {kid}", checked.seq)
        meter, chain = known
        if checked.seq < meter.first_seq:
            return REPEAT
        if not meter.counts(checked.seq, self._at.unix_ms, self._epoch.constants.gap_open_ms):
            return Refused(downlink.REVOKED, "the meter is revoked", checked.seq)
        kept = self._kept(checked)
        if kept is not None:
            return self._repeat_or_fork(checked, kept)
        if any(run.first <= checked.seq <= run.last for run in chain.runs):
            return REPEAT  # a gap that was closed: nothing to compare it with
        if self._closed:
            return Refused(downlink.BUSY, self._closed, checked.seq)
        if self._is_full(checked.meter):
            return Refused(downlink.BUSY, "the pool is full", checked.seq)
        self._store(checked)
        self.new.append((meter, checked))
        return STORED

    def _repeat_or_fork(self, checked: Checked, kept: bytes) -> str:
        if kept == checked.signed.raw:
            return REPEAT
        one = signed_sample.parse(kept, self._epoch.ledger_id)
        if one.digest == checked.signed.digest:
            return REPEAT  # the same content, signed once more
        shown = state_key("fork", checked.meter, checked.seq) in self._driver.state
        if not shown and self._pending(entry.EVIDENCE, checked.meter, checked.seq) is None:
            self._accuse(one, checked.signed)
        return FORK

    def _store(self, checked: Checked) -> None:
        signed = checked.signed
        readings = signed.sample.readings
        self._append(
            PoolEntry(
                0,
                entry.SAMPLE,
                signed.kid,
                checked.seq,
                signed.digest,
                readings[0].time_ms,
                readings[-1].time_ms,
                entry.encode(entry.SAMPLE, signed.raw, self._epoch.constants.entry_bytes_max),
            )
        )
        self._counts[checked.meter] = self._counts.get(checked.meter, 0) + 1

    def _accuse(self, one: SignedSample, other: SignedSample) -> None:
        shown = evidence.two_samples(one, other).encode()
        try:
            body = entry.encode(entry.EVIDENCE, shown, self._epoch.constants.entry_bytes_max)
        except LimitError:
            return  # a ledger whose entries are too small for two large samples
        digest = sha256(shown).digest()
        seq = one.sample.seq
        self._append(PoolEntry(0, entry.EVIDENCE, one.kid, seq, digest, 0, 0, body))

    def _append(self, row: PoolEntry) -> None:
        assert row.meter is not None
        assert row.seq is not None
        self.rows.append(row)
        self._bodies[row.kind, row.meter, row.seq] = row.body
        self._room -= 1

    def _kept(self, checked: Checked) -> bytes | None:
        """The sample of this meter and seq that we or the ledger hold."""
        body = self._pending(entry.SAMPLE, checked.meter, checked.seq)
        if body is None:
            body = ledger_rows.find_sample(self._driver.connection, checked.meter, checked.seq)
        return None if body is None else entry.decode(body).body

    def _pending(self, kind: int, meter: bytes, seq: int) -> bytes | None:
        body = self._bodies.get((kind, meter, seq))
        if body is not None:
            return body
        if kind == entry.SAMPLE and not self._driver.queue.holds(meter, seq):
            return None
        row = self._driver.queue.find(kind, meter, seq)
        return None if row is None else row.body

    def _is_full(self, meter: bytes) -> bool:
        waiting = self._driver.queue.held_count(meter) + self._counts.get(meter, 0)
        return self._room <= 0 or waiting >= POOL_OF_A_METER_MAX

    def _meter(self, kid: bytes) -> tuple[Meter, Chain] | None:
        if kid not in self._meters:
            state, open_ms = self._driver.state, self._epoch.constants.gap_open_ms
            found = registry.meter(state, kid)
            if found is None:
                self._meters[kid] = None
            else:
                chain = registry.chain(state, kid, found.first_seq)
                self._meters[kid] = (found, expire(chain, self._at.unix_ms, open_ms))
        return self._meters[kid]
