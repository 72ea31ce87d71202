"""Each commit executed once more and compared with what the store says it left behind."""

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from wattle_wire import topics

from wattle_gateway.audit.findings import Counts, Difference, DifferenceError
from wattle_gateway.audit.stored_blocks import StoredBlock
from wattle_gateway.contracts.execute import Executed, Outcome, execute
from wattle_gateway.contracts.state import StateRows
from wattle_gateway.ledger import checkpoint, crypto, entry, merkle, signed_sample
from wattle_gateway.ledger.block import BlockRef
from wattle_gateway.ledger.commit import Commit, CommitHead, first_head
from wattle_gateway.ledger.epoch import Epoch, next_epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.merkle import RightEdge
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_gateway.runtime.executed_ledger import kept_digest
from wattle_gateway.snapshot import stored as stored_base
from wattle_gateway.store import base_rows, block_ids, ledger_rows, log_index
from wattle_gateway.store.ledger_rows import class_bits
from wattle_gateway.store.schema import ENTRIES_A_BLOCK, TILE_LEAVES


@dataclass
class Replayed:
    """The ledger as it comes out of the blocks; `first_tile` the number of the first of `tiles`."""

    head: CommitHead
    edge: RightEdge = field(default_factory=RightEdge)
    state: StateRows = field(default_factory=StateRows)
    classes: dict[tuple[bytes, int], int] = field(default_factory=dict)
    totals: dict[bytes, tuple[int, int, int]] = field(default_factory=dict)
    tiles: list[bytes] = field(default_factory=list)
    first_tile: int = 0
    entry_leaves: int = 0
    samples: int = 0


