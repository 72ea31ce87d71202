"""What the outcomes of a commit mean for what waits here, and for who waits to hear of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from wattle_gateway.consensus.engine import Now
from wattle_gateway.contracts import execute as contracts
from wattle_gateway.contracts.execute import Executed, Outcome
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import prefix
from wattle_gateway.ledger import entry, evidence, genesis
from wattle_gateway.ledger.block import VerifiedBlock
from wattle_gateway.ledger.evidence import TwoSamples
from wattle_gateway.orders import ledger_orders
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.runtime.ingest_memory import IngestMemory
from wattle_gateway.runtime.progress import Progress
from wattle_gateway.runtime.queue import EntryQueue
from wattle_gateway.store.block_rows import StoredBlock

# Rows whose change means that meters are not what they were, or that something waits for a yes: a
# payment is no reason to read ten thousand meters again.
_REGISTRY = (prefix("meter", 1), prefix("enrolling", 1), prefix("waiting", 1))
_MARKET = (prefix("event", 1), prefix("offer", 2))


@dataclass
class Step:
    """One step of the driver under way: what it has moved so far, and the meters of which it is
    to be said afresh where they stand."""

    now: Now
    progress: Progress
    moved: set[bytes] = field(default_factory=set)


class Settlement:
    """Settles the entries of executed commits."""

    def __init__(self, ledger: ExecutedLedger, queue: EntryQueue, memory: IngestMemory) -> None:
        self._ledger = ledger
        self._queue = queue
        self._memory = memory

    def settle(
        self, executed: Executed, blocks: Sequence[StoredBlock], own: int | None, step: Step
    ) -> Iterator[TwoSamples]:
        """Go through the outcomes; `own` is the author index of this gateway in the commit's
        epoch. Gives the forks of meters that they show."""
        by_ref = {stored.block.ref: stored for stored in blocks}
        for outcome in executed.outcomes:
            stored = by_ref[outcome.block]
            if stored.block.author == own:
                body = stored.entries[outcome.position]
                self._queue.settle(body, outcome)
                yield from self._fork(body, outcome)
            else:
                self._queue.settle_foreign(outcome)
            if outcome.digest is not None:
                self._memory.forget(outcome.digest)
            _note(outcome, step)
        if executed.changes:
            step.progress.orders += ledger_orders.changed(executed.changes, self._ledger.state)
        if any(row.startswith(_REGISTRY) for row, _ in executed.changes):
            step.progress.registry_changed = True
        if any(row.startswith(_MARKET) for row, _ in executed.changes):
            step.progress.market_changed = True
        step.moved.update(executed.meters)
        step.progress.cheats += executed.cheats

    def watch(self, verified: VerifiedBlock, step: Step) -> None:
        """A block has come in: orders of emergencies in it count before it is committed (D21)."""
        epoch, head = self._ledger.epoch, self._ledger.head
        if epoch.rules < genesis.EVENT_RULES:
            return
        time_ms = max(head.time_ms, verified.block.time_ms)
        setting = Setting(time_ms, epoch, head, self._memory.verify, self._ledger.digest_of)
        step.progress.orders += ledger_orders.early(self._ledger.state, verified.entries, setting)

    def _fork(self, body: bytes, outcome: Outcome) -> Iterator[TwoSamples]:
        """A sample that we carried is not new: if the ledger has another of its seq, by way of
        another gateway, both together are evidence."""
        if outcome.kind != entry.SAMPLE or outcome.effect != contracts.REPEAT:
            return
        assert outcome.meter is not None
        assert outcome.seq is not None
        kept = self._ledger.find_sample(outcome.meter, outcome.seq)
        if kept is None or kept == body:
            return
        parse, ledger_id = self._memory.parse, self._ledger.epoch.ledger_id
        one, other = (parse(entry.decode(raw).body, ledger_id) for raw in (kept, body))
        if one.digest != other.digest:
            yield evidence.two_samples(one, other)


def _note(outcome: Outcome, step: Step) -> None:
    if outcome.meter is not None:
        step.moved.add(outcome.meter)
    if outcome.kind == entry.TRANSACTION and outcome.digest is not None:
        # Of several copies in one step the first may be recorded; the others repeat it then.
        known = step.progress.transactions.get(outcome.digest)
        if known is None or known.effect != contracts.RECORDED:
            step.progress.transactions[outcome.digest] = outcome
