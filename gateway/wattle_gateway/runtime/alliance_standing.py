"""How the members of an alliance are doing, from a gateway's ledger.db: read only, whether the
gateway runs or not."""

import sqlite3
from dataclasses import dataclass

from wattle_gateway.consensus.engine import IDLE_ROUND_MS
from wattle_gateway.consensus.schedule import Schedule
from wattle_gateway.contracts import alliance
from wattle_gateway.contracts.alliance import Cheat, FalseCheckpoints
from wattle_gateway.contracts.reputation import seats
from wattle_gateway.contracts.reputation.standing import Standing, standing
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.genesis import Member
from wattle_gateway.runtime import recovery
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.store import block_rows

# An idle member makes a round a minute; whoever is behind and has made none for two and a half
# of them is not merely slow.
SILENT_MS = 5 * IDLE_ROUND_MS // 2


@dataclass(frozen=True)
class MemberStanding:
    """One member, as this gateway sees it.

    `author` its index, None without a vote; `round` and `block_ms` (Unix ms, by its own clock) of
    its newest block in the epoch, 0 and None for none; `slow`: set aside by the leader schedule
    for its blocks come late (rule 28); `resting`: it leads no slot of the epoch; `cheat`,
    `false_checkpoints` what evidence on the ledger shows of it; `reputation` what it has earned,
    None below rules 3; `proposed` the digest of the change by which the ledger proposes to take
    its seat, None if it does not.
    """

    member: Member
    author: int | None
    round: int
    block_ms: int | None
    slow: bool
    resting: bool
    cheat: Cheat | None
    false_checkpoints: FalseCheckpoints | None
    reputation: Standing | None
    proposed: bytes | None


@dataclass(frozen=True)
class AllianceStanding:
    """The alliance in the epoch in force; `members` by rising kid."""

    epoch: Epoch
    head: CommitHead
    members: tuple[MemberStanding, ...]

    @property
    def round(self) -> int:
        """The highest round of which this gateway has a block."""
        return max((found.round for found in self.members), default=0)

    def commit_age_ms(self, now_ms: int) -> int:
        """How long ago the newest commit was, at `now_ms` (Unix ms)."""
        return now_ms - self.head.time_ms

    def silent(self, now_ms: int, clock_speed: int = 1) -> tuple[MemberStanding, ...]:
        """The voting members that are behind and have made no block for SILENT_MS, in which a
        bench's clock runs `clock_speed` times as far.

        Who is level with the highest round may have to wait for those who are not.
        """
        return tuple(
            found
            for found in self.members
            if found.author is not None
            and found.round < self.round
            and now_ms - (found.block_ms or self.epoch.created_ms) > SILENT_MS * clock_speed
        )


def read(connection: sqlite3.Connection, first: Epoch) -> AllianceStanding:
    """The standing; `first` is epoch 0. StoreError or LedgerError for a damaged ledger."""
    return of_ledger(connection, ExecutedLedger(connection, first))


def of_ledger(connection: sqlite3.Connection, ledger: ExecutedLedger) -> AllianceStanding:
    """The standing as of a ledger that was read from this connection."""
    epoch = ledger.epoch
    leaders = Schedule(epoch, recovery.window(connection, ledger)).leaders
    return AllianceStanding(
        epoch,
        ledger.head,
        tuple(_standing(connection, ledger, member, leaders) for member in epoch.everyone),
    )


def _standing(
    connection: sqlite3.Connection,
    ledger: ExecutedLedger,
    member: Member,
    leaders: tuple[int, ...],
) -> MemberStanding:
    epoch = ledger.epoch
    author = epoch.author_of(member.kid)
    resting = member.kid in epoch.resting
    newest = None
    if author is not None:
        newest = block_rows.load_newest(connection, epoch.ledger_id, epoch.number, author)
    market = epoch.constants.market
    reputation = None
    if market is not None:
        reputation = standing(ledger.state, market, member.kid, ledger.head.time_ms)
    return MemberStanding(
        member=member,
        author=author,
        round=0 if newest is None else newest.round,
        block_ms=None if newest is None else newest.time_ms,
        slow=author is not None and author not in leaders and not resting,
        resting=resting,
        cheat=alliance.cheat(ledger.state, member.kid),
        false_checkpoints=alliance.false_checkpoints(ledger.state, member.kid),
        reputation=reputation,
        proposed=seats.proposed(ledger.state, member.kid),
    )