class Executions:
    """Executes commits in order; every signature is verified, nothing is remembered from ingest.

    A `Taker` of the replay: compares what it computes with the rows.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        first: Epoch,
        counts: Counts,
        tell: Callable[[], None],
    ) -> None:
        """`tell` is called after each block that was counted. A ledger that begins with a snapshot
        is executed from there on, once that is proved again; SnapshotError if it is not."""
        self._connection = connection
        self._tell = tell
        self.begun = stored_base.prove_again_if_any(connection, first)
        self._epoch = first if self.begun is None else self.begun.epochs.newest
        self._before_first = first_head(first)
        self._counts = counts
        self._waiting: dict[BlockRef, StoredBlock] = {}
        self._parsed: dict[bytes, SignedSample] = {}
        self.replayed = Replayed(self._before_first)
        if self.begun is not None:
            base = self.begun.base
            state = StateRows(base_rows.state_rows(connection))
            first_tile = base.edge.size // TILE_LEAVES
            self.replayed = Replayed(base.head, base.edge, state, first_tile=first_tile)
        # What the log has of the tile under way: the smaller peaks of its right edge.
        size = self.replayed.edge.size % TILE_LEAVES
        peaks = self.replayed.edge.peaks
        self._tile = RightEdge(size, peaks[len(peaks) - size.bit_count() :])

    @property
    def head(self) -> CommitHead:
        """The newest commit that was executed."""
        return self.replayed.head

    @property
    def epoch(self) -> Epoch:
        """The epoch in force after it."""
        return self._epoch

    def digest_of(self, index: int) -> bytes | None:
        """The digest of an executed commit; of epoch 0 for index 0. Rows up to the head were
        compared with what was computed."""
        if index == 0:
            return self._before_first.digest
        if index > self.head.index:
            return None
        return ledger_rows.load_commit_digest(self._connection, index)

    def _named_digest(self, index: int) -> bytes | None:
        base = None if self.begun is None else self.begun.base
        return kept_digest(base, index, self.digest_of(index))

    def saw(self, stored: StoredBlock) -> None:
        """Count it."""
        self._counts.blocks += 1
        self._counts.entries += len(stored.entries)
        self._tell()

    def entered(self, stored: StoredBlock) -> None:
        """A block that a commit may take."""
        self._waiting[stored.block.ref] = stored

    def run(self, commit: Commit, floor: int) -> Epoch | None:
        """Execute a commit and compare; the next epoch, if it ended its own.

        Raises DifferenceError.
        """
        row = self._connection.execute(
            "SELECT time_ms, leaf, body, blocks FROM commits WHERE commit_index = ?",
            (commit.index,),
        ).fetchone()
        if row is None:
            self._differ("the stored blocks decide it, it has no row", "commits", commit)
        blocks = [self._waiting.pop(block.ref) for block in commit.blocks]
        executed = self._execute(commit, blocks)
        self._compare_leaves(commit, blocks, executed)
        last_leaf = self.replayed.edge.size - 1
        ids = block_ids.encode(stored.id for stored in blocks)
        if row != (commit.time_ms, last_leaf, executed.leaves[-1], ids):
            self._differ("time, place, bytes or blocks of the commit differ", "commits", commit)
        self._compare_checkpoint(commit)
        self._counts.commits += 1
        for ref in [ref for ref in self._waiting if ref.round <= floor]:
            del self._waiting[ref]
        if executed.ended is None:
            return None
        self._waiting.clear()
        self._epoch = next_epoch(self._epoch, executed.ended, self.head)
        return self._epoch

    def _execute(self, commit: Commit, blocks: list[StoredBlock]) -> Executed:
        replayed = self.replayed
        self._parsed.clear()
        executed = execute(
            replayed.state,
            replayed.head,
            commit,
            [stored.verified() for stored in blocks],
            self._epoch,
            crypto.verify,
            self._named_digest,
            self._parse,
        )
        for key, value in executed.changes:
            if value is None:
                del replayed.state[key]
            else:
                replayed.state[key] = value
        replayed.head = executed.head
        return executed

    def _parse(self, raw: bytes, ledger_id: bytes) -> SignedSample:
        signed = signed_sample.parse(raw, ledger_id)
        self._parsed[signed.digest] = signed
        return signed

    def _compare_checkpoint(self, commit: Commit) -> None:
        """A note, if there is one, says what the log was after this commit, in the words of q."""
        row = self._connection.execute(
            "SELECT note FROM checkpoints WHERE commit_index = ?", (commit.index,)
        ).fetchone()
        if row is None:
            return
        edge = self.replayed.edge
        try:
            note = checkpoint.parse_note(row[0])
            checkpoint.verify_note(note, self._epoch)
        except LedgerError as error:
            self._differ(str(error), "checkpoints", commit)
        if (note.checkpoint.size, note.checkpoint.root) != (edge.size, edge.root()):
            self._differ("it is of another log than this one", "checkpoints", commit)
        self._counts.checkpoints += 1

    def _compare_leaves(
        self, commit: Commit, blocks: list[StoredBlock], executed: Executed
    ) -> None:
        first = self.replayed.edge.size
        ids = {stored.block.ref: stored.id for stored in blocks}
        wanted: list[tuple[int, int, int]] = []
        for outcome in executed.outcomes:
            if outcome.leaf is not None:
                place = ids[outcome.block] * ENTRIES_A_BLOCK + outcome.position
                wanted.append((first + outcome.leaf, place, outcome.verdict))
        found = log_index.leaf_rows(self._connection, first, first + len(executed.leaves))
        if found != [(*row, commit.index) for row in wanted]:
            self._name_leaf(commit, wanted, found)
        self.replayed.entry_leaves += len(wanted)
        self._append(executed.leaves)
        for outcome in executed.outcomes:
            if outcome.leaf is not None and outcome.kind == entry.SAMPLE:
                self._compare_sample(commit, outcome, first + outcome.leaf)

    def _append(self, leaves: Sequence[bytes]) -> None:
        """To the tree; a tile is the root over 256 hashes."""
        for leaf in leaves:
            hashed = merkle.leaf_hash(leaf)
            self.replayed.edge = self.replayed.edge.append(hashed)
            self._tile = self._tile.append(hashed)
            if self._tile.size == TILE_LEAVES:
                self.replayed.tiles.append(self._tile.root())
                self._tile = RightEdge()

    def _name_leaf(
        self,
        commit: Commit,
        wanted: list[tuple[int, int, int]],
        found: list[tuple[int, int, int, int]],
    ) -> None:
        rows = {row[0]: row[1:] for row in found}
        for leaf, place, verdict in wanted:
            row = rows.get(leaf)
            if row != (place, verdict, commit.index):
                expected = f"entry {place}, verdict {verdict}, commit {commit.index}"
                text = f"the row says {row}, expected {expected}"
                self._differ(text, "leaves", commit, leaf=leaf)

    def _compare_sample(self, commit: Commit, outcome: Outcome, leaf: int) -> None:
        assert outcome.meter is not None
        assert outcome.digest is not None
        readings = self._parsed[outcome.digest].sample.readings
        assert outcome.seq is not None
        row = log_index.sample_row(self._connection, outcome.meter, outcome.seq, leaf)
        if row != (leaf, readings[0].time_ms, readings[-1].time_ms):
            self._differ(
                f"the index says {row}",
                "samples",
                commit,
                leaf=leaf,
                meter=topics.meter_id(outcome.meter),
                seq=outcome.seq,
            )
        self.replayed.samples += 1
        count, last_seq, last_ms = self.replayed.totals.get(outcome.meter, (0, 0, 0))
        self.replayed.totals[outcome.meter] = (
            count + 1,
            max(last_seq, outcome.seq or 0),
            max(last_ms, readings[-1].time_ms),
        )
        for bit in class_bits(outcome.verdict):
            key = (outcome.meter, bit)
            self.replayed.classes[key] = self.replayed.classes.get(key, 0) + 1

    def _differ(
        self,
        what: str,
        table: str,
        commit: Commit,
        *,
        block: str | None = None,
        leaf: int | None = None,
        meter: str | None = None,
        seq: int | None = None,
    ) -> NoReturn:
        raise DifferenceError(Difference(what, table, block, commit.index, leaf, meter, seq))
