"""What a gateway can give peers of what has left it: a shelf that reads on in the archive."""

import heapq
import sqlite3
from collections.abc import Iterator, Sequence

from wattle_gateway.archive.reader import ArchiveReader
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger.block import Block, BlockRef
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.store import base_rows, block_rows, ledger_rows
from wattle_gateway.sync.messages import HISTORY_COMMITS_MAX
from wattle_gateway.sync.packed import PackedBlock
from wattle_gateway.sync.shelf import StoredCommit

# What is read for one answer by rounds: an answer is 1 MiB, a part holds up to 8. Who asks above
# the last round of one that was silent for a year does not make a gateway read that year at once.
PARTS_AN_ANSWER = 3
# Of idle days a part is a few commits: an answer is one of so many parts, whose files may each be
# a tenth of a second away, or who asked would not wait for it.
PARTS_OF_COMMITS = 8

_Found = tuple[BlockRef, PackedBlock]


class ArchiveShelf:
    """A `Served` over a reader of ledger.db and the archive (see `sync.shelf` for what each method
    gives). Each raises ArchiveError, or StoreError for rows that are damaged."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        archive: ArchiveReader,
        epochs: Sequence[Epoch],
        head: CommitHead,
    ) -> None:
        """`epochs` all so far, `head` the newest commit that is to be given."""
        self._connection = connection
        self._archive = archive
        self._epochs = epochs
        self._parts_read_max = archive.parts_read + PARTS_AN_ANSWER
        self.head = head

    @property
    def begins(self) -> int:
        """The first commit that is here or in the archive."""
        return base_rows.first_index(self._connection)

    def epoch(self, number: int) -> Epoch | None:
        """`Served.epoch`."""
        return self._epochs[number] if 0 <= number < len(self._epochs) else None

    def find(self, epoch: int, ref: BlockRef) -> PackedBlock | None:
        """`Served.find`."""
        stored = block_rows.find(self._connection, self._ledger_id, epoch, ref)
        if stored is not None:
            return PackedBlock(stored.block.raw, stored.entries)
        for found, packed in self._left(epoch, ref.round - 1):
            if found == ref:
                return packed
            if found.round > ref.round:
                break
        return None

    def lacking(self, epoch: int, rounds: Sequence[int]) -> Iterator[PackedBlock]:
        """`Served.lacking`, of what has left no more than PARTS_AN_ANSWER hold, with what was read
        for `find`."""
        here = (
            (stored.block.ref, PackedBlock(stored.block.raw, stored.entries))
            for stored in block_rows.load_above(self._connection, self._ledger_id, epoch, rounds)
        )
        newest = (self.newest_of(epoch, author) for author in range(len(rounds)))
        behind = [
            above
            for above, block in zip(rounds, newest, strict=True)
            if block is not None and block.round > above
        ]
        left = (
            (ref, packed)
            for ref, packed in self._left(epoch, min(behind, default=0))
            if behind and ref.round > rounds[ref.author]
        )
        last = None
        for ref, packed in heapq.merge(here, left, key=_by_ref):
            if ref != last:
                yield packed
            last = ref

    def newest_of(self, epoch: int, author: int) -> Block | None:
        """`Served.newest_of`: it never leaves."""
        return block_rows.load_newest(self._connection, self._ledger_id, epoch, author)

    def commit(self, index: int) -> StoredCommit | None:
        """`Served.commit`."""
        found = ledger_rows.load_commit(self._connection, index)
        return None if found is None else StoredCommit(found.leaf.epoch, found.body)

    def reach(self, first: int) -> int:
        """`Served.reach`."""
        return min(first + HISTORY_COMMITS_MAX, self._archive.end_of(first, PARTS_OF_COMMITS))

    def blocks_of_commit(self, index: int) -> Iterator[PackedBlock]:
        """`Served.blocks_of_commit`."""
        found = ledger_rows.load_commit(self._connection, index)
        if found is None:
            return
        left = self._archive.blocks_of(index)
        for block_id in found.blocks:
            if block_id in left:
                yield PackedBlock(left[block_id].header, left[block_id].entries)
                continue
            for stored in block_rows.load_ids(self._connection, self._ledger_id, [block_id]):
                yield PackedBlock(stored.block.raw, stored.entries)

    def headers_of_commit(self, index: int) -> Sequence[bytes]:
        """`Served.headers_of_commit`."""
        found = ledger_rows.load_commit(self._connection, index)
        if found is None:
            return []
        left = self._archive.headers_of(index)
        return [
            left[block_id]
            if block_id in left
            else block_rows.load_headers(self._connection, [block_id])[0]
            for block_id in found.blocks
        ]

    def _left(self, epoch: int, above_round: int) -> Iterator[_Found]:
        """What has left of an epoch above a round, by rising (round, author, digest)."""
        twins: list[_Found] = []
        parts_max = max(0, self._parts_read_max - self._archive.parts_read)
        for one in self._archive.blocks(epoch, max(0, above_round), parts_max):
            if one.round <= above_round:
                continue
            ref = block_format.parse(one.header, self._ledger_id).ref
            if twins and (twins[0][0].round, twins[0][0].author) != (ref.round, ref.author):
                yield from sorted(twins, key=_by_ref)
                twins.clear()
            twins.append((ref, PackedBlock(one.header, one.entries)))
        yield from sorted(twins, key=_by_ref)

    @property
    def _ledger_id(self) -> bytes:
        return self._epochs[0].ledger_id


def _by_ref(found: _Found) -> BlockRef:
    return found[0]
