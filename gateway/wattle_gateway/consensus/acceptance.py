"""What enters the graph, and when (rules 9 and 24): known parents first, each block once."""

from collections.abc import Iterable, Sequence

from wattle_gateway.consensus.dag import Dag
from wattle_gateway.consensus.equivocators import Equivocators
from wattle_gateway.consensus.errors import ConsensusError, HistoryError
from wattle_gateway.consensus.parking import Parking
from wattle_gateway.consensus.uncommitted import Uncommitted
from wattle_gateway.ledger.block import Block, VerifiedBlock
from wattle_gateway.ledger.epoch import Epoch

# Blocks of rounds further above the graph are not kept: nothing can be done with them until the
# rounds between are here, and they are named by others when these are.
ROUNDS_AHEAD_MAX = 256
# Blocks of an author and round that are taken uncalled: two prove that it equivocates, and a
# further one is of use only if another block names it.
TWINS_TAKEN = 2
# Further ones that are taken on the word of one member that has ended this epoch: it decided with
# them, and nobody will name them here any more. They are of the last few rounds.
VOUCHED_MAX = 64

Pair = tuple[Block, Block]
"""Two blocks of one author and round, the lower digest first."""


class Acceptance:
    """The graph with its antechamber. `accepted` and `pairs` grow until they are taken."""

    def __init__(self, epoch: Epoch, floor: int, known: Iterable[int]) -> None:
        """`floor` of the graph; `known` equivocators."""
        self._epoch = epoch
        self.dag = Dag(epoch, floor)
        self.parking = Parking(epoch.size)
        self.equivocators = Equivocators(epoch, known)
        self.uncommitted = Uncommitted()
        self.accepted: list[VerifiedBlock] = []
        self.pairs: list[Pair] = []
        self._vouched: dict[bytes, int] = {}

    def offer(self, verified: VerifiedBlock, voucher: bytes | None = None) -> None:
        """A valid block, from wherever: takes it into the graph, parks it or leaves it.

        `voucher`: the member (kid) that gave it and has ended this epoch.
        """
        block = verified.block
        if block.epoch != self._epoch.number or block.round <= self.dag.floor:
            return
        ref = block.ref
        if ref in self.dag or self.parking.find(ref) is not None:
            return
        wanted = self.parking.awaits(ref)
        if block.round > self.dag.top + ROUNDS_AHEAD_MAX and not wanted:
            return
        twins = self._twins(block)
        if twins:
            self._note(block, twins[0])
            if len(twins) >= TWINS_TAKEN and not (wanted or self._vouches(voucher)):
                return
        missing = self.dag.missing(block)
        if missing:
            self.parking.park(verified, missing)
        else:
            self._enter([verified])

    def _vouches(self, voucher: bytes | None) -> bool:
        if voucher is None or self._vouched.get(voucher, 0) >= VOUCHED_MAX:
            return False
        self._vouched[voucher] = self._vouched.get(voucher, 0) + 1
        return True

    def restore(self, block: Block, verified: VerifiedBlock | None) -> None:
        """A block from the store, above the floor, parents first; `verified` if no commit has
        taken it. Nothing is told of it again but that its author equivocates.

        Raises ConsensusError if a parent is not here.
        """
        if self.dag.missing(block):
            raise ConsensusError(
                f"recovered block of round {block.round}, author {block.author}: "
                "a parent is not among the recovered blocks"
            )
        twins = self._twins(block)
        vertex = self.dag.add(block)
        if vertex is None:
            return
        if twins:
            self._note(block, twins[0])
        if verified is None:
            self.dag.take((vertex,))
        else:
            self.uncommitted.add(verified, self.equivocators.ignored)

    def enter_proved(self, blocks: Sequence[VerifiedBlock]) -> None:
        """The blocks of a proved commit, parents before whoever names them: no room is asked.

        Raises HistoryError if a parent is neither there nor among them.
        """
        for verified in blocks:
            block = verified.block
            if block.round <= self.dag.floor or block.ref in self.dag:
                continue
            if self.dag.missing(block):
                raise HistoryError(
                    f"block of round {block.round}, author {block.author} of a proved commit "
                    "has a parent that no commit up to it has"
                )
            twins = self._twins(block)
            if twins:
                self._note(block, twins[0])
            self.parking.drop(block.ref)
            self._enter([verified])

    def _twins(self, block: Block) -> list[Block]:
        """Other blocks of its author and round that are here."""
        found = [vertex.block for vertex in self.dag.slot(block.round, block.author)]
        found += self.parking.slot(block.round, block.author)
        return [other for other in found if other.digest != block.digest]

    def _note(self, one: Block, other: Block) -> None:
        if self.equivocators.add(one.author):
            pair = (one, other) if one.digest < other.digest else (other, one)
            self.pairs.append(pair)
            self.uncommitted.ignore(self.equivocators.ignored)

    def accuse(self, author: int) -> None:
        """An author is known from elsewhere to have signed two blocks of a round."""
        if self.equivocators.add(author):
            self.uncommitted.ignore(self.equivocators.ignored)

    def _enter(self, ready: list[VerifiedBlock]) -> None:
        """Take blocks that lack nothing, and all that then lack nothing either."""
        while ready:
            verified = ready.pop()
            if self.dag.add(verified.block) is None:
                continue
            self.uncommitted.add(verified, self.equivocators.ignored)
            self.accepted.append(verified)
            ready += self.parking.arrived(verified.block.ref)

    def raise_floor(self, floor: int) -> list[VerifiedBlock]:
        """Settle the rounds up to `floor`; the blocks that fell below it without a commit."""
        removed = self.dag.raise_floor(floor)
        if not removed:
            return []
        fallen = self.uncommitted.remove(vertex.block for vertex in removed if not vertex.taken)
        self._enter(self.parking.raise_floor(floor))
        return fallen
