"""What a baseline is made of, out of the state: a statement and `wattle-gateway baseline --point`
take it from here, so that they cannot differ (D35, D42)."""

from wattle_gateway.contracts import registry, usage
from wattle_gateway.contracts.baseline import engine
from wattle_gateway.contracts.baseline.history import Event, Exclusions
from wattle_gateway.contracts.baseline.local_days import Zone
from wattle_gateway.contracts.baseline.rule import Method, Rule
from wattle_gateway.contracts.baseline.series import EnergySeries
from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.events.rows import EventRow, QuotaStatus
from wattle_gateway.contracts.measurement.energy import DAY_MS, Metering
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger.market import Market

_MS_PER_S = 1000
_MS_PER_MIN = 60_000

Point = tuple[Meter, int]
"""A meter and the number of its device."""


def window(event: EventRow) -> Event:
    """When an event of the ledger is."""
    return Event(event.begin_ms // _MS_PER_S, event.end_ms // _MS_PER_S)


def series(
    state: State, event: Event, rule: Rule, point: Point, told: Metering, market: Market
) -> EnergySeries:
    """All that the rule may ask for: hours near the event, and other days if it looks at them.

    `told` how the point is metered, `market` the parameters that the event is judged by.
    """
    length_ms = market.interval_ms
    from_ms = event.start_s * _MS_PER_S - rule.window.before_from_min * _MS_PER_MIN
    to_ms = event.end_s * _MS_PER_S + rule.window.after_to_min * _MS_PER_MIN
    if rule.method in (Method.X_OF_Y, Method.NEAREST):
        # By the wall clock, and whole days where days are ranked by all that was used on them.
        from_ms -= (rule.look_back_days + 2) * DAY_MS
    if rule.method is Method.NEAREST:
        to_ms += 2 * DAY_MS  # to the end of the event's day, which may last an hour more
    first_ms, end_ms = max(0, from_ms // length_ms), -(-to_ms // length_ms)
    return usage.series(state, *point, told, first_ms * length_ms, end_ms * length_ms, market)


def other_events(state: State, point: Point, zone: Zone, own: bytes | None = None) -> Exclusions:
    """The local days of the events that the point was selected in, without the event `own`
    (digest)."""
    found: set[int] = set()
    meter, device = point
    for call in rows.calls(state, meter.kid, device):
        if call.event != own:
            first, _ = zone.wall(call.begin_ms // _MS_PER_S)
            last, _ = zone.wall(call.end_ms // _MS_PER_S - 1)
            found.update(range(first, last + 1))
    return Exclusions(frozenset(found))


def control_group(state: State, event: EventRow, market: Market) -> list[EnergySeries]:
    """Of those who would have answered, the ones who were not called; empty for a rule that asks
    for none."""
    if event.rule.method is not Method.CONTROL_GROUP:
        return []
    found = []
    for quota in rows.quotas(state, event):
        meter = registry.meter(state, quota.meter)
        if quota.status is QuotaStatus.RELEASED and meter is not None:
            told = usage.metering(state, meter, quota.device)
            point = (meter, quota.device)
            found.append(series(state, window(event), event.rule, point, told, market))
    return found[: engine.CONTROL_POINTS_MAX]
