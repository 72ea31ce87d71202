"""Valid blocks that wait for their parents (rule 9).

Whoever signs blocks can sign many that nobody will ever be able to accept, so each author has its
own bounded room here. What does not fit is forgotten, not refused: it is asked for again when it
is needed.
"""

from collections.abc import Iterable, Mapping

from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock

# Blocks of one author that may wait: a member that is further behind than half of this takes whole
# commits instead (`gc_depth` of a new ledger is 60),
PARKED_BLOCKS_MAX = 128
# and their bytes: thirty full blocks. All lying members of a committee of 20 then hold 48 MiB.
PARKED_BYTES_MAX = 8 << 20
# References that the blocks of one author may ask for at a time, or a few more. Whoever makes
# them up then holds up nobody else's: every other author has as many.
MISSING_MAX = 64


class _Parked:
    """A block and the parents it still waits for.

    `needed`: a block of another author waits for it, at once or by way of others. It stays so.
    """

    __slots__ = ("lacking", "needed", "size_bytes", "verified")

    def __init__(self, verified: VerifiedBlock, lacking: Iterable[BlockRef]) -> None:
        self.verified = verified
        self.lacking = set(lacking)
        self.needed = False
        self.size_bytes = len(verified.block.raw) + sum(map(len, verified.entries))


class Parking:
    """Blocks by digest, and the references that they wait for."""

    def __init__(self, size: int) -> None:
        """`size` the number of authors."""
        self._blocks: list[dict[bytes, _Parked]] = [{} for _ in range(size)]
        self._bytes = [0] * size
        # For each awaited reference, the blocks that name it: digest -> author.
        self._awaited: dict[BlockRef, dict[bytes, int]] = {}
        # What `missing` gave, until a block comes or goes: it is asked for at every step.
        self._missing: dict[BlockRef, frozenset[int]] | None = None

    def __len__(self) -> int:
        return sum(map(len, self._blocks))

    def find(self, ref: BlockRef) -> VerifiedBlock | None:
        """The parked block of this name."""
        parked = self._find(ref)
        return None if parked is None else parked.verified

    def _find(self, ref: BlockRef) -> _Parked | None:
        if ref.author >= len(self._blocks):
            return None
        parked = self._blocks[ref.author].get(ref.digest)
        if parked is None or parked.verified.block.round != ref.round:
            return None
        return parked

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

    def missing(self) -> Mapping[BlockRef, frozenset[int]]:
        """The references to fetch, each with the authors whose blocks name it: they hold it.

        For each author about MISSING_MAX: first what those of its blocks lack that others wait
        for, or what it makes up would hold these up; then the lowest rounds. What is fetched
        makes room.
        """
        if self._missing is None:
            self._missing = self._find_missing()
        return self._missing

    def _find_missing(self) -> dict[BlockRef, frozenset[int]]:
        found: dict[BlockRef, frozenset[int]] = {}
        if not self._awaited:
            return found
        ceilings = [self._ceiling(author) for author in range(len(self._blocks))]
        for room in self._blocks:
            count = 0
            for parked in sorted(
                room.values(), key=lambda parked: (not parked.needed, parked.verified.block.ref)
            ):
                for ref in parked.lacking:
                    if ref in found or self._find(ref) is not None:
                        continue
                    ceiling = ceilings[ref.author]
                    if ceiling is None or ref.round < ceiling:
                        found[ref] = frozenset(self._awaited[ref].values())
                        count += 1
                if count >= MISSING_MAX:
                    break
        return found

    def _ceiling(self, author: int) -> int | None:
        """The round from which on a block of an author would not be kept; None if any would."""
        room = self._blocks[author]
        if len(room) < PARKED_BLOCKS_MAX and self._bytes[author] < PARKED_BYTES_MAX:
            return None
        if any(not parked.needed for parked in room.values()):
            return None
        return max(parked.verified.block.round for parked in room.values())

    def park(self, verified: VerifiedBlock, missing: Iterable[BlockRef]) -> None:
        """Keep a block that is not parked until the parents in `missing` (at least one) arrive.

        If its author's room is full, the block that is of the least use is forgotten: one that
        nobody else needs before one that is needed, the highest round first.
        """
        block = verified.block
        parked = _Parked(verified, missing)
        assert parked.lacking
        self._missing = None
        self._blocks[block.author][block.digest] = parked
        self._bytes[block.author] += parked.size_bytes
        for ref in parked.lacking:
            self._awaited.setdefault(ref, {})[block.digest] = block.author
        namers = self._awaited.get(block.ref, {})
        parked.needed = any(
            author != block.author or self._blocks[author][digest].needed
            for digest, author in namers.items()
        )
        self._spread_need(parked)
        self._keep_within(block.author)

    def _spread_need(self, newcomer: _Parked) -> None:
        """What a newcomer waits for is needed, if it is of another author or the newcomer is."""
        waiting = [newcomer]
        while waiting:
            parked = waiting.pop()
            for ref in parked.lacking:
                parent = self._find(ref)
                if parent is None or parent.needed:
                    continue
                if parked.needed or ref.author != parked.verified.block.author:
                    parent.needed = True
                    waiting.append(parent)

    def _keep_within(self, author: int) -> None:
        room = self._blocks[author]
        while len(room) > PARKED_BLOCKS_MAX or self._bytes[author] > PARKED_BYTES_MAX:
            worst = max(
                room.values(), key=lambda parked: (not parked.needed, parked.verified.block.ref)
            )
            self._forget(worst.verified.block)

    def arrived(self, ref: BlockRef) -> list[VerifiedBlock]:
        """A reference is settled; the blocks that waited for nothing else, no longer parked."""
        ready = []
        namers = self._awaited.pop(ref, {})
        if namers:
            self._missing = None
        for digest, author in namers.items():
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
        self._missing = None
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
