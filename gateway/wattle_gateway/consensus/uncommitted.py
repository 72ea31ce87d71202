"""Accepted blocks that no commit has taken yet, with their entries.

They say how urgent the next round is, and keep what an own block carried until it is ordered.
"""

from collections.abc import Iterable

from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock


class Uncommitted:
    """Blocks by digest. Those of ignored authors may never be ordered: nobody hurries for them."""

    def __init__(self) -> None:
        self._blocks: dict[bytes, VerifiedBlock] = {}
        self._carrying: dict[bytes, int] = {}
        self._urgent: dict[bytes, int] = {}

    @property
    def carries(self) -> bool:
        """Whether one of them has entries."""
        return bool(self._carrying)

    @property
    def urgent(self) -> bool:
        """Whether one of them carries a transaction or evidence."""
        return bool(self._urgent)

    def find(self, ref: BlockRef) -> VerifiedBlock | None:
        """The block of this name."""
        found = self._blocks.get(ref.digest)
        return found if found is not None and found.block.ref == ref else None

    def add(self, verified: VerifiedBlock, ignored: int) -> None:
        """A block entered the graph; `ignored` the mask of ignored authors."""
        block = verified.block
        self._blocks[block.digest] = verified
        if block.carries and not ignored >> block.author & 1:
            self._carrying[block.digest] = block.author
            if verified.urgent:
                self._urgent[block.digest] = block.author

    def ignore(self, ignored: int) -> None:
        """Authors came to be ignored."""
        for counted in (self._carrying, self._urgent):
            for digest in [key for key, author in counted.items() if ignored >> author & 1]:
                del counted[digest]

    def remove(self, blocks: Iterable[Block]) -> list[VerifiedBlock]:
        """Blocks that a commit took or that fell below the floor; those of them that were here."""
        removed = []
        for block in blocks:
            verified = self._blocks.pop(block.digest, None)
            if verified is not None:
                removed.append(verified)
                self._carrying.pop(block.digest, None)
                self._urgent.pop(block.digest, None)
        return removed
