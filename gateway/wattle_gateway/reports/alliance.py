"""`alliance show`: who is a member, what waits for whose approval, and who was caught.

Everything stands in the ledger but those who ask to become members: they are known to the
running gateway that invited them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from wattle_gateway.contracts import accounts, alliance, parties, registry, waiting
from wattle_gateway.contracts.alliance import CONTRACT, PendingChange, PendingEnrolment
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.reputation.standing import Standing, standing
from wattle_gateway.contracts.waiting import Waiting
from wattle_gateway.ledger import (
    account_bodies,
    crypto,
    genesis,
    hosted_word,
    move_body,
    settlement_bodies,
    transaction,
)
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.genesis import Constants, Member
from wattle_gateway.ledger.market import market_map
from wattle_gateway.ledger.move_body import Move
from wattle_gateway.ledger.settlement_bodies import Contract
from wattle_gateway.reports.samples import decimal


@dataclass(frozen=True)
class Who:
    """A member by its name, which is its own choice, and its kid, which is its alone."""

    name: str
    kid: str


@dataclass(frozen=True)
class MemberLine:
    """One member. `cheated`, `false_checkpoints` say what evidence in the ledger shows of it, ""
    for nothing; `address` where its card says that it is, "" if that is not known; `reputation`
    permille, None below rules 3; `suspended_until_ms` None if it is not suspended; `resting`: it
    leads no slot of the epoch."""

    name: str
    kid: str
    role: str
    votes: bool
    own: bool
    address: str
    cheated: str
    false_checkpoints: str
    reputation: int | None
    suspended_until_ms: int | None
    resting: bool


@dataclass(frozen=True)
class ChangeLine:
    """A change that waits: with `needed` approvals of voting members the next epoch begins.

    `joins`, `leaves` members that come and go, `alters` those whose role or keys change;
    `settings` rules and constants that change, by name as [now, then].
    """

    digest: str
    proposer: Who
    joins: list[Who]
    leaves: list[Who]
    alters: list[Who]
    settings: dict[str, list[object]]
    approved: list[Who]
    missing: list[Who]
    needed: int


@dataclass(frozen=True)
class EnrolmentLine:
    """An enrolment that waits until `until_ms` for one of `approvers`, who have another role than
    the meter's home. `protection`: how the meter says that its key is kept."""

    digest: str
    meter: str
    site: str
    protection: str
    home: Who
    until_ms: int
    approvers: list[Who]


@dataclass(frozen=True)
class WaitingLine:
    """Another transaction of `origin` that waits for one of `approvers` until `until_ms`: `kind` by
    name, and `what` it would do."""

    digest: str
    kind: str
    what: str
    origin: Who
    until_ms: int
    approvers: list[Who]


@dataclass(frozen=True)
class Alliance:
    """The whole answer; `asking` is None when the gateway is stopped. Its rows are those of
    `LiveStatus.candidates`. `since_ms` when the epoch began, `size`, `faulty_max`, `quorum` n, f
    and q of its voting members, `own` whether this gateway is a member."""

    ledger_name: str
    ledger_id: str
    epoch: int
    since_ms: int
    size: int
    faulty_max: int
    quorum: int
    own: bool
    warning: str
    members: list[MemberLine]
    changes: list[ChangeLine]
    enrolments: list[EnrolmentLine]
    waiting: list[WaitingLine]
    asking: list[dict[str, Any]] | None

    def as_json(self) -> dict[str, Any]:
        """The shape of `alliance show --format json`."""
        return asdict(self)


