"""Up to which commit q authors of an epoch have voted for this very ledger."""

from collections.abc import Callable

from wattle_gateway.ledger.block import Block
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.epoch import Epoch


class VoteProof:
    """The highest commit that each author's blocks vote for: a vote covers all before it."""

    def __init__(self, epoch: Epoch, digest_of: Callable[[int], bytes | None]) -> None:
        self._epoch = epoch
        self._digest_of = digest_of
        self._highest: dict[int, int] = {}
        # Votes beyond what was executed so far: index -> (author, digest).
        self._ahead: dict[int, list[tuple[int, bytes]]] = {}

    def note(self, block: Block, head: CommitHead) -> None:
        """A valid block votes."""
        vote = block.commit_vote
        if vote.index > head.index:
            self._ahead.setdefault(vote.index, []).append((block.author, vote.digest))
        elif vote.index <= self._highest.get(block.author, -1):
            return
        elif vote.digest == self._digest_of(vote.index):
            self._highest[block.author] = vote.index

    def executed(self, head: CommitHead) -> None:
        """A commit was executed."""
        for author, digest in self._ahead.pop(head.index, ()):
            if digest == head.digest:
                self._highest[author] = max(head.index, self._highest.get(author, -1))

    @property
    def proved(self) -> int:
        """The highest commit at or above which q authors voted for commits of this ledger."""
        highest = sorted(self._highest.values(), reverse=True)
        quorum = self._epoch.quorum
        return highest[quorum - 1] if len(highest) >= quorum else 0
