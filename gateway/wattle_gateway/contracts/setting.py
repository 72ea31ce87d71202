"""What the execution of a transaction reads beside the state."""

from collections.abc import Callable
from dataclasses import dataclass

from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.crypto import Verify
from wattle_gateway.ledger.epoch import Epoch

DigestOf = Callable[[int], bytes | None]
"""Index of an executed commit -> its digest (32 bytes); 0 -> digest of epoch 0; None for an
index that the ledger does not have."""


@dataclass(frozen=True)
class Setting:
    """One commit while it executes.

    `time_ms` its commit time; `head` the commit before, `digest_of` those up to it; `ended`
    whether a change has its q-th approval in this commit already.
    """

    time_ms: int
    epoch: Epoch
    head: CommitHead
    verify: Verify
    digest_of: DigestOf
    ended: bool = False

    @property
    def index(self) -> int:
        """The index of this commit."""
        return self.head.index + 1
