"""An epoch: the committee that a stretch of the ledger belongs to (SPEC section 9)."""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

from wattle_wire import cbor

from wattle_gateway.ledger.errors import RulesError
from wattle_gateway.ledger.genesis import (
    RULES_KNOWN,
    Constants,
    Genesis,
    Member,
    constants_map,
    constants_under,
    known_rules,
    member_row,
)

if TYPE_CHECKING:
    from wattle_gateway.ledger.commit import CommitHead


@dataclass(frozen=True)
class Epoch:
    """Members and constants in force, with the numbers that validity needs.

    `number` counts from 0; `digest` is the round-0 block of every author; `name` that of the
    genesis; `created_ms` the time of round 0; `everyone` all members by rising kid; `resting`
    kids, rising, of at most f voting members that lead no slot of it.
    """

    number: int
    digest: bytes
    ledger_id: bytes
    name: str
    created_ms: int
    everyone: tuple[Member, ...]
    rules: int
    constants: Constants
    resting: tuple[bytes, ...] = ()

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """The committee: `members[author]` is the voting member behind an author index."""
        return tuple(member for member in self.everyone if member.votes)

    @cached_property
    def others(self) -> tuple[Member, ...]:
        """The members without a vote, by rising kid."""
        return tuple(member for member in self.everyone if not member.votes)

    @cached_property
    def size(self) -> int:
        """n, the number of voting members."""
        return len(self.members)

    @cached_property
    def faulty_max(self) -> int:
        """f = floor((n - 1) / 3), the faulty members the committee bears."""
        return (self.size - 1) // 3

    @cached_property
    def quorum(self) -> int:
        """q = n - f, the members a decision needs."""
        return self.size - self.faulty_max

    def author_of(self, kid: bytes) -> int | None:
        """The author index of the voting member with this block kid, or None."""
        return self._authors.get(kid)

    def party_of(self, kid: bytes) -> Member | None:
        """The member with this block kid, whether it votes or not, or None."""
        return self._parties.get(kid)

    @cached_property
    def resting_authors(self) -> frozenset[int]:
        """The author indices of those that rest."""
        return frozenset(self._authors[kid] for kid in self.resting)

    @cached_property
    def _authors(self) -> dict[bytes, int]:
        return {member.kid: author for author, member in enumerate(self.members)}

    @cached_property
    def _parties(self) -> dict[bytes, Member]:
        return {member.kid: member for member in self.everyone}


@dataclass(frozen=True)
class EpochChange:
    """What the next epoch is made of: `members` all of them by rising kid. `resting` as of an
    Epoch: nobody proposes it, the ledger fills it in."""

    members: tuple[Member, ...]
    rules: int
    constants: Constants
    resting: tuple[bytes, ...] = ()


def first_epoch(genesis: Genesis) -> Epoch:
    """Epoch 0 of a ledger."""
    change = EpochChange(genesis.members, genesis.rules, genesis.constants)
    return _epoch(genesis.ledger_id, genesis.name, 0, change, genesis.created_ms, bytes(32))


def next_epoch(epoch: Epoch, change: EpochChange, head: "CommitHead") -> Epoch:
    """The epoch that follows `epoch`, which ended with the commit that left `head`.

    Raises RulesError if its rules are none that this gateway knows.
    """
    if change.rules not in RULES_KNOWN:
        raise RulesError(
            f"epoch {epoch.number + 1} has rules {change.rules}, this gateway knows {known_rules()}"
        )
    return _epoch(epoch.ledger_id, epoch.name, epoch.number + 1, change, head.time_ms, head.digest)


def _epoch(
    ledger_id: bytes,
    name: str,
    number: int,
    change: EpochChange,
    created_ms: int,
    last_commit_digest: bytes,
) -> Epoch:
    """An epoch with its digest: SHA-256 of encoded `["wattle/1/epoch", ledger id, epoch, last
    commit digest, members, rules, constants]`, and `[kid, ..]` of those that rest if any do; epoch
    0 takes 32 zero bytes as that digest."""
    constants = constants_under(change.constants, change.rules)
    said = [
        "wattle/1/epoch",
        ledger_id,
        number,
        last_commit_digest,
        [member_row(member) for member in change.members],
        change.rules,
        constants_map(constants),
        *resting_part(change.resting),
    ]
    digest = sha256(cbor.encode(said)).digest()
    return Epoch(
        number,
        digest,
        ledger_id,
        name,
        created_ms,
        change.members,
        change.rules,
        constants,
        change.resting,
    )


def resting_part(resting: tuple[bytes, ...]) -> list[list[bytes]]:
    """How those that rest stand at the end of an array: not at all if there are none, so that an
    epoch in which all lead is written as before rules 3."""
    return [list(resting)] if resting else []