def read(
    state: Mapping[bytes, bytes],
    epoch: Epoch,
    head: CommitHead,
    own_kid: bytes,
    addresses: Mapping[bytes, str],
    asking: list[dict[str, Any]] | None,
) -> Alliance:
    """The alliance after commit `head`; `addresses` of members by kid, as far as known."""
    return Alliance(
        ledger_name=epoch.name,
        ledger_id=epoch.ledger_id.hex(),
        epoch=epoch.number,
        since_ms=epoch.created_ms,
        size=epoch.size,
        faulty_max=epoch.faulty_max,
        quorum=epoch.quorum,
        own=epoch.party_of(own_kid) is not None,
        warning=warning(epoch),
        members=[
            _member_line(
                state,
                epoch,
                member,
                addresses.get(member.kid, ""),
                _standing(state, epoch, member, head),
                own=member.kid == own_kid,
            )
            for member in epoch.everyone
        ],
        changes=[change_line(pending, epoch) for pending in alliance.pending_changes(state, epoch)],
        enrolments=[
            enrolment_line(pending, epoch)
            for pending in alliance.pending_enrolments(state)
            if pending.until_ms >= head.time_ms
        ],
        waiting=[
            waiting_line(state, found, epoch)
            for found in waiting.everything(state)
            if found.until_ms >= head.time_ms
        ],
        asking=asking,
    )


def warning(epoch: Epoch) -> str:
    """What an operator must know about an alliance of this size, "" for nothing."""
    if epoch.size not in (2, 3):
        return ""
    return (
        f"{epoch.size} voting members bear no absence: while any of them is away nothing becomes "
        "final (samples are kept and wait); from 4 on one may be away"
    )


def change_line(pending: PendingChange, epoch: Epoch) -> ChangeLine:
    """A change that waits in the epoch in force."""
    now = {member.kid: member for member in epoch.everyone}
    then = {member.kid: member for member in pending.change.members}
    approved = set(pending.approvers)
    return ChangeLine(
        digest=pending.digest.hex(),
        proposer=who(epoch, pending.proposer),
        joins=_named(member for kid, member in then.items() if kid not in now),
        leaves=_named(member for kid, member in now.items() if kid not in then),
        alters=_named(member for kid, member in then.items() if kid in now and now[kid] != member),
        settings=_settings(pending, epoch),
        approved=[who(epoch, kid) for kid in pending.approvers],
        missing=_named(member for member in epoch.members if member.kid not in approved),
        needed=epoch.quorum,
    )


def enrolment_line(pending: PendingEnrolment, epoch: Epoch) -> EnrolmentLine:
    """An enrolment that waits in the epoch in force."""
    home = epoch.party_of(pending.meter.home)
    role = None if home is None else home.role
    return EnrolmentLine(
        digest=pending.digest.hex(),
        meter=pending.meter.kid.hex(),
        site=pending.meter.site,
        protection=pending.meter.protection,
        home=who(epoch, pending.meter.home),
        until_ms=pending.until_ms,
        approvers=_named(member for member in epoch.members if member.role != role),
    )


def waiting_line(state: Mapping[bytes, bytes], found: Waiting, epoch: Epoch) -> WaitingLine:
    """A registration, a new asset, a point, a contract or a meter that waits for somebody's yes."""
    kids = [member.kid for member in epoch.members]
    kids += [user.kid for user in parties.hosted_users(state)]
    asked = [kid for kid in kids if waiting.may_approve(state, found, epoch, kid)]
    return WaitingLine(
        digest=found.digest.hex(),
        kind=transaction.KIND_NAMES[found.kind],
        what=_what(state, found, epoch),
        origin=_party(state, epoch, found.origin),
        until_ms=found.until_ms,
        approvers=[_party(state, epoch, kid) for kid in asked],
    )


def _what(state: Rows, found: Waiting, epoch: Epoch) -> str:
    if found.kind == transaction.ISSUE:
        body = account_bodies.parse_issue(found.body)
        return f"new asset {body.asset} of {body.decimals} decimals"
    if found.kind == transaction.ASSIGN:
        given = account_bodies.parse_assign(found.body)
        owner = _party(state, epoch, given.owner)
        return f"point {given.meter.hex()}/{given.device} to {owner.name} ({owner.kid})"
    if found.kind == transaction.CONTRACT:
        return _contract(state, settlement_bodies.parse_contract(found.body), epoch)
    if found.kind == transaction.MOVE:
        return _move(state, move_body.parse_move(found.body), epoch)
    raw = account_bodies.parse_register(found.body).word
    word = hosted_word.parse(raw, epoch.ledger_id, crypto.verify)
    return f"hosted user {word.name} ({word.kid.hex()})"


