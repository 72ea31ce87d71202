"""What a damaged ledger still proves, put into a new one; the rest comes from the peers.

Blocks that verify and the commits that they decide are executed anew, so that every row of the
new ledger is one that execution wrote. What waited in the pool waits again. What this gateway has
signed is kept in mind; if that cannot be trusted, the ledger counts as lost (rule 32).

Blocks that have left for the archive are taken from there, verified like all others, and are left
there.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wattle_gateway.audit.findings import Difference
from wattle_gateway.audit.ledger_replay import INDEX_MAX, LedgerReplay
from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import checkpoint, crypto, signed_sample
from wattle_gateway.ledger.block import BlockRef
from wattle_gateway.ledger.commit import Commit, CommitHead
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.genesis import CONSTANT_BOUNDS
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.runtime.queue import entry_row
from wattle_gateway.sealing import row_seal
from wattle_gateway.snapshot import stored as stored_base
from wattle_gateway.store import (
    base_rows,
    block_rows,
    checkpoint_rows,
    ledger_rows,
    own_rows,
    pool_rows,
    schema,
)
from wattle_gateway.store import connection as database
from wattle_gateway.store.archived import attached
from wattle_gateway.store.block_rows import StoredBlock
from wattle_gateway.store.own_rows import OwnMark

if TYPE_CHECKING:
    from wattle_gateway.archive.remaking import Remaking  # Arrow comes with it

# What SQLite keeps beside a database in WAL mode.
BESIDE = ("-wal", "-shm")


@dataclass
class Salvaged:
    """What the new ledger has: its `head` and `epoch`, `blocks`, entries that `waiting` in the
    pool; `lost`: nobody knows what was signed; `difference`: the first thing that was wrong;
    `left_out`: blocks that could not be taken over; `parts` of the archive that are its own again,
    `made_again` the names of their files that had to be."""

    head: CommitHead
    epoch: Epoch
    blocks: int
    left_out: int
    waiting: int
    lost: bool
    difference: Difference | None
    parts: int = 0
    made_again: list[str] = field(default_factory=list)


def salvage(
    damaged: sqlite3.Connection,
    target: Path,
    first: Epoch,
    kid: bytes,
    beside: "Callable[[], Remaking | None]" = lambda: None,
) -> Salvaged:
    """Make a new ledger at `target` from a damaged one; `kid` of the own block key; `beside` makes
    what reads its archive, None: it has none.

    The damaged one is only read. Raises StoreError if `target` exists or cannot be written,
    ArchiveError if the archive does not answer or has something else than its files should say.
    """
    mark = trusted_mark(damaged, kid, first)
    adopts_through = INDEX_MAX
    while True:
        database.create_ledger(target, first.ledger_id, lost=mark is None or mark.lost)
        writer = database.open_writer(target, schema.LEDGER, first.ledger_id)
        try:
            with closing(writer):
                return _fill(damaged, writer, first, kid, mark, beside(), adopts_through)
        except _UnprovedError as error:
            adopts_through = error.index - 1
            remove(target)


class _UnprovedError(Exception):
    """A commit was executed that its row alone speaks for."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index


def remove(path: Path) -> None:
    """Remove a database and what SQLite keeps beside it."""
    for name in (path.name, *(path.name + suffix for suffix in BESIDE)):
        path.with_name(name).unlink(missing_ok=True)


