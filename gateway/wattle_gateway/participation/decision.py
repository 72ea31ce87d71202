"""What a policy says to an event, for one load; pure, so that it can be asked again by anybody."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from wattle_wire import topics

from wattle_gateway.contracts.accounts import Asset
from wattle_gateway.contracts.events.rows import EventRow
from wattle_gateway.contracts.offering import StandingOffer
from wattle_gateway.ledger import area
from wattle_gateway.ledger.event_bodies import CONTRACT, FIXED, METHOD_NAMES, REALTIME
from wattle_gateway.ledger.offer_bodies import DIRECTION_NAMES
from wattle_gateway.participation.policy import MINUTES_A_DAY, PERMILLE, Hours, Policy, Rule


@dataclass(frozen=True)
class Decision:
    """`quota_w` in every interval at `price` (per MWh, smallest unit; 0 where none is asked), or
    None: the load does not take part, and `why`."""

    quota_w: int | None
    price: int
    why: str


def decide(
    policy: Policy,
    event: EventRow,
    offer: StandingOffer,
    asset: Asset,
    contract_price: int | None,
) -> Decision:
    """What the load of `offer` answers. `asset` that the event is paid in; `contract_price` that
    the event's publisher has agreed with this party, None: they have no contract."""
    point = f"{topics.meter_id(offer.meter)}/{offer.device}"
    rule = policy.rule_of(point)
    if rule is None:
        return _left("no rule of the policy names it")
    why = _why_not(rule, event, offer)
    if why is not None:
        return _left(why)
    if rule.asset != asset.name:
        return _left(f"paid in {asset.name}, the policy wants {rule.asset}")
    least = _smallest(rule.least_price, asset.decimals)
    body, wanted = event.body, f"{rule.least_price} {rule.asset}"
    quota_w = offer.terms.capacity_w * rule.share_permille // PERMILLE
    if quota_w == 0:
        return _left("its share of the capacity is less than a watt")
    if body.method in (FIXED, CONTRACT):
        paid = body.energy_price if body.method == FIXED else contract_price
        if paid is None:
            return _left("no contract with who calls")
        if paid < least:
            return _left(f"pays less than {wanted} per MWh")
        return Decision(quota_w, 0, f"pays at least {wanted} per MWh")
    price = max(least, offer.terms.price)
    if price > body.energy_price:
        return _left("pays at most less than what is asked")
    return Decision(quota_w, price, f"asks at least {wanted} per MWh")


def _left(why: str) -> Decision:
    return Decision(None, 0, why)


def _why_not(rule: Rule, event: EventRow, offer: StandingOffer) -> str | None:
    """What of the event the rule does not want, None: nothing."""
    body, terms = event.body, offer.terms
    if body.method == REALTIME:
        return "standing offers are called without an answer"
    if body.method not in rule.methods:
        return f"method {METHOD_NAMES[body.method]}"
    if body.direction != terms.direction or body.direction not in rule.directions:
        return f"direction {DIRECTION_NAMES[body.direction]}"
    if not area.within(terms.area, body.area):
        return f"another area than {terms.area}"
    if rule.areas and not any(area.within(terms.area, place) for place in rule.areas):
        return f"area {terms.area}"
    if body.asset != terms.asset:
        return f"paid in {body.asset}, its offer is priced in {terms.asset}"
    if body.emergency and not rule.emergency:
        return "an emergency"
    if terms.response_ms > body.within_ms:
        return "too slow"
    return _why_not_then(rule, event)


def _why_not_then(rule: Rule, event: EventRow) -> str | None:
    begin, end = _local(rule, event.begin_ms), _local(rule, event.end_ms - 1)
    for days in rule.excepted:
        if begin.date() <= days.last and end.date() >= days.first:
            return f"on {max(begin.date(), days.first)}"
    if rule.hours and not any(_within(begin, end, span) for span in rule.hours):
        return f"from {begin:%H:%M} to {end + timedelta(milliseconds=1):%H:%M}"
    return None


def _within(begin: datetime, end: datetime, span: Hours) -> bool:
    """Whether a window lies in these hours; one over midnight lies in the whole day only."""
    if begin.date() != end.date():
        return span == Hours(0, MINUTES_A_DAY)
    last_min = end.hour * 60 + end.minute
    return span.from_min <= begin.hour * 60 + begin.minute and last_min < span.to_min


def _local(rule: Rule, time_ms: int) -> datetime:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    return moment.astimezone(rule.zone)


def _smallest(amount: Decimal, decimals: int) -> int:
    """In the asset's smallest unit; what is finer than that counts up."""
    return int((amount * 10**decimals).to_integral_value(ROUND_CEILING))
