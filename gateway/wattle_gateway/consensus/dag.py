"""The part of the graph that is still of use: accepted blocks above the floor.

Every count that the commit rule asks for is kept as an int bitmask when a block enters, never
recounted:

- a mask of *authors* (bit = author index) counts members, so a second block of an equivocator
  adds nothing (rule 22);
- a mask of *places* (bit = place in the round, in the order of arrival) names blocks.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable

from wattle_gateway.ledger.block import Block, BlockRef
from wattle_gateway.ledger.epoch import Epoch


class Vertex:
    """An accepted block and what later blocks say about it.

    `bit` the mask of its author; `place` its mask among the blocks of its round; `parents` those
    that are in the graph; `voters` authors with a block of the next round that names it, and
    `voter_places` these blocks; `certifiers` authors with a block two rounds above that certifies
    it, and `certifier_places` these blocks; `taken` whether a commit has it.
    """

    __slots__ = (
        "bit",
        "block",
        "certifier_places",
        "certifiers",
        "parents",
        "place",
        "taken",
        "voter_places",
        "voters",
    )

    def __init__(self, block: Block, place: int) -> None:
        self.block = block
        self.bit = 1 << block.author
        self.place = place
        self.parents: tuple[Vertex, ...] = ()
        self.voters = 0
        self.voter_places = 0
        self.certifiers = 0
        self.certifier_places = 0
        self.taken = False


class _Row:
    """One round: its blocks by arrival, their authors, and per author who blames its slot in the
    round below."""

    __slots__ = ("authors", "blamers", "vertices")

    def __init__(self, size: int) -> None:
        self.vertices: list[Vertex] = []
        self.authors = 0
        self.blamers = [0] * size


class Dag:
    """Accepted blocks of one epoch by name, round and author.

    Blocks at or below `floor` are settled: nobody asks for them, links to them end the walk.
    """

    def __init__(self, epoch: Epoch, floor: int = 0) -> None:
        """`floor` >= 0; round 0 is implied and always settled."""
        self._size = epoch.size
        self._quorum = epoch.quorum
        self._everybody = (1 << epoch.size) - 1
        self._floor = floor
        self._top = 0
        # By digest alone: it covers round and author, and bytes hash faster than a reference.
        self._vertices: dict[bytes, Vertex] = {}
        self._rows: dict[int, _Row] = {}
        self._by_author: list[list[Vertex]] = [[] for _ in range(epoch.size)]

    @property
    def floor(self) -> int:
        """The highest settled round."""
        return self._floor

    @property
    def top(self) -> int:
        """The highest round of a block that was accepted, 0 before the first."""
        return self._top

    def __contains__(self, ref: BlockRef) -> bool:
        return self.find(ref) is not None

    def __len__(self) -> int:
        return len(self._vertices)

    def find(self, ref: BlockRef) -> Vertex | None:
        """The vertex of this name; None if there is none.

        A reference with the digest of one block and the round or author of another names nothing.
        """
        vertex = self._vertices.get(ref.digest)
        if vertex is None:
            return None
        block = vertex.block
        return vertex if block.round == ref.round and block.author == ref.author else None

    def vertex(self, ref: BlockRef) -> Vertex:
        """The vertex of an accepted block."""
        found = self.find(ref)
        assert found is not None
        return found

    def get(self, ref: BlockRef) -> Block:
        """The accepted block of this name."""
        return self.vertex(ref).block

    def missing(self, block: Block) -> tuple[BlockRef, ...]:
        """Parents above the floor that are not accepted yet: the block has to wait for them."""
        floor = self._floor
        return tuple(ref for ref in block.parents if ref.round > floor and self.find(ref) is None)

    def add(self, block: Block) -> Vertex | None:
        """Accept a valid block whose parents are accepted (rule 9).

        Gives its vertex; None if nothing changed: it was there, or lies at or below the floor.
        """
        round_number = block.round
        if block.digest in self._vertices or round_number <= self._floor:
            return None
        row = self._rows.get(round_number)
        if row is None:
            row = self._rows[round_number] = _Row(self._size)
        vertex = Vertex(block, 1 << len(row.vertices))
        named, named_places = self._link(vertex)
        self._blame(row, vertex.bit, self._everybody & ~named)
        self._certify(vertex, named_places)
        row.vertices.append(vertex)
        row.authors |= vertex.bit
        self._vertices[block.digest] = vertex
        chain = self._by_author[block.author]
        if not chain or chain[-1].block.round < round_number:
            chain.append(vertex)
        else:
            insort(chain, vertex, key=_by_ref)
        self._top = max(self._top, round_number)
        return vertex

    def _link(self, vertex: Vertex) -> tuple[int, int]:
        """Vote for the parents of the round below (rule 15); the authors and places of these."""
        below = vertex.block.round - 1
        named = named_places = 0
        parents = []
        for ref in vertex.block.parents:
            if ref.round == below:
                named |= 1 << ref.author
            if ref.round <= self._floor:
                continue
            parent = self._vertices.get(ref.digest)
            assert parent is not None
            parents.append(parent)
            if ref.round == below:
                parent.voters |= vertex.bit
                parent.voter_places |= vertex.place
                named_places |= parent.place
        vertex.parents = tuple(parents)
        return named, named_places

    @staticmethod
    def _blame(row: _Row, bit: int, unnamed: int) -> None:
        """Blame the slots of the round below in which the block has no parent (rule 16)."""
        while unnamed:
            lowest = unnamed & -unnamed
            row.blamers[lowest.bit_length() - 1] |= bit
            unnamed ^= lowest

    def _certify(self, vertex: Vertex, named_places: int) -> None:
        """Certify the blocks two rounds below for which parents of q authors vote (rule 17).

        A block has one parent an author, so its parents are counted by their places.
        """
        row = self._rows.get(vertex.block.round - 2)
        if row is None:
            return
        quorum = self._quorum
        for candidate in row.vertices:
            if (candidate.voter_places & named_places).bit_count() >= quorum:
                candidate.certifiers |= vertex.bit
                candidate.certifier_places |= vertex.place

    def at(self, round_number: int) -> tuple[Block, ...]:
        """The accepted blocks of a round by rising (author, digest)."""
        row = self._rows.get(round_number)
        vertices = () if row is None else sorted(row.vertices, key=_by_ref)
        return tuple(vertex.block for vertex in vertices)

    def authors_at(self, round_number: int) -> int:
        """Mask of the authors with an accepted block in a round above the floor."""
        row = self._rows.get(round_number)
        return 0 if row is None else row.authors

    def slot(self, round_number: int, author: int) -> tuple[Vertex, ...]:
        """The blocks of an author in a round by rising digest: several if it equivocates (14)."""
        row = self._rows.get(round_number)
        if row is None or not row.authors >> author & 1:
            return ()
        found = [vertex for vertex in row.vertices if vertex.block.author == author]
        return tuple(sorted(found, key=_by_ref))

    def blamers(self, round_number: int, author: int) -> int:
        """Mask of the authors with a block of the next round without a parent in this slot (16)."""
        row = self._rows.get(round_number + 1)
        return 0 if row is None else row.blamers[author]

    def newest(self, author: int, below: int | None = None) -> Vertex | None:
        """An author's accepted block of the highest round, of those below a round if one is
        named; the lowest digest among twins. None if there is none above the floor."""
        chain = self._by_author[author]
        end = len(chain)
        if below is not None:
            end = bisect_left(chain, below, key=_by_round)
        if end == 0:
            return None
        first = bisect_left(chain, chain[end - 1].block.round, 0, end, key=_by_round)
        return chain[first]

    def by_author(self, author: int, above_round: int) -> tuple[Vertex, ...]:
        """An author's accepted blocks above a round (and the floor), by rising round."""
        chain = self._by_author[author]
        return tuple(chain[bisect_left(chain, above_round + 1, key=_by_round) :])

    def untaken(self, top: Vertex, floor: int) -> list[Vertex]:
        """`top` and its ancestors above round `floor` that no commit has taken, in no particular
        order. Whatever lies below a taken block is taken itself or at or below the floor."""
        assert floor >= self._floor
        if top.taken:
            return []
        seen = {top}
        waiting = [top]
        found = []
        while waiting:
            vertex = waiting.pop()
            found.append(vertex)
            for parent in vertex.parents:
                if not parent.taken and parent.block.round > floor and parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)
        return found

    def ancestors_at(self, top: Vertex, round_number: int) -> int:
        """Mask of the places of those blocks of a round that are in the history of `top`."""
        if top.block.round <= round_number:
            return top.place if top.block.round == round_number else 0
        reached = {top.block.round: top.place}
        for number in range(top.block.round, round_number, -1):
            places = reached.pop(number, 0)
            if not places:
                continue
            for vertex in self._rows[number].vertices:
                if vertex.place & places:
                    for parent in vertex.parents:
                        at = parent.block.round
                        reached[at] = reached.get(at, 0) | parent.place
        return reached.get(round_number, 0)

    def raise_floor(self, floor: int) -> list[Vertex]:
        """Forget the rounds up to and including `floor`; what was forgotten."""
        removed: list[Vertex] = []
        if floor <= self._floor:
            return removed
        for number in sorted(number for number in self._rows if number <= floor):
            removed += self._rows.pop(number).vertices
        for vertex in removed:
            del self._vertices[vertex.block.digest]
            vertex.parents = ()  # else every block ever accepted would stay in memory
        for author in {vertex.block.author for vertex in removed}:
            chain = self._by_author[author]
            del chain[: bisect_left(chain, floor + 1, key=_by_round)]
        self._floor = floor
        return removed

    def take(self, vertices: Iterable[Vertex]) -> None:
        """Note that a commit has taken these blocks."""
        for vertex in vertices:
            vertex.taken = True


def _by_ref(vertex: Vertex) -> BlockRef:
    return vertex.block.ref


def _by_round(vertex: Vertex) -> int:
    return vertex.block.round
