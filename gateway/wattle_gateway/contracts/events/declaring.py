"""Execution of `declare` and `withdraw` (D19, D22)."""

from dataclasses import replace

from wattle_gateway.contracts import classes, offering, ownership
from wattle_gateway.contracts.errors import RefusedError
from wattle_gateway.contracts.events import answering, quota_count, rows
from wattle_gateway.contracts.events.rows import EventRow, EventState, QuotaRow, QuotaStatus
from wattle_gateway.contracts.offering import StandingOffer
from wattle_gateway.contracts.parties import Party
from wattle_gateway.contracts.reputation import standing as standings
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger import event_bodies
from wattle_gateway.ledger.event_bodies import Declare, Withdraw
from wattle_gateway.ledger.market import Market


def declare(
    state: State, body: Declare, digest: bytes, party: Party, market: Market, setting: Setting
) -> None:
    """Execute a `declare`, which replaces an earlier one of the point. RefusedError for the first
    clause that fails."""
    event = event_of(state, body.event)
    if event.state != EventState.OPEN:
        raise RefusedError(classes.SELECTION_OVER)
    if len(body.quotas_w) != event.body.intervals:
        raise RefusedError(classes.QUOTAS_MISCOUNTED)
    if body.price and event.body.method not in event_bodies.PRICED_METHODS:
        raise RefusedError(classes.PRICE_NOT_ASKED)
    offer, owner = _offer_of(state, event, body, party, market, setting)
    if max(body.quotas_w) > offer.terms.capacity_w:
        raise RefusedError(classes.ABOVE_CAPACITY)
    answering.price_mwh(state, event, party.kid, body.price)
    _, point = offering.point_of(state, body.meter, body.device)
    if answering.is_too_coarse(event, offer, point, body.quotas_w):
        raise RefusedError(classes.TOO_COARSE)
    if rows.quota(state, event, body.meter, body.device) is None:
        if event.declared >= market.declarations_max or quota_count.room(state) == 0:
            raise RefusedError(classes.DECLARATIONS_FULL)
        rows.put_event(state, replace(event, declared=event.declared + 1))
        quota_count.change(state, 1)
    rows.put_quota(
        state,
        QuotaRow(
            event.digest,
            body.meter,
            body.device,
            digest,
            party.kid,
            owner,
            body.quotas_w,
            body.price,
        ),
    )


def withdraw(state: State, body: Withdraw, party: Party, setting: Setting) -> None:
    """Execute a `withdraw`: before the selection it costs nothing, after it the quotas are 0 from
    the next interval on, and the statement shows the fault. RefusedError for the first clause that
    fails."""
    event = event_of(state, body.event)
    meter, point = offering.point_of(state, body.meter, body.device)
    owner = ownership.owner_at(state, meter.kid, point, setting.time_ms)
    offering.check_speaks_for(state, party, owner, setting)
    quota = rows.quota(state, event, body.meter, body.device)
    if quota is None or quota.status not in (QuotaStatus.DECLARED, QuotaStatus.SELECTED):
        raise RefusedError(classes.NOT_DECLARED)
    if quota.status == QuotaStatus.DECLARED:
        rows.delete_quota(state, event.digest, body.meter, body.device)
        rows.put_event(state, replace(event, declared=event.declared - 1))
        quota_count.change(state, -1)
        return
    following = _following(event, setting.time_ms)
    if following >= event.body.intervals:
        raise RefusedError(classes.EVENT_OVER)
    rows.put_quota(state, replace(quota, status=QuotaStatus.WITHDRAWN, withdrawn_from=following))


def event_of(state: State, digest: bytes) -> EventRow:
    """The event that a transaction names; RefusedError if there is none."""
    event = rows.event(state, digest)
    if event is None:
        raise RefusedError(classes.EVENT_UNKNOWN)
    return event


def _offer_of(
    state: State, event: EventRow, body: Declare, party: Party, market: Market, setting: Setting
) -> tuple[StandingOffer, bytes]:
    """The standing offer under which a point is declared, and its owner now."""
    meter, point = offering.point_of(state, body.meter, body.device)
    if meter.revoked is not None:
        raise RefusedError(classes.ALREADY_REVOKED)
    owner = ownership.owner_at(state, meter.kid, point, setting.time_ms)
    offering.check_speaks_for(state, party, owner, setting)
    answering.check_between(state, event, owner, setting)
    if standings.standing(state, market, party.kid, setting.time_ms).suspended:
        raise RefusedError(classes.SUSPENDED)
    offer = offering.standing_offer(state, body.meter, body.device, setting.time_ms)
    if offer is None:
        raise RefusedError(classes.OFFER_UNKNOWN)
    if not answering.fits(event, offer):
        raise RefusedError(classes.OFFER_UNFIT)
    return offer, owner


def _following(event: EventRow, time_ms: int) -> int:
    """The index of the first interval that has not begun at a time."""
    return max(0, -(-(time_ms - event.begin_ms) // event.interval_ms))
