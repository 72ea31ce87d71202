"""The trail of a snapshot out of a store: what `proving` wants to see."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from wattle_gateway.audit.state_replay import PastState
from wattle_gateway.contracts import alliance
from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.contracts.snapshot import Snapshot
from wattle_gateway.contracts.snapshot_trail import (
    BLOCKS_MAX,
    LEAVES_MAX,
    EpochLink,
    Trail,
)
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import checkpoint, entry, merkle
from wattle_gateway.ledger.block import BlockRef
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.snapshot import epochs as epoch_chain
from wattle_gateway.snapshot import horizon, proving, stored
from wattle_gateway.snapshot.epochs import Epochs
from wattle_gateway.store import base_rows, ledger_rows, log_index, tree_rows

Stretch = tuple[int, int]
"""The leaves first <= index < end."""


class Collector:
    """Gathers what belongs to the snapshot of one commit, which is not the base's; `past` the state
    after it."""

    def __init__(
        self, connection: sqlite3.Connection, ledger: ExecutedLedger, past: PastState
    ) -> None:
        self._connection = connection
        self._ledger = ledger
        self._past = past
        self._index = epoch_chain.commit_leaf(past.leaf).index
        self._base = ledger.base
        self._begun = None if self._base is None else stored.snapshot_of(connection, self._base)

    def snapshot(self, note: bytes) -> Snapshot:
        """The snapshot with the checkpoint `note`, of a log that includes its commit.

        Raises SnapshotError or StoreError for what is not stored.
        """
        connection, past = self._connection, self._past
        at, size = past.at, checkpoint.parse_note(note).checkpoint.size
        epochs = self._epochs()
        trail = Trail(
            _peaks(connection, at + 1),
            tuple(tree_rows.consistency_proof(connection, at + 1, size)),
            tuple(self._link(number) for number in range(1, len(epochs.all))),
            self._leaves(epochs),
            tuple(self._blocks(epochs)),
        )
        return Snapshot(
            self._ledger.epoch.ledger_id,
            past.leaf,
            at,
            past.before,
            past.changes_root,
            note,
            _inclusion(connection, at, size, {}),
            past.state,
            trail,
        )

    def _epochs(self) -> Epochs:
        """Those that had begun after the snapshot's commit."""
        ended_by: list[int] = []
        while (row := alliance.epoch_row(self._past.state, len(ended_by) + 1)) is not None:
            ended_by.append(row.commit_index)
        known = (self._ledger.epoch_at(number) for number in range(len(ended_by) + 1))
        return Epochs(tuple(epoch for epoch in known if epoch is not None), tuple(ended_by))

    def _leaves(self, epochs: Epochs) -> tuple[bytes, ...]:
        """Of the commits before: those that execution may ask for and that consensus reads."""
        first = proving.first_leaf_needed(epochs, self._index)
        if self._index >= epochs.first_index:
            needed = self._reach(epochs)
            first = min(first, max(epochs.first_index, needed.walked - 1))
        _check_count(self._index - first, LEAVES_MAX, "commit leaves")
        return tuple(self._leaf(index) for index in range(first, self._index))

    def _leaf(self, index: int) -> bytes:
        raw = ledger_rows.load_commit_leaf(self._connection, index)
        if raw is None:
            raise SnapshotError(f"the leaf of commit {index} is not stored")
        return raw

    def _reach(self, epochs: Epochs) -> horizon.Reach:
        return horizon.reach(epochs.newest, epochs.first_index, self._index, self._leader)

    def _leader(self, index: int) -> BlockRef:
        return epoch_chain.commit_leaf(self._leaf(index)).leader

    def _blocks(self, epochs: Epochs) -> Iterator[bytes]:
        """Headers of the blocks that consensus reads, by rising (round, author, digest)."""
        if self._index < epochs.first_index:
            return
        needed, epoch = self._reach(epochs), epochs.newest
        raws = list(self._begun_blocks(needed.walked))
        for index in range(needed.walked, self._index + 1):
            commit = ledger_rows.load_commit(self._connection, index)
            ids = () if commit is None else commit.blocks
            raws += log_index.headers_of(self._connection, index, ids)
        blocks = [block_format.parse(raw, epoch.ledger_id) for raw in raws]
        above = [block for block in blocks if block.round > needed.floor]
        _check_count(len(above), BLOCKS_MAX, "blocks")
        for block in sorted(above, key=lambda block: block.ref):
            yield block.raw

    def _begun_blocks(self, walked: int) -> tuple[bytes, ...]:
        if self._base is None or self._begun is None or self._base.index < walked:
            return ()
        assert self._begun.trail is not None
        return self._begun.trail.blocks

    def _link(self, number: int) -> EpochLink:
        """How epoch `number` began, with the transactions that wanted it."""
        row = alliance.epoch_row(self._past.state, number)
        epoch = self._ledger.epoch_at(number - 1)
        assert row is not None
        assert epoch is not None
        size = self._past.at + 1
        if self._begun is not None and self._base is not None:
            assert self._begun.trail is not None
            if number <= len(self._begun.trail.epochs):
                link = self._begun.trail.epochs[number - 1]
                known = _older(link.at, self._base.edge.size, link.proof)
                return replace(link, proof=_inclusion(self._connection, link.at, size, known))
        commit = ledger_rows.load_commit(self._connection, row.commit_index)
        if commit is None:
            raise SnapshotError(f"commit {row.commit_index}, which ended an epoch, is not stored")
        proof = _inclusion(self._connection, commit.at, size, {})
        ended = EpochLink(commit.body, commit.at, proof, (), b"")
        raws = _transactions(self._connection, self._first_leaf_of(epoch), commit.at)
        return epoch_chain.link_for(epoch, row.change, raws, ended)

    def _first_leaf_of(self, epoch: Epoch) -> int:
        """The first leaf of an epoch that is stored."""
        least = base_rows.leaves_before(self._connection)
        row = alliance.epoch_row(self._past.state, epoch.number)
        before = None
        if row is not None:
            before = ledger_rows.load_commit(self._connection, row.commit_index)
        return least if before is None else before.at + 1


