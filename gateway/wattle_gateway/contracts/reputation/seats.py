"""What a suspension costs a gateway: the ledger itself proposes the epoch without its seat (D33).

Nobody has to accuse anybody: the proposal is a row `change` like those that members propose, and
it takes effect when q of them approve it. It goes when its member is suspended no more.
"""

from hashlib import sha256

from wattle_wire import cbor

from wattle_gateway.contracts import alliance
from wattle_gateway.contracts.alliance import CONTRACT, PendingChange
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.reputation.standing import standing
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger.epoch import Epoch, EpochChange
from wattle_gateway.ledger.genesis import Member
from wattle_gateway.ledger.market import Market


def review(state: State, epoch: Epoch, market: Market, time_ms: int) -> None:
    """At the end of each commit: propose, keep or take back the change that takes the seats of
    suspended voting members."""
    leaving = to_leave(state, epoch, market, time_ms)
    pending = alliance.pending_change(state, CONTRACT)
    if not leaving:
        if pending is not None:
            alliance.delete_change(state, CONTRACT)
        return
    kids = {member.kid for member in leaving}
    staying = tuple(member for member in epoch.everyone if member.kid not in kids)
    change = EpochChange(staying, epoch.rules, epoch.constants)
    if pending is None or pending.change != change:
        digest = proposal_digest(epoch, change)
        alliance.put_change(state, PendingChange(CONTRACT, digest, change, ()))


def to_leave(state: Rows, epoch: Epoch, market: Market, time_ms: int) -> tuple[Member, ...]:
    """The voting members that should lose their seats, lowest reputation first: no more at once
    than the committee bears to lose (one, if it bears none), and never the last."""
    found = [
        (stands.reputation, member.kid, member)
        for member in epoch.members
        if (stands := standing(state, market, member.kid, time_ms)).suspended
    ]
    most = min(max(1, epoch.faulty_max), epoch.size - 1)
    return tuple(member for _, _, member in sorted(found, key=lambda one: one[:2])[:most])


def proposed(state: Rows, kid: bytes) -> bytes | None:
    """The digest by which members approve that a member (kid) loses its seat; None if the ledger
    does not propose that."""
    pending = alliance.pending_change(state, CONTRACT)
    if pending is None or any(member.kid == kid for member in pending.change.members):
        return None
    return pending.digest


def proposal_digest(epoch: Epoch, change: EpochChange) -> bytes:
    """What the proposal is approved by (32 bytes): SHA-256 of encoded `["wattle/1/seats", ledger
    id, epoch, [kid of each member that stays]]`. No transaction has it."""
    staying = [member.kid for member in change.members]
    said = ["wattle/1/seats", epoch.ledger_id, epoch.number, staying]
    return sha256(cbor.encode(said)).digest()
