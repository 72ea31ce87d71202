"""A shelf for tests of one part of sync: no engine, no blocks, only what is said to be missing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wattle_gateway.ledger.block import Block, BlockRef
from wattle_gateway.ledger.commit import CommitHead, first_head
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.sync.messages import HISTORY_COMMITS_MAX, Commits, Fetch
from wattle_gateway.sync.packed import PackedBlock
from wattle_gateway.sync.shelf import StoredCommit


@dataclass
class LackingShelf:
    """Holds nothing; `lacks` what a test says, until it is in `held`."""

    in_force: Epoch
    lacks: dict[BlockRef, frozenset[int]] = field(default_factory=dict)
    rounds: tuple[int, ...] = ()
    rounds_at_close: tuple[int, ...] = ()
    held: set[BlockRef] = field(default_factory=set)
    index: int = 0
    begins: int = 1

    def __post_init__(self) -> None:
        self.rounds = self.rounds_at_close = (0,) * self.in_force.size

    @property
    def head(self) -> CommitHead:
        return replace(first_head(self.in_force), index=self.index)

    def epoch(self, number: int) -> Epoch | None:
        return self.in_force if number == 0 else None

    def reach(self, first: int) -> int:
        return first + HISTORY_COMMITS_MAX

    def has_left(self, request: Commits | Fetch) -> bool:
        return False

    def holdings(self) -> tuple[int, ...]:
        return self.rounds

    def holdings_at_close(self) -> tuple[int, ...]:
        return self.rounds_at_close

    def missing(self) -> Mapping[BlockRef, frozenset[int]]:
        return {ref: by for ref, by in self.lacks.items() if ref not in self.held}

    def has(self, ref: BlockRef) -> bool:
        return ref in self.held

    def accepted(self, ref: BlockRef) -> bool:
        return ref in self.held

    def find(self, epoch: int, ref: BlockRef) -> PackedBlock | None:
        return None

    def own_blocks(self, epoch: int, above_round: int) -> Iterator[tuple[int, PackedBlock]]:
        return iter(())

    def lacking(self, epoch: int, rounds: Sequence[int]) -> Iterator[PackedBlock]:
        return iter(())

    def newest_of(self, epoch: int, author: int) -> Block | None:
        return None

    def commit(self, index: int) -> StoredCommit | None:
        return None

    def blocks_of_commit(self, index: int) -> Iterator[PackedBlock]:
        return iter(())

    def headers_of_commit(self, index: int) -> Sequence[bytes]:
        return ()
