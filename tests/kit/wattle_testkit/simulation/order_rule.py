"""What a commit takes, and in which order: rules 24 to 26, read off the commit and nothing else.

Agreement would not show it if all left out the same blocks.
"""

from wattle_gateway.ledger.block import BlockRef
from wattle_gateway.ledger.commit import Commit
from wattle_gateway.ledger.epoch import Epoch

from wattle_testkit.simulation.checkers import ViolationError


class Order:
    """Looks at each commit once, in the order of their indices."""

    def __init__(self) -> None:
        self._epoch = 0
        self._taken: set[BlockRef] = set()
        self._floor = 0

    def committed(self, commit: Commit, epoch: Epoch) -> None:
        """The next commit; `epoch` is the one it belongs to."""
        if epoch.number != self._epoch:
            self._epoch, self._floor = epoch.number, 0
            self._taken.clear()
        refs = [block.ref for block in commit.blocks]
        if refs != sorted(set(refs)) or not refs or refs[-1] != commit.leader:
            raise ViolationError("order", f"commit {commit.index} is not in order")
        named = {commit.leader, *(ref for block in commit.blocks for ref in block.parents)}
        for ref in refs:
            if ref.round <= self._floor or ref in self._taken or ref not in named:
                raise ViolationError(
                    "order", f"commit {commit.index} takes {ref}, which it must not"
                )
        self._taken.update(refs)
        for block in commit.blocks:
            for ref in block.parents:
                if ref.round > self._floor and ref not in self._taken:
                    raise ViolationError("order", f"commit {commit.index} leaves out {ref}")
        self._floor = max(0, commit.leader.round - epoch.constants.gc_depth)
