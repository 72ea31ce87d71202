"""Execution of `dispatch`, and orders: who is called, to what, from when on (D21)."""

from collections.abc import Sequence
from dataclasses import replace

from wattle_gateway.contracts import classes
from wattle_gateway.contracts.errors import RefusedError
from wattle_gateway.contracts.events import confirming, rows
from wattle_gateway.contracts.events.declaring import event_of
from wattle_gateway.contracts.events.rows import EventRow, OrderRow, QuotaRow, QuotaStatus
from wattle_gateway.contracts.parties import Party
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger.event_bodies import Dispatch


def dispatch(state: State, body: Dispatch, digest: bytes, party: Party, setting: Setting) -> None:
    """Execute a `dispatch`: an order to loads that have none yet. RefusedError for the first
    clause that fails."""
    event = event_of(state, body.event)
    if event.publisher != party.kid:
        raise RefusedError(classes.NOT_THE_PUBLISHER)
    from_ms = max(body.from_ms, setting.time_ms)
    if from_ms >= event.end_ms:
        raise RefusedError(classes.EVENT_OVER)
    named = _named(state, event, body)
    for quota in named:
        rows.put_quota(state, replace(quota, order=digest, ordered_ms=from_ms))
    give(state, event, digest, from_ms, named)


def give(
    state: State, event: EventRow, digest: bytes, from_ms: int, called: Sequence[QuotaRow]
) -> None:
    """Write an order to loads whose quotas name it; what they have confirmed already, before it
    was committed, counts."""
    until_ms = event.end_ms
    rows.put_order(state, OrderRow(digest, event.digest, from_ms, until_ms, len(called)))
    for meter in sorted({quota.meter for quota in called}):
        confirming.order_came(state, digest, meter)


def _named(state: State, event: EventRow, body: Dispatch) -> list[QuotaRow]:
    """The selected loads that an order names, with their setpoints."""
    if body.loads is None:
        selected = [
            quota for quota in rows.quotas(state, event) if quota.status == QuotaStatus.SELECTED
        ]
        if not selected:
            raise RefusedError(classes.NOT_SELECTED)
        waiting = [quota for quota in selected if quota.order is None]
        if not waiting:
            raise RefusedError(classes.ORDERED_ALREADY)
        return waiting
    named = []
    for load in body.loads:
        quota = rows.quota(state, event, load.meter, load.device)
        if quota is None or quota.status != QuotaStatus.SELECTED:
            raise RefusedError(classes.NOT_SELECTED)
        if quota.order is not None:
            raise RefusedError(classes.ORDERED_ALREADY)
        named.append(replace(quota, setpoint_w=load.setpoint_w))
    return named
