"""Stored blocks that no commit has taken yet, with their entries, by round."""

from wattle_gateway.ledger.block import BlockRef
from wattle_gateway.store.block_rows import StoredBlock


class Uncommitted:
    """What the next commits may take: the blocks of the epoch in force above the floor."""

    def __init__(self) -> None:
        self._rounds: dict[int, dict[BlockRef, StoredBlock]] = {}

    def add(self, stored: StoredBlock) -> None:
        """A block was accepted and stored."""
        self._rounds.setdefault(stored.block.round, {})[stored.block.ref] = stored

    def take(self, ref: BlockRef) -> StoredBlock:
        """A commit takes this block."""
        return self._rounds[ref.round].pop(ref)

    def drop(self, floor: int) -> None:
        """Nothing at or below this round will be taken any more."""
        for number in [number for number in self._rounds if number <= floor]:
            del self._rounds[number]

    def clear(self) -> None:
        """The epoch is over: what it has left is void."""
        self._rounds.clear()
