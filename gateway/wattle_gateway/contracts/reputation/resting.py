"""What a suspension costs a gateway at once: an epoch begins in which it leads no slot (D33).

Decisions run ahead of execution, so a schedule cannot read reputations; an epoch it can. The
committee stays as it is, so nobody has to approve anything.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from wattle_gateway.contracts import alliance
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.reputation.standing import standing
from wattle_gateway.ledger.epoch import Epoch, EpochChange
from wattle_gateway.ledger.genesis import EVENT_RULES, Member
from wattle_gateway.ledger.market import Market


def next_change(
    state: Rows, epoch: Epoch, market: Market, time_ms: int, approved: EpochChange | None
) -> EpochChange | None:
    """What the next epoch is made of: the change that the members `approved`, without slots for
    the suspended; without one, this epoch with other members resting, or None if they are the
    same."""
    if approved is not None and approved.rules < EVENT_RULES:  # they know no reputations
        return approved
    change = approved or EpochChange(epoch.everyone, epoch.rules, epoch.constants)
    kids = to_rest(state, change.members, epoch.resting, market, time_ms)
    if approved is None:
        # Whose blocks nobody names until the epoch ends loses nothing by another one.
        unnamed = {kid for kid in kids if alliance.is_unnamed(state, epoch, kid)}
        kids = tuple(kid for kid in kids if kid in epoch.resting or kid not in unnamed)
        if kids == epoch.resting:
            return None
    return replace(change, resting=kids)


def to_rest(
    state: Rows, members: Sequence[Member], before: Collection[bytes], market: Market, time_ms: int
) -> tuple[bytes, ...]:
    """The kids, rising, of the suspended voting ones of `members`, at most f of them: who rests
    already goes on (no epoch begins because two are about equally bad), then by rising
    (reputation, kid)."""
    voting = [member for member in members if member.votes]
    most = (len(voting) - 1) // 3
    suspended = [
        (member.kid not in before, stands.reputation, member.kid)
        for member in voting
        if (stands := standing(state, market, member.kid, time_ms)).suspended
    ]
    return tuple(sorted(kid for _, _, kid in sorted(suspended)[:most]))
