"""Commits: what consensus decides and what their execution leaves behind (SPEC section 11)."""

from dataclasses import dataclass

from wattle_gateway.ledger.block import Block, BlockRef, CommitVote
from wattle_gateway.ledger.epoch import Epoch


@dataclass(frozen=True)
class Commit:
    """A decision: execute `blocks`, in this order, as commit number `index`.

    `index` counts from 1 over all epochs; `leader` is the last of `blocks`; `time_ms` the commit
    time. The digests of a commit exist only after its execution: see CommitHead.
    """

    epoch: int
    index: int
    leader: BlockRef
    blocks: tuple[Block, ...]
    time_ms: int


@dataclass(frozen=True)
class CommitHead:
    """An executed commit: what the next one, votes and acks are built on.

    `digest` = commit digest (32 bytes), `state_digest` = state digest (32 bytes).
    Index 0 stands for "no commit yet".
    """

    index: int
    time_ms: int
    digest: bytes
    state_digest: bytes

    @property
    def vote(self) -> CommitVote:
        """The commit vote of a block made on this head."""
        return CommitVote(self.index, self.digest)


def first_head(epoch: Epoch) -> CommitHead:
    """The head before the first commit; `epoch` is epoch 0."""
    assert epoch.number == 0
    return CommitHead(0, epoch.created_ms, epoch.digest, bytes(32))
