"""What sync reads of engine and store: a view that somebody else keeps.

Everything here is read between two steps of the driver, so it is consistent; nothing is kept
over a step. Iterators are read lazily and dropped half-way when an answer is full.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from wattle_gateway.ledger.block import Block, BlockRef
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.sync.messages import Commits, Fetch
from wattle_gateway.sync.packed import PackedBlock


@dataclass(frozen=True)
class StoredCommit:
    """An executed commit: the epoch it belongs to and the bytes of its leaf."""

    epoch: int
    leaf: bytes


class Served(Protocol):
    """What an answer to a fetch or to a request for commits is made of. "Held" = in the graph,
    parked, or stored."""

    @property
    def head(self) -> CommitHead:
        """The newest executed commit."""

    @property
    def begins(self) -> int:
        """The first commit that is here with its blocks, or the next one if there is none yet:
        1, unless the ledger begins with a snapshot or older payloads are elsewhere."""

    def epoch(self, number: int) -> Epoch | None:
        """An epoch by number, from 0 to the one in force; None for any other."""

    def find(self, epoch: int, ref: BlockRef) -> PackedBlock | None:
        """A held block of any epoch, the stored ones included."""

    def lacking(self, epoch: int, rounds: Sequence[int]) -> Iterator[PackedBlock]:
        """Accepted blocks of an epoch above `rounds[author]`, by rising (round, author, digest);
        `rounds` has as many items as the epoch has voting members."""

    def newest_of(self, epoch: int, author: int) -> Block | None:
        """The held block of the highest round by an author in an epoch."""

    def commit(self, index: int) -> StoredCommit | None:
        """An executed commit, from `begins` to `head.index`; None for any other."""

    def reach(self, first: int) -> int:
        """The commit behind the last one that an answer from `first` on may look at: what it would
        cost to read bounds it."""

    def blocks_of_commit(self, index: int) -> Iterator[PackedBlock]:
        """The blocks of an executed commit in the order of execution, the leader's last."""

    def headers_of_commit(self, index: int) -> Sequence[bytes]:
        """The headers of `blocks_of_commit`."""


class Shelf(Served, Protocol):
    """Blocks and commits of one gateway."""

    def has_left(self, request: Commits | Fetch) -> bool:
        """Whether what a peer asks for, or some of it, is not here any more but in an archive that
        somebody reads for peers. Asks no archive, only what is here."""

    def holdings(self) -> tuple[int, ...]:
        """`Engine.holdings` of the epoch in force."""

    def holdings_at_close(self) -> tuple[int, ...]:
        """`Engine.holdings_at_close` of the epoch in force."""

    def missing(self) -> Mapping[BlockRef, frozenset[int]]:
        """`Engine.missing` of the epoch in force: reference -> authors known to hold it."""

    def has(self, ref: BlockRef) -> bool:
        """Whether a block of the epoch in force needs no fetching: it is in the graph, parked,
        or at or below the floor."""

    def accepted(self, ref: BlockRef) -> bool:
        """Whether a block of the epoch in force is in the graph, or at or below the floor."""

    def own_blocks(self, epoch: int, above_round: int) -> Iterator[tuple[int, PackedBlock]]:
        """Own blocks of an epoch above a round, with their rounds, rising."""
