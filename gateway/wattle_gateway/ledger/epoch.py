"""An epoch: the committee that a stretch of the ledger belongs to (SPEC section 9)."""

from dataclasses import dataclass

from wattle_gateway.ledger import genesis as genesis_format
from wattle_gateway.ledger.genesis import Constants, Genesis, Member


@dataclass(frozen=True)
class Epoch:
    """Members and constants in force, with the numbers that validity needs.

    `number` counts from 0; `digest` is the round-0 block of every author; `created_ms` the time
    of round 0; `members[author]` the member behind an author index.
    """

    number: int
    digest: bytes
    ledger_id: bytes
    created_ms: int
    members: tuple[Member, ...]
    constants: Constants

    @property
    def size(self) -> int:
        """n, the number of members."""
        return len(self.members)

    @property
    def faulty_max(self) -> int:
        """f = floor((n - 1) / 3), the faulty members the committee bears."""
        return (len(self.members) - 1) // 3

    @property
    def quorum(self) -> int:
        """q = n - f, the members a decision needs."""
        return len(self.members) - self.faulty_max

    def author_of(self, kid: bytes) -> int | None:
        """The author index of the member with this block kid, or None."""
        for author, member in enumerate(self.members):
            if member.kid == kid:
                return author
        return None


def first_epoch(genesis: Genesis) -> Epoch:
    """Epoch 0 of a ledger."""
    return Epoch(
        0,
        genesis_format.epoch_digest(genesis, 0, bytes(32)),
        genesis.ledger_id,
        genesis.created_ms,
        genesis.members,
        genesis.constants,
    )
