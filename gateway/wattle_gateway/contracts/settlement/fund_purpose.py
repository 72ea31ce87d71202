"""Whether an event lies within what a fund is for (D38): the limits that its filler set."""

from wattle_gateway.contracts import classes
from wattle_gateway.contracts.errors import RefusedError
from wattle_gateway.contracts.settlement.funds import HeldFund
from wattle_gateway.ledger import area as areas
from wattle_gateway.ledger.event_bodies import Publish
from wattle_gateway.ledger.fund_limits import EITHER_WAY, FundLimits


def check(limits: FundLimits, body: Publish, interval_ms: int, amount: int) -> None:
    """Hold an event that is published against a fund's limits; `amount` the most that it can cost.
    RefusedError for the first clause that fails."""
    if limits.methods and body.method not in limits.methods:
        raise RefusedError(classes.FUND_METHOD)
    if not areas.within(body.area, limits.area):
        raise RefusedError(classes.FUND_AREA)
    if limits.direction not in (EITHER_WAY, body.direction):
        raise RefusedError(classes.FUND_DIRECTION)
    end_ms = body.begin_ms + body.intervals * interval_ms
    if body.begin_ms < limits.from_ms or _above(end_ms, limits.to_ms):
        raise RefusedError(classes.FUND_WINDOW)
    if _above(body.availability_price, limits.availability_price):
        raise RefusedError(classes.FUND_AVAILABILITY_PRICE)
    if _above(body.energy_price, limits.energy_price):
        raise RefusedError(classes.FUND_ENERGY_PRICE)
    if _above(amount, limits.event_amount):
        raise RefusedError(classes.FUND_EVENT_AMOUNT)


def spare(held: HeldFund, reserved: int) -> int:
    """How much more an event may reserve for which this much is spoken for."""
    most = held.limits.event_amount
    return held.left if most is None else min(held.left, max(0, most - reserved))


def _above(value: int, limit: int | None) -> bool:
    return limit is not None and value > limit
