"""`status`: how each member is doing, from the ledger and, if the gateway runs, from its links."""

from dataclasses import dataclass
from typing import Any

from wattle_gateway.ledger import genesis
from wattle_gateway.runtime.alliance_standing import AllianceStanding, MemberStanding


@dataclass(frozen=True)
class MemberStatus:
    """One member. `round` of its newest block in the epoch, 0 for none; `block_age_ms` by its own
    clock, None for none.

    `slow`: its turns to lead are taken away, since its blocks come late (rule 28); `resting`: they
    are in all of this epoch, since it is suspended; `silent`: it is behind and has made no block
    for minutes; `cheated`: evidence on the ledger shows two blocks of a round or a false
    checkpoint; `differs`: its newest checkpoint is not of our log, so that one of both is wrong.
    `reputation` permille, None below rules 3; `suspended_until_ms` None if it is not suspended;
    `proposed` the digest (hex) of the change that takes its seat, "" if the ledger proposes none.
    `link` a row of `LiveStatus.peers`, None for ourselves or when the gateway is stopped.
    """

    name: str
    kid: str
    role: str
    votes: bool
    own: bool
    round: int
    block_age_ms: int | None
    slow: bool
    resting: bool
    silent: bool
    cheated: bool
    differs: bool
    reputation: int | None
    suspended_until_ms: int | None
    proposed: str
    link: dict[str, Any] | None


def lines(
    standing: AllianceStanding, own_kid: bytes, clock_ms: int, live: dict[str, Any] | None
) -> list[MemberStatus]:
    """Every member by rising kid; `clock_ms` Unix ms of the gateway's clock, `live` what the
    running process says."""
    speed = 1 if live is None else live["clock_speed"]
    links = {} if live is None else {peer["kid"]: peer for peer in live["peers"]}
    consensus = None if live is None else live["consensus"]
    differing = [] if consensus is None else consensus["differing"]
    # Who is stopped does not hear anybody.
    quiet = () if live is None else standing.silent(clock_ms, speed)
    silent = {found.member.kid for found in quiet}
    return [
        _line(
            found,
            own=found.member.kid == own_kid,
            silent=found.member.kid in silent,
            differs=found.member.kid.hex() in differing,
            clock_ms=clock_ms,
            link=links.get(found.member.kid.hex()),
        )
        for found in standing.members
    ]


def _line(
    found: MemberStanding,
    *,
    own: bool,
    silent: bool,
    differs: bool,
    clock_ms: int,
    link: dict[str, Any] | None,
) -> MemberStatus:
    member, stands = found.member, found.reputation
    return MemberStatus(
        name=member.name,
        kid=member.kid.hex(),
        role=genesis.ROLE_NAMES[member.role],
        votes=member.votes,
        own=own,
        round=found.round,
        block_age_ms=None if found.block_ms is None else clock_ms - found.block_ms,
        slow=found.slow,
        resting=found.resting,
        silent=silent,
        cheated=found.cheat is not None or found.false_checkpoints is not None,
        differs=differs,
        reputation=None if stands is None else stands.reputation,
        suspended_until_ms=None if stands is None else stands.back_ms,
        proposed="" if found.proposed is None else found.proposed.hex(),
        link=link,
    )