def _fill(
    damaged: sqlite3.Connection,
    writer: sqlite3.Connection,
    first: Epoch,
    kid: bytes,
    mark: OwnMark | None,
    remaking: "Remaking | None",
    adopts_through: int,
) -> Salvaged:
    # Nobody relies on the new file before it is whole; what is written is synced at the end.
    writer.execute("PRAGMA synchronous = OFF")
    differences: list[Difference] = []
    with database.transaction(writer):
        _begin(damaged, writer, first)
        rebuild = _Rebuild(damaged, writer, first, remaking)
        replay = LedgerReplay(
            damaged,
            rebuild,
            differences.append,
            adopts_through=adopts_through,
            doubts_rows=True,
        )
        try:
            with nullcontext() if remaking is None else attached(damaged, remaking, samples=False):
                replay.run(rebuild.ledger.epoch)
        except (sqlite3.DatabaseError, LedgerError, StoreError) as error:
            differences.append(Difference(f"the database cannot be read: {row_seal.told(error)}"))
        if replay.unproved is not None:
            raise _UnprovedError(replay.unproved)
        rebuild.finish()
        keep_waiting(damaged, writer, first.ledger_id, kid)
        if mark is not None:
            own_rows.raise_to(writer, mark.epoch, mark.round)
            if mark.silent_epoch is not None:
                own_rows.save_silence(writer, mark.silent_epoch)
    writer.execute("PRAGMA synchronous = FULL")
    writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    stored = 0
    with suppress(sqlite3.DatabaseError):
        (stored,) = damaged.execute("SELECT count(*) FROM blocks").fetchone()
    if remaking is not None:
        stored += remaking.gone
    return Salvaged(
        rebuild.head,
        rebuild.ledger.epoch,
        rebuild.blocks,
        stored - rebuild.blocks,
        pool_rows.size(writer),
        own_rows.load(writer).lost,
        differences[0] if differences else None,
        0 if remaking is None else remaking.noted,
        [] if remaking is None else remaking.made_again,
    )


def _begin(damaged: sqlite3.Connection, writer: sqlite3.Connection, first: Epoch) -> None:
    """Take over the snapshot that the ledger begins with, if it does and it still proves itself.
    StoreError if not: nothing in the ledger can be executed without it."""
    try:
        damaged.execute("SELECT 1 FROM base").fetchone()
    except sqlite3.DatabaseError:
        return  # so torn that nothing is found in it: a lost ledger
    try:
        if stored_base.prove_again_if_any(damaged, first) is not None:
            base_rows.copy(damaged, writer)
    except (sqlite3.DatabaseError, LedgerError, SnapshotError, StoreError) as error:
        raise StoreError(
            f"the snapshot that this ledger begins with is damaged ({error}): move the file away "
            "and begin again, `wattle-gateway snapshot begin`"
        ) from error


class _Rebuild:
    """A `Taker` that writes what it is given into the new ledger."""

    def __init__(
        self,
        damaged: sqlite3.Connection,
        writer: sqlite3.Connection,
        first: Epoch,
        remaking: "Remaking | None",
    ) -> None:
        self.ledger = ExecutedLedger(writer, first)
        self.blocks = 0
        self._remaking = remaking
        self._damaged = damaged
        self._writer = writer
        self._waiting: dict[BlockRef, StoredBlock] = {}

    @property
    def head(self) -> CommitHead:
        """The newest commit that was executed."""
        return self.ledger.head

    def digest_of(self, index: int) -> bytes | None:
        """The digest of an executed commit."""
        return self.ledger.digest_of(index)

    def saw(self, stored: StoredBlock) -> None:
        """Nothing, until it is in the graph, or it is found that it belongs to an archived part."""
        if self._remaking is not None:
            self._remaking.saw(stored)

    def entered(self, stored: StoredBlock) -> None:
        """Store it."""
        if self._remaking is not None and self._remaking.has_added(stored):
            return
        self.blocks += 1
        given = None if self._remaking is None else self._remaking.id_for(stored)
        place = block_rows.insert(self._writer, stored.verified(), given)
        self._waiting[stored.block.ref] = StoredBlock(place, stored.block, stored.entries)

    def run(self, commit: Commit, floor: int) -> Epoch | None:
        """Execute a commit, and take over its checkpoint."""
        blocks = [self._waiting.pop(header.ref) for header in commit.blocks]
        epoch = self.ledger.epoch
        executed = self.ledger.execute(commit, blocks, crypto.verify, signed_sample.parse)
        self._take_checkpoint(commit.index, epoch)
        if self._remaking is not None:
            self.blocks += self._remaking.executed(self._writer, self.ledger)
        for ref in [ref for ref in self._waiting if ref.round <= floor]:
            del self._waiting[ref]
        if executed.ended is None:
            return None
        self._waiting.clear()
        return self.ledger.epoch

    def finish(self) -> None:
        """No commit follows."""
        if self._remaking is not None:
            self.blocks += self._remaking.executed(self._writer, self.ledger, last=True)

    def _take_checkpoint(self, index: int, epoch: Epoch) -> None:
        row = self._damaged.execute(
            "SELECT note FROM checkpoints WHERE commit_index = ?", (index,)
        ).fetchone()
        if row is None:
            return
        try:
            note = checkpoint.parse_note(row[0])
            checkpoint.verify_note(note, epoch)
        except LedgerError:
            return
        edge = self.ledger.edge
        if (note.checkpoint.size, note.checkpoint.root) == (edge.size, edge.root()):
            checkpoint_rows.insert(self._writer, index, row[0])


