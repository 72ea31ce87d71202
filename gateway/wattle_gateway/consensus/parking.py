"""Valid blocks that wait for their parents (rule 9).

Whoever signs blocks can sign many that nobody will ever be able to accept, so each author has its
own bounded room here. What does not fit is forgotten, not refused: it is asked for again when it
is needed.
"""

from collections.abc import Iterable

from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock

# Blocks of one author that may wait: more rounds than `gc_depth` of a new ledger leaves open four
# times over, so that a member that catches up is not slowed down,
PARKED_BLOCKS_MAX = 256
# and their bytes: thirty full blocks. All lying members of a committee of 20 then hold 48 MiB.
PARKED_BYTES_MAX = 8 << 20


class _Parked:
    """A block and the parents it still waits for."""

    __slots__ = ("lacking", "size_bytes", "verified")

    def __init__(self, verified: VerifiedBlock, lacking: Iterable[BlockRef]) -> None:
        self.verified = verified
        self.lacking = set(lacking)
        self.size_bytes = len(verified.block.raw) + sum(map(len, verified.entries))


class Parking:
    """Blocks by digest, and the references that they wait for."""

    def __init__(self, size: int) -> None:
        """`size` the number of authors."""
        self._blocks: list[dict[bytes, _Parked]] = [{} for _ in range(size)]
        self._bytes = [0] * size
        # For each awaited reference, the blocks that name it: digest -> author.
        self._awaited: dict[BlockRef, dict[bytes, int]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._blocks))

    def find(self, ref: BlockRef) -> VerifiedBlock | None:
        """The parked block of this name."""
        if ref.author >= len(self._blocks):
            return None
        parked = self._blocks[ref.author].get(ref.digest)
        if parked is None or parked.verified.block.round != ref.round:
            return None
        return parked.verified

    def slot(self, round_number: int, author: int) -> list[Block]:
        """The parked blocks of an author in a round."""
        parked = self._blocks[author]
        if not parked:
            return []
        blocks = [found.verified.block for found in parked.values()]
        return [block for block in blocks if block.round == round_number]

    def newest(self, author: int) -> Block | None:
        """The parked block of an author with the highest round."""
        blocks = (found.verified.block for found in self._blocks[author].values())
        return max(blocks, key=lambda block: block.ref, default=None)

    def awaits(self, ref: BlockRef) -> bool:
        """Whether a parked block names this one."""
        return ref in self._awaited

    def missing(self) -> dict[BlockRef, frozenset[int]]:
        """The references to fetch, each with the authors whose blocks name it: they hold it."""
        return {
            ref: frozenset(namers.values())
            for ref, namers in self._awaited.items()
            if self.find(ref) is None
        }

    def park(self, verified: VerifiedBlock, missing: Iterable[BlockRef]) -> None:
        """Keep a block that is not parked until the parents in `missing` (at least one) arrive.

        If its author's room is full, the block that is of the least use is forgotten: one that
        no other author names before one that is named, the highest round first.
        """
        block = verified.block
        parked = _Parked(verified, missing)
        assert parked.lacking
        self._blocks[block.author][block.digest] = parked
        self._bytes[block.author] += parked.size_bytes
        for ref in parked.lacking:
            self._awaited.setdefault(ref, {})[block.digest] = block.author
        self._keep_within(block.author)

    def _keep_within(self, author: int) -> None:
        room = self._blocks[author]
        while len(room) > PARKED_BLOCKS_MAX or self._bytes[author] > PARKED_BYTES_MAX:
            worst = max(
                (found.verified.block for found in room.values()),
                key=lambda block: (not self._named_by_others(block), block.ref),
            )
            self._forget(worst)

    def _named_by_others(self, block: Block) -> bool:
        namers = self._awaited.get(block.ref)
        return namers is not None and any(author != block.author for author in namers.values())

    def arrived(self, ref: BlockRef) -> list[VerifiedBlock]:
        """A reference is settled; the blocks that waited for nothing else, no longer parked."""
        ready = []
        for digest, author in self._awaited.pop(ref, {}).items():
            parked = self._blocks[author][digest]
            parked.lacking.discard(ref)
            if not parked.lacking:
                self._forget(parked.verified.block)
                ready.append(parked.verified)
        return ready

    def drop(self, ref: BlockRef) -> None:
        """Forget a block, if it is parked."""
        verified = self.find(ref)
        if verified is not None:
            self._forget(verified.block)

    def _forget(self, block: Block) -> None:
        parked = self._blocks[block.author].pop(block.digest)
        self._bytes[block.author] -= parked.size_bytes
        for ref in parked.lacking:
            namers = self._awaited[ref]
            del namers[block.digest]
            if not namers:
                del self._awaited[ref]

    def raise_floor(self, floor: int) -> list[VerifiedBlock]:
        """Forget blocks at or below `floor`, and no longer wait for any such; what is ready."""
        if not self._awaited:
            return []
        for room in self._blocks:
            for parked in [found for found in room.values() if found.verified.block.round <= floor]:
                self._forget(parked.verified.block)
        ready = []
        for ref in sorted(ref for ref in self._awaited if ref.round <= floor):
            ready += self.arrived(ref)
        return ready
