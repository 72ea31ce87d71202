"""`snapshot`: the state of an earlier commit for who has no history, and whether one is true."""

import sqlite3
from dataclasses import asdict, dataclass, replace
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
from wattle_gateway.snapshot import proving
from wattle_gateway.snapshot import stored as stored_base
from wattle_gateway.snapshot.collecting import Collector
from wattle_gateway.snapshot.proving import ProvedBase, RowsSeen
from wattle_gateway.store import base_rows, checkpoint_rows, ledger_rows


@dataclass(frozen=True)
class Proved:
    """What a snapshot is worth: of which commit it is, and what proves that. `in_log`: this
    gateway's own log has the commit; otherwise `signed_by` members, who are known from the genesis
    on or (form 1) from this gateway's ledger. `epoch` is that of the commit, with its `committee`
    if that is known."""

    commit: int
    time_ms: int
    state_digest: str
    rows: int
    in_log: bool
    signed_by: list[Who]
    epoch: int
    committee: Epoch | None

    def as_json(self) -> dict[str, Any]:
        """The shape of `snapshot verify --format json`."""
        return asdict(replace(self, committee=None))


def export(connection: sqlite3.Connection, first: Epoch, index: int | None) -> Snapshot:
    """A snapshot of commit `index`; for None the newest that a checkpoint signs, the newest of all
    if there is none. `first` is epoch 0.

    Of form 2, proved as whoever begins from it will, or of form 1 if no checkpoint signs it.
    Raises UsageError for a commit whose digest holds no root over the whole state, StoreError,
    SnapshotError for what is not stored.
    """
    ledger = ExecutedLedger(connection, first)
    chosen = _newest_signed(connection, ledger) if index is None else index
    begins = base_rows.first_index(connection) - 1
    least = max(1, begins)
    if not least <= chosen <= ledger.head.index or not _has_root(ledger, chosen):
        every = ledger.epoch.constants.state_root_every
        oldest = f"this gateway's ledger begins with commit {begins}, " if begins else ""
        raise UsageError(
            f"there is no snapshot of commit {chosen}: every {every}th commit has one, {oldest}"
            f"the newest commit is {ledger.head.index}"
        )
    past = state_replay.replay_to(connection, first, chosen)
    if ledger.base is not None and chosen == ledger.base.index:
        return replace(stored_base.snapshot_of(connection, ledger.base), state=past.state)
    note = _note_for(connection, ledger, chosen)
    if note is None:
        return Snapshot(
            first.ledger_id,
            past.leaf,
            past.at,
            past.before,
            past.changes_root,
            b"",
            (),
            past.state,
        )
    made = Collector(connection, ledger, past).snapshot(note)
    seen = RowsSeen()
    for _ in seen.watch((row, past.state[row]) for row in sorted(past.state)):
        pass
    proving.prove(made, seen, first)
    return made


def prove(connection: sqlite3.Connection, first: Epoch, snapshot: Snapshot) -> Proved:
    """Hold a (decoded) snapshot against what this gateway knows: its log, and beyond the log the
    members, a quorum of whom must have signed a checkpoint that includes it.

    Raises SnapshotError if it is not proved.
    """
    commit = snapshot_format.check(snapshot)
    if snapshot.ledger_id != first.ledger_id:
        raise SnapshotError(
            f"it is of ledger {snapshot.ledger_id.hex()}, this one is {first.ledger_id.hex()}"
        )
    ledger = ExecutedLedger(connection, first)
    mine = _own_leaf(connection, commit.index)
    if mine is not None and mine != (snapshot.leaf, snapshot.at):
        raise SnapshotError(f"commit {commit.index} of this gateway's log is another one")
    signed_by: list[Who] = []
    committee = ledger.epoch_at(commit.epoch)
    if mine is None and snapshot.trail is None:
        signed_by = _signers(ledger.epoch, snapshot)
    elif mine is None:
        seen = RowsSeen()
        for _ in seen.watch((row, snapshot.state[row]) for row in sorted(snapshot.state)):
            pass
        proved = proving.prove(snapshot, seen, first)
        committee = proved.epochs.all[commit.epoch]
        signed_by = who_signed(proved)
    return Proved(
        commit.index,
        commit.time_ms,
        commit.state_digest.hex(),
        len(snapshot.state),
        mine is not None,
        signed_by,
        commit.epoch,
        committee,
    )


def who_signed(proved: ProvedBase) -> list[Who]:
    """The members whose signatures prove a base."""
    members = [proved.signing_epoch.members[author] for author in proved.signed_by]
    return [Who(member.name, member.kid.hex()) for member in members]


def _own_leaf(connection: sqlite3.Connection, index: int) -> tuple[bytes, int] | None:
    """(leaf, ledger index) of a commit in the own log, the base's own included."""
    base = base_rows.load(connection)
    if base is not None and base.index == index:
        return base.body, base.at
    stored = ledger_rows.load_commit(connection, index)
    return None if stored is None else (stored.body, stored.at)


def _newest_signed(connection: sqlite3.Connection, ledger: ExecutedLedger) -> int:
    """The newest commit with a root that a checkpoint signs, else the newest with a root."""
    newest = checkpoint_rows.newest(connection)
    index = 0 if newest is None else _newest(ledger, newest[0])
    begins = base_rows.first_index(connection) - 1
    while index > begins and _note_for(connection, ledger, index) is None:
        index = _newest(ledger, index - 1)
    return max(index, begins) or _newest(ledger, ledger.head.index)


def _note_for(connection: sqlite3.Connection, ledger: ExecutedLedger, index: int) -> bytes | None:
    """The first checkpoint from a commit on, if its signers are of the epoch that was in force
    after the commit, or it is the commit's own."""
    found = checkpoint_rows.first_from(connection, index)
    if found is None:
        return None
    signed, note = found
    in_force = ledger.epoch_of_commit(index + 1)
    return note if signed == index or ledger.epoch_of_commit(signed) == in_force else None


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
