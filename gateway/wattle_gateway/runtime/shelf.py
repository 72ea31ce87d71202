"""What sync reads: blocks and commits, from the engine's memory first and the store behind it.

Also of epochs that are over: who comes late is given their last blocks by those who were there.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence

from wattle_gateway.consensus.engine import Engine
from wattle_gateway.ledger.block import Block, BlockRef
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.store import archive_rows, block_rows, ledger_rows
from wattle_gateway.store.block_rows import StoredBlock
from wattle_gateway.sync.messages import HISTORY_COMMITS_MAX, Commits, Fetch
from wattle_gateway.sync.packed import PackedBlock, pack
from wattle_gateway.sync.shelf import StoredCommit


class LedgerShelf:
    """The `Shelf` of one gateway (see `wattle_gateway.sync.shelf` for what each method gives)."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        kid: bytes,
        ledger: ExecutedLedger,
        engine: Callable[[], Engine],
    ) -> None:
        """`engine` gives the one of the epoch in force."""
        # Whether somebody answers peers out of the archive.
        self.archive_read = False
        self._connection = connection
        self._kid = kid
        self._ledger = ledger
        self._engine = engine

    @property
    def head(self) -> CommitHead:
        """The newest executed commit."""
        return self._ledger.head

    @property
    def begins(self) -> int:
        """The first commit that is stored with its blocks, or will be: none that the ledger's base
        stands for, and none of which blocks have left for the archive."""
        base = self._ledger.base
        first = 1 if base is None else base.index + 1
        return max(first, archive_rows.gone_through(self._connection) + 1)

    def has_left(self, request: Commits | Fetch) -> bool:
        """`Shelf.has_left`. Of an author whose newest block is known to the peer nothing is
        looked for: that one stays here, and others go by it."""
        if not self.archive_read:
            return False
        if isinstance(request, Commits):
            base = self._ledger.base
            return (0 if base is None else base.index) < request.first < self.begins
        epoch = self._ledger.epoch_at(request.epoch)
        left = 0 if epoch is None else self._round_left(request.epoch)
        if epoch is None or not left:
            return False
        for ref in request.refs:
            if ref.round <= left and self.find(request.epoch, ref) is None:
                return True
        return len(request.rounds) == epoch.size and any(
            above < left and self._has_newer(request.epoch, author, above)
            for author, above in enumerate(request.rounds)
        )

    def _round_left(self, epoch: int) -> int:
        """The round of an epoch up to which blocks may have left, 0: none have."""
        index = archive_rows.gone_through(self._connection, epoch)
        found = ledger_rows.load_commit(self._connection, index) if index else None
        return 0 if found is None else found.leaf.leader.round

    def _has_newer(self, epoch: int, author: int, above_round: int) -> bool:
        newest = block_rows.load_newest(self._connection, self._ledger_id, epoch, author)
        return newest is not None and newest.round > above_round

    def epoch(self, number: int) -> Epoch | None:
        """An epoch by number; None for one that has not begun."""
        return self._ledger.epoch_at(number)

    def holdings(self) -> tuple[int, ...]:
        """`Engine.holdings`."""
        return self._engine().holdings()

    def holdings_at_close(self) -> tuple[int, ...]:
        """`Engine.holdings_at_close`."""
        return self._engine().holdings_at_close()

    def missing(self) -> Mapping[BlockRef, frozenset[int]]:
        """`Engine.missing`."""
        return self._engine().missing()

    def has(self, ref: BlockRef) -> bool:
        """Whether a block of the epoch in force needs no fetching."""
        engine = self._engine()
        return ref.round <= engine.floor or engine.has(ref)

    def accepted(self, ref: BlockRef) -> bool:
        """Whether a block of the epoch in force is in the graph, or at or below the floor."""
        engine = self._engine()
        return ref.round <= engine.floor or any(
            block.digest == ref.digest for block in engine.blocks_of(ref.author, ref.round - 1)
        )

    def find(self, epoch: int, ref: BlockRef) -> PackedBlock | None:
        """A held block of any epoch."""
        if epoch == self._ledger.epoch.number:
            held = self._engine().find(ref)
            if held is not None:
                return pack(held)
        stored = block_rows.find(self._connection, self._ledger_id, epoch, ref)
        return None if stored is None else _packed(stored)

    def own_blocks(self, epoch: int, above_round: int) -> Iterator[tuple[int, PackedBlock]]:
        """Own blocks of an epoch above a round, with their rounds, rising."""
        found = self._ledger.epoch_at(epoch)
        author = None if found is None else found.author_of(self._kid)
        if author is None:
            return
        for stored in block_rows.load_of_author(
            self._connection, self._ledger_id, epoch, author, above_round
        ):
            yield stored.block.round, _packed(stored)

    def lacking(self, epoch: int, rounds: Sequence[int]) -> Iterator[PackedBlock]:
        """Accepted blocks of an epoch above `rounds[author]`, by rising (round, author, digest)."""
        found = block_rows.load_above(self._connection, self._ledger_id, epoch, rounds)
        return map(_packed, found)

    def newest_of(self, epoch: int, author: int) -> Block | None:
        """The held block of the highest round by an author in an epoch."""
        stored = block_rows.load_newest(self._connection, self._ledger_id, epoch, author)
        if epoch != self._ledger.epoch.number:
            return stored
        held = self._engine().newest_of(author)
        if held is None or (stored is not None and stored.round >= held.round):
            return stored
        return held

    def commit(self, index: int) -> StoredCommit | None:
        """An executed commit, None for an index that there is none of."""
        found = ledger_rows.load_commit(self._connection, index)
        return None if found is None else StoredCommit(found.leaf.epoch, found.body)

    def reach(self, first: int) -> int:
        """`Served.reach`: as far as an answer may go."""
        return first + HISTORY_COMMITS_MAX

    def blocks_of_commit(self, index: int) -> Iterator[PackedBlock]:
        """The blocks of an executed commit in the order of execution, the leader's last."""
        return map(_packed, self._blocks_of(index))

    def headers_of_commit(self, index: int) -> Sequence[bytes]:
        """The headers of `blocks_of_commit`."""
        found = ledger_rows.load_commit(self._connection, index)
        return [] if found is None else block_rows.load_headers(self._connection, found.blocks)

    def _blocks_of(self, index: int) -> Iterator[StoredBlock]:
        found = ledger_rows.load_commit(self._connection, index)
        ids = () if found is None else found.blocks
        return iter(block_rows.load_ids(self._connection, self._ledger_id, ids))

    @property
    def _ledger_id(self) -> bytes:
        return self._ledger.epoch.ledger_id


def _packed(stored: StoredBlock) -> PackedBlock:
    return PackedBlock(stored.block.raw, stored.entries)
