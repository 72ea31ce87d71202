"""Energies out of the state, for statements and baselines (D9 to D13)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from wattle_gateway.contracts import weights
from wattle_gateway.contracts.baseline.local_days import LocalDays, Zone
from wattle_gateway.contracts.baseline.series import EnergySeries
from wattle_gateway.contracts.measurement.energy import (
    INTEGRATED,
    UNMEASURED,
    Energy,
    Metering,
    energies,
    has_gap,
)
from wattle_gateway.contracts.measurement.interval import begin_of
from wattle_gateway.contracts.registry import Meter, Rows
from wattle_gateway.contracts.usage import rows
from wattle_gateway.contracts.usage.metering import bounded, metering
from wattle_gateway.ledger.market import Market

__all__ = ["Measured", "local_days", "measured", "metering", "series"]

MJ_PER_MWH = 3_600
_MS = 1000


@dataclass(frozen=True)
class Measured:
    """What a point used from `begin_ms` on for one interval; `classes` by name (D13)."""

    begin_ms: int
    energy: Energy
    classes: frozenset[str]


def measured(
    state: Rows,
    meter: Meter,
    device: int,
    metering: Metering,
    begin_ms: int,
    end_ms: int,
    market: Market,
) -> tuple[Measured, ...]:
    """Each interval that lies within `[begin_ms, end_ms)`, rising, measured or not.

    `market` the parameters that the question is asked under: its interval and coverage count. Days
    that are not fine any more are as they were settled, whatever `metering` says. StateError for a
    damaged row.
    """
    return tuple(_measured(state, meter, device, metering, begin_ms, end_ms, market))


def series(
    state: Rows,
    meter: Meter,
    device: int,
    metering: Metering,
    from_ms: int,
    to_ms: int,
    market: Market,
) -> EnergySeries:
    """The measured intervals within `[from_ms, to_ms)` for a baseline; those of a class that has
    no weight there are substituted. Otherwise as `measured`."""
    energies_mj: dict[int, int] = {}
    substituted = set()
    for one in _measured(state, meter, device, metering, from_ms, to_ms, market):
        if one.energy.energy_mwh is None:
            continue
        begin_s = one.begin_ms // _MS
        energies_mj[begin_s] = one.energy.energy_mwh * MJ_PER_MWH
        if weights.weight(market, one.classes, weights.BASELINE) == 0:
            substituted.add(begin_s)
    return EnergySeries(market.interval_s, energies_mj, frozenset(substituted))


def local_days(market: Market) -> LocalDays:
    """Zone and holidays of the market."""
    zone = Zone(market.zone.first_offset_s, market.zone.transitions)
    return LocalDays(zone, frozenset(market.holidays))


def _measured(
    state: Rows,
    meter: Meter,
    device: int,
    metering: Metering,
    begin_ms: int,
    end_ms: int,
    market: Market,
) -> Iterator[Measured]:
    length_ms, stretch_ms = market.interval_ms, rows.stretch_ms(market)
    first_ms = begin_of(begin_ms + length_ms - 1, length_ms)
    begins = range(first_ms, end_ms - length_ms + 1, length_ms)
    known = rows.span(state, meter.kid, device)
    if known is None or known.interval_s != market.interval_s:
        yield from (_of(begin, None, 0, is_gap=True) for begin in begins)
        return
    fine_ms = known.fine * stretch_ms
    yield from _of_stretches(state, meter, device, [at for at in begins if at < fine_ms], market)
    told = replace(metering, coverage_permille=market.coverage_permille)
    fine = [at for at in begins if at >= fine_ms]
    intervals = rows.FineRows(state, meter.kid, device, length_ms)
    for at, energy in zip(fine, energies(intervals, fine, told, stretch_ms), strict=True):
        row = intervals.get(at)
        yield _of(at, bounded(energy), row.verdict, is_gap=has_gap(row, told))


def _of_stretches(
    state: Rows, meter: Meter, device: int, begins: Sequence[int], market: Market
) -> Iterator[Measured]:
    stretch_ms = rows.stretch_ms(market)
    number, found = -1, None
    for at in begins:
        if at // stretch_ms != number:
            number = at // stretch_ms
            found = rows.stretch(state, meter.kid, device, number)
        one = None if found is None else found[at % stretch_ms // market.interval_ms]
        if one is None:
            yield _of(at, None, 0, is_gap=True)
        else:
            yield _of(at, one.energy, one.verdict, is_gap=False)


def _of(begin_ms: int, energy: Energy | None, verdict: int, *, is_gap: bool) -> Measured:
    found = energy or Energy(UNMEASURED)
    classes = weights.of_verdict(verdict)
    if is_gap:
        classes |= {weights.GAP}
    if found.how == INTEGRATED:
        classes |= {weights.INTEGRATED}
    if found.how == UNMEASURED:
        classes |= {weights.UNMEASURED}
    return Measured(begin_ms, found, classes)