def _check_count(count: int, most: int, what: str) -> None:
    """A ledger may have constants that ask for more than anybody reads."""
    if count > most:
        raise SnapshotError(
            f"{count} {what} would be needed to begin with it under this ledger's constants, "
            f"expected at most {most}"
        )


def _peaks(connection: sqlite3.Connection, size: int) -> tuple[bytes, ...]:
    """The roots of the full subtrees of the log's first `size` leaves, largest first."""
    peaks = []
    begin = 0
    while begin < size:
        end = begin + (1 << ((size - begin).bit_length() - 1))
        peaks.append(tree_rows.root(connection, begin, end))
        begin = end
    return tuple(peaks)


def _inclusion(
    connection: sqlite3.Connection, at: int, size: int, known: Mapping[Stretch, bytes]
) -> tuple[bytes, ...]:
    """The inclusion proof of a leaf in the tree of `size` leaves. Of one before the base an older
    proof is `known`: below the full subtree of the base that holds the leaf it stays the same."""
    return tuple(
        known.get(stretch) or tree_rows.root(connection, *stretch)
        for stretch in merkle.inclusion_stretches(at, size)
    )


def _older(at: int, size: int, proof: Sequence[bytes]) -> dict[Stretch, bytes]:
    """What a proof in a smaller tree says of the log."""
    return dict(zip(merkle.inclusion_stretches(at, size), proof, strict=True))


def _transactions(connection: sqlite3.Connection, first: int, end: int) -> Iterator[bytes]:
    """The transactions (COSE_Sign1) among the leaves first <= index < end."""
    for (body,) in connection.execute(
        "SELECT body FROM leaves JOIN entries ON entries.id = entry WHERE leaf >= ? AND leaf < ? "
        "ORDER BY leaf",
        (first, end),
    ):
        found = entry.decode(body)
        if found.kind == entry.TRANSACTION:
            yield found.body
