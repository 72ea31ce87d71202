"""`snapshot`: the state of an earlier commit for who has no history, and whether one is true."""

import sqlite3
from dataclasses import asdict, dataclass
from typing import Any

from wattle_gateway.audit import state_replay
from wattle_gateway.contracts import snapshot as snapshot_format
from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.contracts.snapshot import Snapshot
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import checkpoint, merkle
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.reports.alliance import Who
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.store import checkpoint_rows, ledger_rows, tree_rows


@dataclass(frozen=True)
class Proved:
    """What a snapshot is worth: of which commit it is, and what proves that. `in_log`: this
    gateway's own log has the commit; otherwise `signed_by` members of the epoch in force. `epoch`
    is that of the commit."""

    commit: int
    time_ms: int
    state_digest: str
    rows: int
    in_log: bool
    signed_by: list[Who]
    epoch: int

    def as_json(self) -> dict[str, Any]:
        """The shape of `snapshot verify --format json`."""
        return asdict(self)


def export(connection: sqlite3.Connection, first: Epoch, index: int | None) -> Snapshot:
    """A snapshot of commit `index`; for None the newest that a checkpoint signs, the newest of all
    if there is none. `first` is epoch 0.

    Raises UsageError for a commit whose digest holds no root over the whole state, StoreError.
    """
    ledger = ExecutedLedger(connection, first)
    found = checkpoint_rows.newest(connection)
    chosen = index
    if chosen is None:
        signed = 0 if found is None else _newest(ledger, found[0])
        chosen = signed or _newest(ledger, ledger.head.index)
    if not 1 <= chosen <= ledger.head.index or not _has_root(ledger, chosen):
        every = ledger.epoch.constants.state_root_every
        raise UsageError(
            f"there is no snapshot of commit {chosen}: every {every}th commit has one, the newest "
            f"commit is {ledger.head.index}"
        )
    past = state_replay.replay_to(connection, first, chosen)
    note, proof = b"", tuple[bytes, ...]()
    if found is not None:
        size = checkpoint.parse_note(found[1]).checkpoint.size
        if size > past.at:
            note = found[1]
            stretches = merkle.inclusion_stretches(past.at, size)
            proof = tuple(tree_rows.root(connection, begin, end) for begin, end in stretches)
    return Snapshot(
        first.ledger_id,
        past.leaf,
        past.at,
        past.before,
        past.changes_root,
        note,
        proof,
        past.state,
    )


def prove(connection: sqlite3.Connection, first: Epoch, snapshot: Snapshot) -> Proved:
    """Hold a (decoded) snapshot against what this gateway knows: its log, and beyond the log the
    members of the epoch in force, a quorum of whom must have signed a checkpoint that includes it.

    Raises SnapshotError if it is not proved.
    """
    commit = snapshot_format.check(snapshot)
    if snapshot.ledger_id != first.ledger_id:
        raise SnapshotError(
            f"it is of ledger {snapshot.ledger_id.hex()}, this one is {first.ledger_id.hex()}"
        )
    ledger = ExecutedLedger(connection, first)
    stored = ledger_rows.load_commit(connection, commit.index)
    if stored is not None and (stored.body, stored.at) != (snapshot.leaf, snapshot.at):
        raise SnapshotError(f"commit {commit.index} of this gateway's log is another one")
    signed_by = [] if stored is not None else _signers(ledger.epoch, snapshot)
    return Proved(
        commit.index,
        commit.time_ms,
        commit.state_digest.hex(),
        len(snapshot.state),
        stored is not None,
        signed_by,
        commit.epoch,
    )


def _signers(epoch: Epoch, snapshot: Snapshot) -> list[Who]:
    if not snapshot.note:
        raise SnapshotError(
            "it is of a commit that this gateway does not have, and carries no checkpoint"
        )
    try:
        note = checkpoint.parse_note(snapshot.note)
        authors = checkpoint.verify_note(note, epoch)
        merkle.verify_inclusion(
            merkle.leaf_hash(snapshot.leaf),
            snapshot.at,
            note.checkpoint.size,
            snapshot.proof,
            note.checkpoint.root,
        )
    except LedgerError as error:
        raise SnapshotError(
            f"a quorum of epoch {epoch.number}, the newest that this gateway knows, has not signed "
            f"it: {error}"
        ) from error
    return [Who(epoch.members[author].name, epoch.members[author].kid.hex()) for author in authors]


def _newest(ledger: ExecutedLedger, index: int) -> int:
    """The newest commit up to `index` with a root over the whole state, 0 for none."""
    while index > 0 and not _has_root(ledger, index):
        index -= 1
    return index


def _has_root(ledger: ExecutedLedger, index: int) -> bool:
    return index % ledger.epoch_of_commit(index).constants.state_root_every == 0
