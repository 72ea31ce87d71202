"""The part of the DAG that is still of use: accepted blocks above the garbage line."""

from collections.abc import Iterator

from wattle_gateway.ledger.block import Block, BlockRef


class Dag:
    """Accepted blocks by name and by round.

    Blocks at or below `floor` are settled: nobody asks for them, links to them end the walk.
    """

    def __init__(self, floor: int) -> None:
        """`floor` >= 0; round 0 is implied and always settled."""
        self._floor = floor
        self._blocks: dict[BlockRef, Block] = {}
        self._rounds: dict[int, list[Block]] = {}

    @property
    def floor(self) -> int:
        """The highest settled round."""
        return self._floor

    def __contains__(self, ref: BlockRef) -> bool:
        return ref in self._blocks

    def __len__(self) -> int:
        return len(self._blocks)

    def get(self, ref: BlockRef) -> Block:
        """The accepted block of this name."""
        return self._blocks[ref]

    def missing(self, block: Block) -> tuple[BlockRef, ...]:
        """Parents above the floor that are not accepted yet: the block has to wait for them."""
        return tuple(
            ref for ref in block.parents if ref.round > self._floor and ref not in self._blocks
        )

    def add(self, block: Block) -> None:
        """Accept a valid block whose parents are accepted (rule 9); a second time is nothing."""
        assert not self.missing(block)
        ref = block.ref
        if ref in self._blocks or ref.round <= self._floor:
            return
        self._blocks[ref] = block
        row = self._rounds.setdefault(ref.round, [])
        row.append(block)
        row.sort(key=lambda other: other.ref)

    def at(self, round_number: int) -> tuple[Block, ...]:
        """The accepted blocks of a round by rising (author, digest)."""
        return tuple(self._rounds.get(round_number, ()))

    def slot(self, round_number: int, author: int) -> tuple[Block, ...]:
        """The blocks of one author in a round: several if it equivocates (rule 14)."""
        return tuple(block for block in self.at(round_number) if block.author == author)

    def history(self, top: BlockRef, floor: int) -> Iterator[Block]:
        """`top` and its ancestors above round `floor`, each once, in no particular order."""
        seen = {top}
        waiting = [top]
        while waiting:
            block = self._blocks[waiting.pop()]
            yield block
            for ref in block.parents:
                if ref.round > max(floor, self._floor) and ref not in seen:
                    seen.add(ref)
                    waiting.append(ref)

    def raise_floor(self, floor: int) -> None:
        """Forget the rounds up to and including `floor`."""
        for round_number in [number for number in self._rounds if number <= floor]:
            for block in self._rounds.pop(round_number):
                del self._blocks[block.ref]
        self._floor = max(self._floor, floor)
