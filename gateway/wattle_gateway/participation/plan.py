"""What the policy would answer now, to every open event and for every load of a party."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from wattle_wire import topics

from wattle_gateway.contracts import accounts, classes, offering, parties
from wattle_gateway.contracts.errors import RefusedError
from wattle_gateway.contracts.events import declaring, rows
from wattle_gateway.contracts.events.rows import EventRow, EventState
from wattle_gateway.contracts.offering import StandingOffer
from wattle_gateway.contracts.parties import Party
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.settlement import agreements
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger.event_bodies import Declare
from wattle_gateway.ledger.transaction import DIGEST_BYTES
from wattle_gateway.participation import answers, decision
from wattle_gateway.participation.answers import Answer
from wattle_gateway.participation.decision import Decision
from wattle_gateway.participation.policy import Policy

Given = Mapping[tuple[str, str], Answer]
"""The answers so far by event (hex) and point (METER/D)."""

_UNSIGNED = bytes(DIGEST_BYTES)


@dataclass(frozen=True)
class Planned:
    """An answer to give; `body` the declaration that it takes, None: there is nothing to send."""

    answer: Answer
    body: Declare | None


@dataclass(frozen=True)
class Plan:
    """The answers to give now, and the events (digests, hex) that the ledger knows."""

    planned: tuple[Planned, ...]
    events: tuple[str, ...]


def plan(
    base: Mapping[bytes, bytes], setting: Setting, kid: bytes, policy: Policy, given: Given
) -> Plan:
    """What the policy of the party `kid` says, as the state `base` stands.

    A declaration is tried on a view of the state first: one that the ledger refuses costs
    reputation. Changes nothing.

    Raises StateError.
    """
    known = rows.events(base)
    events = tuple(row.digest.hex() for row in known)
    party = parties.party(base, setting.epoch, kid)
    open_now = _open(known, setting.time_ms)
    if party is None or not open_now:
        return Plan((), events)
    own = _own_offers(base, setting.time_ms, kid)
    planned = []
    for event in open_now:
        for offer in own:
            before = given.get((event.digest.hex(), _point(offer)))
            if before is not None and before.is_final:
                continue
            found = _answer(State(base), setting, party, policy, event, offer)
            said = found if before is None else _after(before, found)
            if said is not None:
                planned.append(said)
    return Plan(tuple(planned), events)


def to_answer(base: Mapping[bytes, bytes], time_ms: int, kid: bytes) -> tuple[int, int]:
    """How many events are open, and how many offers of `kid` a policy answers them for. Raises
    StateError."""
    return len(_open(rows.events(base), time_ms)), len(_own_offers(base, time_ms, kid))


def _open(known: Iterable[EventRow], time_ms: int) -> list[EventRow]:
    return [row for row in known if row.state == EventState.OPEN and row.body.select_ms > time_ms]


def _own_offers(base: Mapping[bytes, bytes], time_ms: int, kid: bytes) -> list[StandingOffer]:
    return [one for one in offering.offers_in(State(base), time_ms) if one.origin == kid]


def _answer(
    view: State,
    setting: Setting,
    party: Party,
    policy: Policy,
    event: EventRow,
    offer: StandingOffer,
) -> Planned:
    """`view` of the state, to be thrown away."""

    def answer(did: str, said: Decision, body: Declare | None = None) -> Planned:
        digest, at_ms = event.digest.hex(), setting.time_ms
        made = Answer(digest, _point(offer), did, said.why, at_ms, said.quota_w, said.price)
        return Planned(made, body)

    if rows.quota(view, event, offer.meter, offer.device) is not None:
        return answer(answers.BY_HAND, Decision(None, 0, "it is declared already"))
    said = _decision(view, policy, event, offer, party)
    if said.quota_w is None:
        return answer(answers.LEFT, said)
    quotas_w = (said.quota_w,) * event.body.intervals
    body = Declare(event.digest, offer.meter, offer.device, said.price, quotas_w)
    market = setting.epoch.constants.market
    assert market is not None, "a ledger with events has market parameters"
    try:
        declaring.declare(view, body, _UNSIGNED, party, market, setting)
    except RefusedError as refusal:
        name = classes.REFUSAL_NAMES[refusal.code]
        return answer(answers.LEFT, Decision(None, 0, f"the ledger would refuse it: {name}"))
    return answer(answers.SENDING, said, body)


def _decision(
    state: State, policy: Policy, event: EventRow, offer: StandingOffer, party: Party
) -> Decision:
    asset = accounts.asset(state, event.body.asset)
    assert asset is not None, "an event names an asset of the ledger"
    agreed = agreements.contract_price(
        state, event.publisher, party.kid, event.body.asset, event.begin_ms
    )
    return decision.decide(policy, event, offer, asset, None if agreed is None else agreed[1])


def _after(before: Answer, found: Planned) -> Planned | None:
    """What is left to answer after an answer that was not the last word. What was left, and still
    is for the same reason, is not told again."""
    now = found.answer
    if before.did == answers.SENDING and now.did == answers.BY_HAND:
        return Planned(replace(before, did=answers.DECLARED), None)
    if (before.did, before.why) == (now.did, now.why) and before.did == answers.LEFT:
        return None
    return found


def _point(offer: StandingOffer) -> str:
    return f"{topics.meter_id(offer.meter)}/{offer.device}"
