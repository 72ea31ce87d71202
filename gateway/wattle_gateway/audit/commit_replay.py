"""Which commits the stored blocks decide: the commit rule once more, from nothing but blocks."""

from wattle_gateway.consensus import committer, linearizer
from wattle_gateway.consensus.dag import Dag
from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock
from wattle_gateway.ledger.commit import Commit
from wattle_gateway.ledger.epoch import Epoch


class CommitReplay:
    """Takes blocks by rising round and gives each commit as soon as they decide it.

    The same pure functions as in the engine, without its clock, pool and key.
    """

    def __init__(self, epoch: Epoch) -> None:
        self._epoch = epoch
        self._dag = Dag(0)
        self._leader: BlockRef | None = None
        self._index = 0
        self._time_ms = epoch.created_ms
        self._committed: set[BlockRef] = set()

    def missing(self, block: Block) -> tuple[BlockRef, ...]:
        """Parents that were not given before this block."""
        return self._dag.missing(block)

    def add(self, verified: VerifiedBlock) -> list[Commit]:
        """One more block, whose parents were given; the commits that it decides."""
        self._dag.add(verified.block)
        commits: list[Commit] = []
        while True:
            slot = 1 if self._leader is None else self._leader.round + 1
            leader = committer.decide_directly(self._dag, self._epoch, slot)
            if leader is None:
                return commits
            commits.append(self._commit(leader))

    def _commit(self, leader: Block) -> Commit:
        depth = self._epoch.constants.gc_depth
        floor = linearizer.floor_after(self._leader, depth)
        blocks = linearizer.order(self._dag, leader.ref, self._committed, floor)
        self._time_ms = linearizer.commit_time_ms(self._dag, self._epoch, leader, self._time_ms)
        self._index += 1
        self._leader = leader.ref
        self._committed.update(block.ref for block in blocks)
        self._dag.raise_floor(linearizer.floor_after(leader.ref, depth))
        self._committed = {ref for ref in self._committed if ref in self._dag}
        return Commit(self._epoch.number, self._index, leader.ref, blocks, self._time_ms)