def trusted_mark(damaged: sqlite3.Connection, kid: bytes, first: Epoch) -> OwnMark | None:
    """What this gateway signed last; None if the file is torn or contradicts itself."""
    try:
        (sound,) = damaged.execute("PRAGMA integrity_check(1)").fetchone()
        mark = own_rows.load(damaged)
        later = damaged.execute(
            "SELECT header FROM blocks WHERE epoch > ? OR epoch = ? AND round > ?",
            (mark.epoch, mark.epoch, mark.round),
        )
        if any(_is_own(header, first.ledger_id, kid) for (header,) in later):
            return None
    except (sqlite3.DatabaseError, TypeError):
        return None
    return mark if sound == "ok" else None


def keep_waiting(
    damaged: sqlite3.Connection, writer: sqlite3.Connection, ledger_id: bytes, kid: bytes
) -> None:
    """What waited waits again, and so does what own blocks carried that no commit had taken: the
    peers may not have them. What is in the ledger by now is a repeat and harms nobody."""
    bodies: list[bytes] = []
    with suppress(sqlite3.DatabaseError):
        bodies += [row[0] for row in damaged.execute("SELECT body FROM pool ORDER BY id")]
    with suppress(sqlite3.DatabaseError, StoreError):
        for block_id in _unsettled(damaged, ledger_id, kid):
            bodies += block_rows.entries_of(damaged, block_id)
    for body in bodies:
        with suppress(LedgerError, sqlite3.IntegrityError):
            pool_rows.insert(writer, entry_row(body, ledger_id))


def _unsettled(damaged: sqlite3.Connection, ledger_id: bytes, kid: bytes) -> list[int]:
    """Ids of own blocks above the floor that no commit has taken, by what the rows say."""
    epoch, floor, taken = 0, 0, set[int]()
    with suppress(sqlite3.DatabaseError, LedgerError, StoreError):
        (index,) = damaged.execute("SELECT max(commit_index) FROM commits").fetchone()
        last = ledger_rows.load_commit(damaged, index or 0)
        if last is not None:
            depth = CONSTANT_BOUNDS["gc_depth"][1]  # whatever the epoch's is
            epoch, floor = last.leaf.epoch, max(0, last.leaf.leader.round - depth)
            taken = ledger_rows.taken_above(damaged, epoch, floor)
    rows = damaged.execute(
        "SELECT id, header FROM blocks WHERE epoch >= ? AND round > ? ORDER BY id", (epoch, floor)
    )
    return [row[0] for row in rows if row[0] not in taken and _is_own(row[1], ledger_id, kid)]


def _is_own(header: bytes, ledger_id: bytes, kid: bytes) -> bool:
    try:
        return block_format.parse(header, ledger_id).kid == kid
    except LedgerError:
        return False
