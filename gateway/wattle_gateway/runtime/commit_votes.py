"""Whether the others come to the same ledger: their commit votes against our own digests.

A block's commit vote covers order, execution and state. At most f members vote for anything;
once more than f vote for another ledger than ours, one of them is honest, and the fault is here.
"""

from collections.abc import Callable

from wattle_gateway.ledger.block import Block, CommitVote
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.runtime.errors import DivergenceError

DigestOf = Callable[[int], bytes | None]


class CommitVotes:
    """The votes of one epoch's members that could not be compared yet, and those that differ."""

    def __init__(self, epoch: Epoch, own: int | None) -> None:
        self._epoch = epoch
        self._own = own
        # Of each author the oldest and the newest vote beyond our head: the oldest is reached
        # first, however fast the author goes on.
        self._ahead: dict[int, list[CommitVote]] = {}
        # By author the commit where its ledger was first seen to be another one.
        self.differing: dict[int, int] = {}

    def note(self, block: Block, head: CommitHead, digest_of: DigestOf) -> None:
        """A valid block votes. Raises DivergenceError when more than f differ from us."""
        vote = block.commit_vote
        if block.author == self._own:
            return
        if vote.index > head.index:
            ahead = self._ahead.setdefault(block.author, [])
            if len(ahead) > 1:
                ahead.pop()
            ahead.append(vote)
        elif digest_of(vote.index) not in (vote.digest, None):  # None: before our ledger begins
            self._differs(block.author, vote.index)

    def executed(self, head: CommitHead) -> None:
        """A commit was executed. Raises DivergenceError as `note` does."""
        for author, ahead in self._ahead.items():
            while ahead and ahead[0].index <= head.index:
                vote = ahead.pop(0)
                if vote.index == head.index and vote.digest != head.digest:
                    self._differs(author, vote.index)

    def _differs(self, author: int, index: int) -> None:
        self.differing.setdefault(author, index)
        if len(self.differing) > self._epoch.faulty_max:
            names = ", ".join(self._epoch.members[found].name for found in sorted(self.differing))
            raise DivergenceError(
                f"commit {min(self.differing.values())} of this gateway is not the one that "
                f"{names} vote for: stop, `audit`, and `repair` from a peer"
            )
