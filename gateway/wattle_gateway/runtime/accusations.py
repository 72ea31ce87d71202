"""Evidence as entries for the own pool: what this gateway saw, put before everybody."""

from wattle_gateway.contracts import alliance, registry
from wattle_gateway.ledger import checkpoint, entry
from wattle_gateway.ledger.errors import LimitError, SignatureError
from wattle_gateway.ledger.evidence import Evidence, TwoBlocks, TwoSamples
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.runtime.queue import EntryQueue, entry_row
from wattle_gateway.store.pool_rows import PoolEntry


def row_of(shown: Evidence, ledger: ExecutedLedger, queue: EntryQueue) -> PoolEntry | None:
    """The pool's row for a piece of evidence; None if the ledger knows of it, if it waits
    already, or if this ledger's entries are too small for it."""
    if _known(shown, ledger):
        return None
    try:
        body = entry.encode(entry.EVIDENCE, shown.encode(), ledger.epoch.constants.entry_bytes_max)
    except LimitError:
        return None
    row = entry_row(body, ledger.epoch.ledger_id)
    if row.meter is not None and row.seq is not None:
        waits = queue.find(entry.EVIDENCE, row.meter, row.seq) is not None
    else:
        waits = queue.waits(row.digest)
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
