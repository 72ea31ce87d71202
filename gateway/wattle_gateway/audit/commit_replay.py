"""Which commits the stored blocks decide: the commit rule once more, from nothing but blocks."""

from wattle_gateway.consensus.dag import Dag
from wattle_gateway.consensus.sequencer import Sequencer
from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock
from wattle_gateway.ledger.commit import Commit
from wattle_gateway.ledger.epoch import Epoch


class CommitReplay:
    """Takes blocks by rising round and gives each commit as soon as they decide it.

    The same pure functions as in the engine, without its clock, pool and key.
    """

    def __init__(self, epoch: Epoch) -> None:
        self._dag = Dag(epoch)
        self._sequencer = Sequencer(epoch, 0, epoch.created_ms)

    def parent(self, ref: BlockRef) -> Block | None:
        """The stored block of this name, None if it was not given."""
        return self._dag.get(ref) if ref in self._dag else None

    def missing(self, block: Block) -> tuple[BlockRef, ...]:
        """Parents that were not given before this block."""
        return self._dag.missing(block)

    def add(self, verified: VerifiedBlock) -> list[Commit]:
        """One more block, whose parents were given; the commits that it decides."""
        self._dag.add(verified.block)
        commits = self._sequencer.decide(self._dag)
        self._dag.raise_floor(self._sequencer.floor)
        return commits
