"""What this gateway saw, put before everybody: evidence as entries, checkpoints."""

from collections.abc import Sequence

from wattle_gateway.contracts import alliance, registry
from wattle_gateway.ledger import checkpoint, entry
from wattle_gateway.ledger.errors import LimitError, SignatureError
from wattle_gateway.ledger.evidence import Evidence, TwoBlocks, TwoSamples
from wattle_gateway.runtime.checkpoints import CheckpointNews
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.runtime.queue import EntryQueue, entry_row
from wattle_gateway.store.pool_rows import PoolEntry
from wattle_gateway.sync.parcels import Parcel
from wattle_gateway.sync.synchronizer import Synchronizer


class Accusations:
    """Brings evidence into the pool, and to the peers."""

    def __init__(
        self, ledger: ExecutedLedger, queue: EntryQueue, synchronizer: Synchronizer
    ) -> None:
        self._ledger = ledger
        self._queue = queue
        self._synchronizer = synchronizer

    def bring(self, shown: Evidence) -> Sequence[Parcel]:
        """Put evidence before everybody; nothing happens if it is known, waits already, or is
        too large for an entry of this ledger."""
        row = None if _known(shown, self._ledger) else self._row_of(shown)
        if row is None:
            return []
        self._queue.insert(row)
        if isinstance(shown, TwoSamples):
            return []  # meters' doings are no urgent news: the entry is enough
        return self._synchronizer.gossip_evidence(row.body)

    def tell(self, news: CheckpointNews) -> Sequence[Parcel]:
        """Tell the peers the own checkpoint and what others' show."""
        parcels: list[Parcel] = []
        if news.own is not None:
            parcels += self._synchronizer.share_checkpoint(news.own)
        for signed in news.false:
            parcels += self._synchronizer.tell_false(signed)
        for shown in news.shown:
            parcels += self.bring(shown)
        return parcels

    def _row_of(self, shown: Evidence) -> PoolEntry | None:
        epoch = self._ledger.epoch
        try:
            body = entry.encode(entry.EVIDENCE, shown.encode(), epoch.constants.entry_bytes_max)
        except LimitError:
            return None
        row = entry_row(body, epoch.ledger_id)
        if row.meter is not None and row.seq is not None:
            waits = self._queue.find(entry.EVIDENCE, row.meter, row.seq) is not None
        else:
            waits = self._queue.waits(row.digest)
        return None if waits else row


def _known(shown: Evidence, ledger: ExecutedLedger) -> bool:
    """Whether execution would find it a repeat (SPEC section 12)."""
    if isinstance(shown, TwoSamples):
        return registry.fork(ledger.state, shown.low.kid, shown.low.sample.seq) is not None
    if isinstance(shown, TwoBlocks):
        found = alliance.cheat(ledger.state, shown.low.kid)
        return shown.low.epoch != ledger.epoch.number or (
            found is not None and found.epoch == shown.low.epoch
        )
    line = shown.first.lines[0]
    try:
        author = checkpoint.signer_of(shown.first.checkpoint, line, ledger.epoch)
    except SignatureError:
        return True  # nobody of this epoch: it would have no effect
    return alliance.false_checkpoints(ledger.state, ledger.epoch.members[author].kid) is not None
