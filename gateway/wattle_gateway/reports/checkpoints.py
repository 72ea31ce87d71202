"""`checkpoint`: the signed heads of the log that strangers can check (SPEC section 16)."""

import sqlite3
from dataclasses import asdict, dataclass
from typing import Any

from wattle_gateway.errors import BeforeBaseError
from wattle_gateway.ledger import checkpoint
from wattle_gateway.ledger.checkpoint import Note
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.reports.alliance import Who
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.store import base_rows, checkpoint_rows, ledger_rows, tree_rows


@dataclass(frozen=True)
class Verified:
    """What a note from elsewhere is worth: `wrong` why it does not hold, empty if it does; `known`
    whether our log reaches so far, and then has this root; `signed` by members of `epoch`."""

    size: int
    root: str
    epoch: int
    known: bool
    signed: list[Who]
    wrong: list[str]

    @property
    def ok(self) -> bool:
        """Whether it holds."""
        return not self.wrong

    def as_json(self) -> dict[str, Any]:
        """The shape of `checkpoint --verify --format json`."""
        return {"ok": self.ok, **asdict(self)}


def find(connection: sqlite3.Connection, size: int | None) -> tuple[int, bytes] | None:
    """(commit index, note) of the checkpoint at a size, the newest for None; None if there is
    none."""
    if size is None:
        return checkpoint_rows.newest(connection)
    index = _commit_at(connection, size)
    note = None if index is None else checkpoint_rows.find(connection, index)
    return None if index is None or note is None else (index, note)


def as_json(commit_index: int, raw: bytes) -> dict[str, Any]:
    """The shape of `checkpoint --format json`."""
    note = checkpoint.parse_note(raw)
    return {
        "commit": commit_index,
        "origin": note.checkpoint.origin,
        "size": note.checkpoint.size,
        "root": note.checkpoint.root.hex(),
        "signatures": len(note.lines),
        "note": raw.decode(),
    }


def verify(connection: sqlite3.Connection, first: Epoch, note: Note) -> Verified:
    """Hold a note against the members who had to sign it and against our log; `first` is epoch
    0. A note beyond our log is held against the members of the epoch in force."""
    ledger = ExecutedLedger(connection, first)
    said = note.checkpoint
    before = base_rows.leaves_before(connection)
    if said.size < before:
        raise BeforeBaseError(
            f"a checkpoint of {said.size} leaves: this ledger begins after {before}, and what was "
            "before is not on this gateway; ask one that has it"
        )
    known = said.size <= ledger.edge.size
    index = _commit_at(connection, said.size)
    epoch = ledger.epoch if index is None else ledger.epoch_of_commit(index)
    signed: list[Who] = []
    wrong = []
    try:
        signed = [
            Who(epoch.members[author].name, epoch.members[author].kid.hex())
            for author in checkpoint.verify_note(note, epoch)
        ]
    except LedgerError as error:
        wrong.append(str(error))
    if known and said.origin == checkpoint.origin(first):
        root = tree_rows.head_root(connection, said.size)
        if root != said.root:
            wrong.append(f"root {said.root.hex()} at {said.size} leaves, ours is {root.hex()}")
        elif index is None:
            wrong.append(f"no commit ends with {said.size} leaves")
    return Verified(said.size, said.root.hex(), epoch.number, known, signed, wrong)


def _commit_at(connection: sqlite3.Connection, size: int) -> int | None:
    """The commit after which the log had `size` leaves, None if there is none."""
    if size < 1:
        return None
    index = tree_rows.commit_of(connection, size - 1)
    stored = ledger_rows.load_commit(connection, index)
    return index if stored is not None and stored.at == size - 1 else None
