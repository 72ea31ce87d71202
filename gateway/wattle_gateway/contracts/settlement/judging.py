"""What a statement says of a party beside money: scores and faults (D14, D27 to D32)."""

from collections.abc import Mapping, Sequence

from wattle_gateway.contracts import weights
from wattle_gateway.contracts.events.rows import EventRow, QuotaRow
from wattle_gateway.contracts.scoring.parts import Kept, Performance
from wattle_gateway.contracts.settlement import lines
from wattle_gateway.contracts.settlement.delivery import was_called
from wattle_gateway.contracts.settlement.lines import (
    CALLED,
    MJ_PER_MWH,
    NO_BASELINE,
    UNMEASURED,
    WITHDRAWN,
)
from wattle_gateway.contracts.settlement.results import ResultLine, ResultRow
from wattle_gateway.ledger import event_bodies
from wattle_gateway.ledger.market import PERMILLE, Market
from wattle_gateway.ledger.offer_bodies import DOWN

# Where a low price can win a selection over others.
_BIDDING = (event_bodies.COST, event_bodies.BID, event_bodies.REALTIME)


def performance(
    event: EventRow, quota: QuotaRow, row: ResultRow, market: Market
) -> Performance | None:
    """What a resource did, for its score; None if it was never called or nothing can be said of
    it. An interval that it opted out of was promised and not kept."""
    kept = []
    for index, line in enumerate(row.lines):
        quota_w = quota.quotas_w[index]
        weight = weights.weight(market, line.classes, weights.SCORE)
        bearing = weights.weight(market, line.classes, weights.REPUTATION)
        if line.status == WITHDRAWN:
            kept.append(Kept(quota_w, 0))
        elif line.status == UNMEASURED and was_called(event, quota, index):
            kept.append(Kept(quota_w, None, weight, bearing))
        elif line.status == CALLED:
            kept.append(Kept(quota_w, _adjustment_mj(line, event), weight, bearing))
    if not any(one.quota_w for one in kept):
        return None
    taken_ms = None
    if quota.confirmed_ms is not None and quota.ordered_ms is not None:
        taken_ms = max(0, quota.confirmed_ms - quota.ordered_ms)
    return Performance(event.interval_s, tuple(kept), event.body.within_ms, taken_ms)


def awaits_data(event: EventRow, quota: QuotaRow, row: ResultRow) -> bool:
    """Whether late samples may still say how a resource kept its quota in some interval."""
    return any(
        line.status in (UNMEASURED, NO_BASELINE) and was_called(event, quota, index)
        for index, line in enumerate(row.lines)
        if quota.quotas_w[index]
    )


def faults(
    event: EventRow,
    quota: QuotaRow,
    row: ResultRow,
    market: Market,
    lowest: bool,
    capacity_w: int | None = None,
) -> frozenset[str]:
    """What the lines of a resource show against who declared it. `lowest`: nobody selected asked
    for less, and somebody for more. `capacity_w`: of an event that asks for more load, what the
    point is rated for."""
    found = set()
    for index, line in enumerate(row.lines):
        quota_w = quota.quotas_w[index]
        if line.status == WITHDRAWN and quota_w:
            found.add(weights.WITHDRAWAL)
        if line.status != CALLED or quota_w == 0 or line.baseline_mj is None:
            continue
        promised_mj = quota_w * event.interval_s * lines.MJ_PER_W_S
        if _room_mj(event, line.baseline_mj, capacity_w) < promised_mj:
            found.add(weights.FALSE_DECLARATION)
        floor_mj = promised_mj * market.delivery_floor_permille
        if _adjustment_mj(line, event) * PERMILLE < floor_mj:
            underbid = lowest and event.body.method in _BIDDING
            found.add(weights.UNDERBID if underbid else weights.NO_DELIVERY)
    return frozenset(found)


def is_silent(event: EventRow, quota: QuotaRow, row: ResultRow) -> bool:
    """Whether a called resource left an interval unmeasured, or the order unconfirmed."""
    if quota.order is None:
        return False
    unmeasured = any(
        line.status == UNMEASURED and was_called(event, quota, index)
        for index, line in enumerate(row.lines)
    )
    withdrawn_at_once = quota.withdrawn_from == 0
    return unmeasured or (quota.confirmed_ms is None and not withdrawn_at_once)


def lowest_of(quotas: Sequence[QuotaRow]) -> Mapping[tuple[bytes, int], bool]:
    """Of each point selected, whether it asked the lowest price and another a higher one."""
    prices = [quota.price for quota in quotas]
    differ = len(set(prices)) > 1
    return {(quota.meter, quota.device): differ and quota.price == min(prices) for quota in quotas}


def _adjustment_mj(line: ResultLine, event: EventRow) -> int:
    assert line.baseline_mj is not None
    assert line.energy.energy_mwh is not None
    reduction_mj = line.baseline_mj - line.energy.energy_mwh * MJ_PER_MWH
    return reduction_mj if event.body.direction == DOWN else -reduction_mj


def _room_mj(event: EventRow, baseline_mj: int, capacity_w: int | None) -> int:
    """How far the load could go at all: to nothing, or up to its rating."""
    if event.body.direction == DOWN:
        return baseline_mj
    assert capacity_w is not None
    return capacity_w * event.interval_s * lines.MJ_PER_W_S - baseline_mj
