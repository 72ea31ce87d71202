"""What a resource did in an event: its energies, its baseline, and the lines that come of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from wattle_gateway.contracts import registry, usage
from wattle_gateway.contracts.baseline import engine
from wattle_gateway.contracts.baseline.errors import BaselineError, HistoryError
from wattle_gateway.contracts.events.rows import EventRow, QuotaRow
from wattle_gateway.contracts.measurement.energy import Metering
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.contracts.settlement import agreements, baseline_data, lines, results
from wattle_gateway.contracts.settlement.lines import Facts, Tariff
from wattle_gateway.contracts.settlement.results import ResultLine, ResultRow
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger import event_bodies
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.settlement_bodies import PERMILLE

# Ten times what any interval has: an adjustment may raise a mean that far, an int64 holds no more.
_BASELINE_MJ_MAX = 10**18


@dataclass(frozen=True)
class Delivery:
    """`lines`, one for each interval; `baseline` one of `results.BASELINE_NAMES`."""

    lines: tuple[ResultLine, ...]
    baseline: int


def tariff(state: State, event: EventRow, quota: QuotaRow, market: Market) -> Tariff:
    """What a selected resource is paid: by its contract, where the event says so, but never more
    than the event offers."""
    body = event.body
    availability, penalty = body.availability_price, body.penalty_price
    if body.method == event_bodies.CONTRACT:
        agreed = agreements.contract_price(
            state, event.publisher, quota.origin, body.asset, event.begin_ms
        )
        if agreed is not None:
            availability, penalty = min(availability, agreed[0]), agreed[2]
    return Tariff(
        availability,
        quota.price_mwh or 0,
        penalty,
        market.credit_max_permille,
        market.deadband_permille,
        body.direction,
        event.interval_s,
    )


def split_permille(state: State, event: EventRow, quota: QuotaRow) -> int:
    """The owner's part of what its point earns: all, unless another declared it under a contract
    with the owner."""
    if quota.origin == quota.owner:
        return PERMILLE
    agreed = agreements.terms(state, quota.origin, quota.owner, event.body.asset, event.begin_ms)
    return PERMILLE if agreed is None else agreed.split_permille


def metering(state: State, quota: QuotaRow, before: ResultRow | None) -> Metering:
    """How a resource is metered: as at the first statement, whatever was offered since."""
    told = usage.metering(state, _meter(state, quota), quota.device)
    if before is None:
        return told
    return replace(told, period_ms=before.period_ms, resolution_wh=before.resolution_wh)


def delivery(
    state: State,
    event: EventRow,
    quota: QuotaRow,
    prices: Tariff,
    told: Metering,
    market: Market,
) -> Delivery:
    """The lines of a selected resource by the state as it is now (D35), metered as `told`."""
    why, baselines_mj = _baseline(state, event, quota, told, market)
    return Delivery(_lines(state, event, quota, prices, told, market, baselines_mj), why)


def delivery_since(
    state: State, event: EventRow, quota: QuotaRow, final: ResultRow, market: Market
) -> tuple[ResultLine, ...]:
    """The lines of a last statement with what the event's own intervals hold now: same prices,
    same baseline."""
    prices = replace(
        tariff(state, event, quota, market),
        availability_price=final.availability_price,
        energy_price=final.energy_price,
        penalty_price=final.penalty_price,
    )
    told = metering(state, quota, final)
    baselines_mj = [line.baseline_mj for line in final.lines]
    return _lines(state, event, quota, prices, told, market, baselines_mj)


def _lines(
    state: State,
    event: EventRow,
    quota: QuotaRow,
    prices: Tariff,
    told: Metering,
    market: Market,
    baselines_mj: Sequence[int | None],
) -> tuple[ResultLine, ...]:
    measured = usage.measured(
        state,
        _meter(state, quota),
        quota.device,
        told,
        event.begin_ms,
        event.end_ms,
        market,
    )
    found = []
    for index, one in enumerate(measured):
        facts = Facts(
            quota.quotas_w[index],
            baselines_mj[index],
            one.energy.energy_mwh,
            was_called(event, quota, index),
            quota.withdrawn_from is not None and index >= quota.withdrawn_from,
        )
        worth = lines.line(facts, prices)
        found.append(
            ResultLine(
                worth.status,
                facts.baseline_mj,
                one.energy,
                one.classes,
                worth.availability,
                worth.energy,
                worth.penalty,
            )
        )
    return tuple(found)


def _meter(state: State, quota: QuotaRow) -> Meter:
    found = registry.meter(state, quota.meter)
    assert found is not None, "a kid stays enrolled for ever"
    return found


def was_called(event: EventRow, quota: QuotaRow, index: int) -> bool:
    """Whether an order was in force before the interval ended."""
    end_ms = event.interval_begin_ms(index) + event.interval_ms
    return quota.ordered_ms is not None and quota.ordered_ms < end_ms


def _baseline(
    state: State, event: EventRow, quota: QuotaRow, told: Metering, market: Market
) -> tuple[int, Sequence[int | None]]:
    """(one of BASELINE_NAMES, the baseline of each interval in mJ)."""
    nothing = [None] * event.body.intervals
    days = usage.local_days(market)
    point = (_meter(state, quota), quota.device)
    try:
        window = baseline_data.window(event)
        found = engine.baseline(
            event.rule,
            baseline_data.series(state, window, event.rule, point, told, market),
            window,
            days,
            baseline_data.other_events(state, point, days.zone, event.digest),
            baseline_data.control_group(state, event, market),
        )
    except HistoryError:
        return results.TOO_LITTLE_HISTORY, nothing
    except BaselineError:
        return results.OFF_THE_GRID, nothing
    if any(abs(interval.baseline_mj) > _BASELINE_MJ_MAX for interval in found.intervals):
        return results.TOO_LITTLE_HISTORY, nothing
    return results.BASELINE_MADE, [interval.baseline_mj for interval in found.intervals]