def _move(state: Rows, body: Move, epoch: Epoch) -> str:
    meter = registry.meter(state, body.meter)
    assert meter is not None, "meters stay enrolled for ever"
    old, new = (_party(state, epoch, kid) for kid in (meter.home, body.home))
    others = ", ".join(_party(state, epoch, kid).name for kid in body.further) or "none"
    return (
        f"meter {body.meter.hex()} at site {meter.site} from home {old.name} ({old.kid}) to"
        f" {new.name} ({new.kid}); further gateways: {others}"
    )


def _contract(state: Rows, body: Contract, epoch: Epoch) -> str:
    """All that the other side agrees to: nothing else shows it before it does."""
    asset = accounts.asset(state, body.asset)
    digits = 0 if asset is None else asset.decimals
    other = _party(state, epoch, body.other)
    prices = (body.availability_price, body.energy_price, body.penalty_price)
    availability, energy, penalty = (decimal(price, -digits) for price in prices)
    return (
        f"contract with {other.name} ({other.kid}) for events that begin from {_day(body.from_ms)}"
        f" to {_day(body.until_ms)}: availability {availability} per MW and hour, energy {energy}"
        f" and penalty {penalty} per MWh, in {body.asset}; of payments for its loads declared by"
        f" the other {decimal(body.split_permille, -1)} % are its own"
    )


def _day(time_ms: int) -> str:
    """Unix ms in ISO 8601, the number itself beyond the calendar."""
    try:
        return datetime.fromtimestamp(time_ms // 1000, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return f"{time_ms} ms"


def _party(state: Rows, epoch: Epoch, kid: bytes) -> Who:
    party = parties.party(state, epoch, kid)
    return Who("" if party is None else party.name, kid.hex())


def who(epoch: Epoch, kid: bytes) -> Who:
    """A member of an epoch; without a name if it is none. What the contracts propose by themselves
    is proposed by the ledger."""
    if kid == CONTRACT:
        return Who("the ledger", kid.hex())
    member = epoch.party_of(kid)
    return Who("" if member is None else member.name, kid.hex())


def _named(members: Iterable[Member]) -> list[Who]:
    return [Who(member.name, member.kid.hex()) for member in members]


def _settings(pending: PendingChange, epoch: Epoch) -> dict[str, list[object]]:
    now = _numbers(epoch.rules, epoch.constants)
    change = pending.change
    then = _numbers(change.rules, genesis.constants_under(change.constants, change.rules))
    # Of what only one of the two rules has, the rules say enough.
    return {
        name: [now[name], then[name]] for name in then if name in now and now[name] != then[name]
    }


def _numbers(rules: int, constants: Constants) -> dict[str, object]:
    """Rules and constants by name, parameters of the market as `market.<name>`."""
    found: dict[str, object] = {"rules": rules, **genesis.constants_map(constants)}
    found.pop(genesis.MARKET, None)
    if constants.market is not None:
        content = market_map(constants.market)
        del content["weights"]
        content |= {f"weights.{name}": list(row) for name, row in constants.market.weights}
        found |= {f"{genesis.MARKET}.{name}": value for name, value in content.items()}
    return found


def _standing(state: Rows, epoch: Epoch, member: Member, head: CommitHead) -> Standing | None:
    market = epoch.constants.market
    return None if market is None else standing(state, market, member.kid, head.time_ms)


def _member_line(
    state: Rows,
    epoch: Epoch,
    member: Member,
    address: str,
    stands: Standing | None,
    *,
    own: bool,
) -> MemberLine:
    cheat = alliance.cheat(state, member.kid)
    false = alliance.false_checkpoints(state, member.kid)
    return MemberLine(
        name=member.name,
        kid=member.kid.hex(),
        role=genesis.ROLE_NAMES[member.role],
        votes=member.votes,
        own=own,
        address=address,
        cheated=""
        if cheat is None
        else f"signed two blocks in round {cheat.round} of epoch {cheat.epoch}",
        false_checkpoints=""
        if false is None
        else f"signed false checkpoints at sizes {false.first[0]} and {false.second[0]}",
        reputation=None if stands is None else stands.reputation,
        suspended_until_ms=None if stands is None else stands.back_ms,
        resting=member.kid in epoch.resting,
    )
