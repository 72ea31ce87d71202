"""Energies out of the state, for statements and baselines (D9 to D13)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby

from wattle_gateway.contracts import weights
from wattle_gateway.contracts.baseline.local_days import LocalDays, Zone
from wattle_gateway.contracts.baseline.series import EnergySeries
from wattle_gateway.contracts.measurement.energy import Energy, Metering, energies
from wattle_gateway.contracts.measurement.interval import begin_of
from wattle_gateway.contracts.registry import Meter, Rows
from wattle_gateway.contracts.usage import rows
from wattle_gateway.contracts.usage.metering import bounded, metering
from wattle_gateway.contracts.usage.rows import Told
from wattle_gateway.ledger.market import Market

__all__ = ["Measured", "local_days", "measured", "metering", "series"]

MJ_PER_MWH = 3_600
_MS = 1000
# Thousands of intervals make a baseline, and share a few sets of classes.
_CLASSES_CACHED_MAX = 1024


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
    told = _told(state, meter, device, metering, begin_ms, end_ms, market)
    return tuple(Measured(at, one.energy, _classes(one.verdict, one.how)) for at, one in told)


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
    counts: dict[tuple[int, int], bool] = {}
    for at, one in _told(state, meter, device, metering, from_ms, to_ms, market):
        if one.how <= rows.HOW_UNMEASURED:
            continue
        begin_s = at // _MS
        energies_mj[begin_s] = one.energy_mwh * MJ_PER_MWH
        seen = (one.verdict, one.how)
        if seen not in counts:
            weight = weights.weight(market, _classes(*seen), weights.BASELINE)
            counts[seen] = weight > 0
        if not counts[seen]:
            substituted.add(begin_s)
    return EnergySeries(market.interval_s, energies_mj, frozenset(substituted))


def local_days(market: Market) -> LocalDays:
    """Zone and holidays of the market."""
    zone = Zone(market.zone.first_offset_s, market.zone.transitions)
    return LocalDays(zone, frozenset(market.holidays))


def _told(
    state: Rows,
    meter: Meter,
    device: int,
    metering: Metering,
    begin_ms: int,
    end_ms: int,
    market: Market,
) -> Iterator[tuple[int, Told]]:
    """(beginning, what is told of it) of each interval between two times."""
    length_ms, stretch_ms = market.interval_ms, rows.stretch_ms(market)
    first_ms = begin_of(begin_ms + length_ms - 1, length_ms)
    begins = range(first_ms, end_ms - length_ms + 1, length_ms)
    known = rows.span(state, meter.kid, device)
    if known is None or known.interval_s != market.interval_s:
        yield from ((begin, rows.NOTHING) for begin in begins)
        return
    fine_ms = known.fine * stretch_ms
    for number, group in groupby(
        (at for at in begins if at < fine_ms), lambda at: at // stretch_ms
    ):
        found = rows.stretch(state, meter.kid, device, number, stretch_ms // length_ms)
        for at in group:
            yield at, rows.NOTHING if found is None else found[at % stretch_ms // length_ms]
    covered = replace(metering, coverage_permille=market.coverage_permille)
    fine = [at for at in begins if at >= fine_ms]
    intervals = rows.FineRows(state, meter.kid, device, length_ms)
    for at, energy in zip(fine, energies(intervals, fine, covered, stretch_ms), strict=True):
        yield at, rows.of_interval(intervals.get(at), bounded(energy), covered)


@lru_cache(maxsize=_CLASSES_CACHED_MAX)
def _classes(verdict: int, how: int) -> frozenset[str]:
    found = set(weights.of_verdict(verdict))
    if how == rows.HOW_NOTHING:
        found.add(weights.GAP)
    if how <= rows.HOW_UNMEASURED:
        found.add(weights.UNMEASURED)
    if how == rows.HOW_INTEGRATED:
        found.add(weights.INTEGRATED)
    return frozenset(found)
