"""The selection of an event, at `select_ms` or, of a realtime event, within its `publish` (D20,
D24 to D26)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wattle_gateway.contracts import offering
from wattle_gateway.contracts.errors import RefusedError
from wattle_gateway.contracts.events import (
    answering,
    data_record,
    expiry,
    ordering,
    quota_count,
    reserve,
    rows,
)
from wattle_gateway.contracts.events.rows import Call, EventRow, EventState, QuotaRow, QuotaStatus
from wattle_gateway.contracts.offering import StandingOffer
from wattle_gateway.contracts.reputation import standing as standings
from wattle_gateway.contracts.reputation.standing import Standing
from wattle_gateway.contracts.selection import choice
from wattle_gateway.contracts.selection.choice import Reason
from wattle_gateway.contracts.selection.offers import SUSPENDED, Need, Offer, Weights
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger import area, event_bodies
from wattle_gateway.ledger.market import Market

# Why a load was not chosen, beside the words of `contracts.selection`.
OFFER_GONE = "offer_gone"  # nothing is offered at the point any more
NO_QUOTA = "no_quota"  # in some interval it adjusts by nothing, so as a whole it does not
UNFUNDED = "unfunded"  # what is reserved for the event, and all that its payer has, does not reach
BUSY = "busy"  # called by another event then, or it has to rest
TOO_LATE = "too_late"  # the event was over before it came to the selection
NO_PRICE = "no_price"  # the contract that it was declared under is not there any more


_Answer = tuple[QuotaRow, StandingOffer | None]
"""A declaration, and the standing offer of its point by now."""


@dataclass(frozen=True)
class _Candidate:
    """A quota with what the choice reads of it."""

    quota: QuotaRow
    offer: Offer


def select(state: State, event: EventRow, market: Market, setting: Setting) -> None:
    """Choose among what is declared for an event; if commits stood still until it was over, nobody
    could be called any more."""
    declared = rows.quotas(state, event)
    if setting.time_ms >= event.end_ms:
        for quota in declared:
            rows.put_quota(state, _released(quota, TOO_LATE))
        event = reserve.free(state, event, event.reserved)
        _fail(state, event, market, setting.time_ms)
        return
    time_ms = setting.time_ms
    candidates = [
        (quota, offering.standing_offer(state, quota.meter, quota.device, time_ms))
        for quota in declared
    ]
    _choose(state, event, candidates, market, setting)


def select_realtime(state: State, event: EventRow, market: Market, setting: Setting) -> None:
    """Choose among the standing offers that fit an event that has just been published, and order
    the chosen at once: the digest of the event is that of the order."""
    answers: list[_Answer] = []
    room = min(market.declarations_max, quota_count.room(state))
    for offer in offering.offers_in(state, setting.time_ms):
        if len(answers) >= room:
            break
        answer = _answer(state, event, offer, setting)
        if answer is not None:
            answers.append((answer, offer))
    event = replace(event, declared=len(answers))
    quota_count.change(state, len(answers))
    event, chosen = _choose(state, event, answers, market, setting)
    if chosen:
        ordering.give(state, event, event.digest, setting.time_ms, chosen)


def _answer(
    state: State, event: EventRow, offer: StandingOffer, setting: Setting
) -> QuotaRow | None:
    """What a standing offer is to a realtime event: a declaration of all that it can, for as long
    as the event takes. None if it could not be declared."""
    if not answering.fits(event, offer):
        return None
    quotas_w = (offer.terms.capacity_w,) * event.body.intervals
    try:
        answering.check_between(state, event, offer.owner, setting)
        answering.price_mwh(state, event, offer.origin, offer.terms.price)
        _, point = offering.point_of(state, offer.meter, offer.device)
    except RefusedError:
        return None
    if answering.is_too_coarse(event, offer, point, quotas_w):
        return None
    return QuotaRow(
        event.digest,
        offer.meter,
        offer.device,
        offer.digest,
        offer.origin,
        offer.owner,
        quotas_w,
        offer.terms.price,
    )


def _choose(
    state: State, event: EventRow, answers: Sequence[_Answer], market: Market, setting: Setting
) -> tuple[EventRow, list[QuotaRow]]:
    """Choose, fund and write; the event as it is then, and what may be called."""
    time_ms = setting.time_ms
    candidates: dict[bytes, _Candidate] = {}
    released: list[QuotaRow] = []
    standing_of: dict[bytes, Standing] = {}
    for quota, offer in answers:
        if quota.origin not in standing_of:
            standing_of[quota.origin] = standings.standing(state, market, quota.origin, time_ms)
        found = _candidate(state, event, quota, offer, standing_of[quota.origin], market)
        if isinstance(found, str):
            released.append(_released(quota, found))
        else:
            candidates[quota.digest] = found
    need = Need(event.body.quantity_w, event.body.within_ms, event.end_ms - event.begin_ms)
    chosen: list[_Candidate] = []
    offers = [one.offer for one in candidates.values()]
    for reason in choice.choose(offers, need, weights_of(market)).reasons:
        candidate = candidates[reason.offer.digest]
        quota = _explained(candidate.quota, reason)
        if reason.why == choice.CHOSEN:
            chosen.append(replace(candidate, quota=quota))
        else:
            released.append(_released(quota, reason.why))
    event, funded = _fund(state, event, chosen, market, time_ms)
    released += [_released(one.quota, UNFUNDED) for one in chosen[len(funded) :]]
    for quota in released:
        rows.put_quota(state, quota)
    reached_w = sum(one.offer.quota_w for one in funded)
    event = replace(event, reached_w=reached_w, uniform_price=_uniform_price(event, funded))
    selected = [_selected(state, event, one.quota, time_ms) for one in funded]
    if selected:
        rows.put_event(state, replace(event, state=EventState.SELECTED))
    else:
        _fail(state, event, market, time_ms)
    return event, selected


def _explained(quota: QuotaRow, reason: Reason) -> QuotaRow:
    """With the reasons of the choice (D26), of which only `why` is for who cannot answer at all."""
    if reason.merit is None:
        return replace(quota, why=reason.why)
    distance = reason.offer.distance
    return replace(quota, merit=reason.merit, rank=reason.rank, distance=distance, why=reason.why)


def _selected(state: State, event: EventRow, quota: QuotaRow, time_ms: int) -> QuotaRow:
    """Write that a load was selected; a uniform price is everybody's. The selection of a realtime
    event is the order, too."""
    price_mwh = quota.price_mwh if event.uniform_price is None else event.uniform_price
    selected = replace(quota, status=QuotaStatus.SELECTED, price_mwh=price_mwh)
    if event.body.method == event_bodies.REALTIME:
        selected = replace(selected, order=event.digest, ordered_ms=time_ms)
    rows.put_quota(state, selected)
    call = Call(event.digest, event.begin_ms, event.end_ms)
    rows.put_call(state, quota.meter, quota.device, call)
    return selected


def _fail(state: State, event: EventRow, market: Market, time_ms: int) -> None:
    """Nobody was selected: nothing will be measured or paid."""
    assert event.reserved == 0, "nobody costs nothing"
    rows.put_event(state, replace(event, state=EventState.FAILED))
    expiry.plan(state, event.digest, time_ms, market)


def _candidate(
    state: State,
    event: EventRow,
    quota: QuotaRow,
    offer: StandingOffer | None,
    standing: Standing,
    market: Market,
) -> _Candidate | str:
    """A quota as an offer to choose from, or why it is none."""
    if offer is None or offer.owner != quota.owner or not answering.fits(event, offer):
        return OFFER_GONE
    if min(quota.quotas_w) == 0:
        return NO_QUOTA
    if standing.suspended:
        return SUSPENDED
    try:
        price_mwh = answering.price_mwh(state, event, quota.origin, quota.price)
    except RefusedError:
        return NO_PRICE
    terms = offer.terms
    calls = rows.calls(state, quota.meter, quota.device)
    if is_busy(calls, event.begin_ms, event.end_ms, terms.rest_ms):
        return BUSY
    ended_ms = max((call.end_ms for call in calls if call.end_ms <= event.begin_ms), default=0)
    return _Candidate(
        replace(quota, price_mwh=price_mwh, setpoint_w=terms.called_w),
        Offer(
            quota.digest,
            min(quota.quotas_w),
            price_mwh,
            terms.response_ms,
            terms.holds_ms,
            score=score_of(standing, market),
            reputation=standing.reputation,
            distance=area.distance(terms.area, event.body.place),
            rested_ms=event.begin_ms - ended_ms,
            standing_permille=data_record.merit_share(
                state, market, standing, quota.meter, quota.device
            ),
        ),
    )


def is_busy(calls: Sequence[Call], begin_ms: int, end_ms: int, rest_ms: int) -> bool:
    """Whether a load is called by one of these events then, or has to rest before or after."""
    return any(
        call.begin_ms < end_ms + rest_ms and begin_ms < call.end_ms + rest_ms for call in calls
    )


def score_of(standing: Standing, market: Market) -> int:
    """The mean of the scores kept of a party, the start value without any (permille)."""
    marks = [mark.score for mark in standing.events]
    return sum(marks) // len(marks) if marks else market.reputation_start


def weights_of(market: Market) -> Weights:
    """What the market parameters say of merits."""
    return Weights(
        score=market.select_score,
        reputation=market.select_reputation,
        speed=market.select_speed,
        nearness=market.select_nearness,
        rest=market.select_rest,
        far=market.select_far,
        rested_ms=market.select_rested_ms,
        reputation_min=market.suspend_permille,
    )


def _uniform_price(event: EventRow, chosen: Sequence[_Candidate]) -> int | None:
    """The highest price selected, where it is everybody's."""
    if event.body.method not in (event_bodies.BID, event_bodies.REALTIME) or not chosen:
        return None
    return max(one.offer.price for one in chosen)


def _fund(
    state: State, event: EventRow, chosen: list[_Candidate], market: Market, time_ms: int
) -> tuple[EventRow, list[_Candidate]]:
    """Reserve what the chosen can cost at most. If there is not as much, those of the worst rank
    are let go: what fewer of them cost is never more."""

    def cost(count: int) -> int:
        some = chosen[:count]
        quotas = [one.quota for one in some]
        return reserve.of_quotas(event, quotas, _uniform_price(event, some), market)

    have = event.reserved + reserve.spare(state, event, time_ms)
    count, unfunded = 0, len(chosen) + 1
    while unfunded - count > 1:
        middle = (count + unfunded) // 2
        if cost(middle) <= have:
            count = middle
        else:
            unfunded = middle
    return reserve.set_to(state, event, cost(count), time_ms), chosen[:count]


def _released(quota: QuotaRow, why: str) -> QuotaRow:
    return replace(quota, status=QuotaStatus.RELEASED, price_mwh=None, setpoint_w=None, why=why)
