"""Energies out of the state, for statements and baselines (D9 to D13)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from wattle_gateway.contracts import weights
from wattle_gateway.contracts.baseline.local_days import LocalDays, Zone
from wattle_gateway.contracts.baseline.series import EnergySeries
from wattle_gateway.contracts.measurement.energy import Energy, Metering, energies
from wattle_gateway.contracts.measurement.interval import begin_of
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.contracts.state import Source
from wattle_gateway.contracts.usage import rows
from wattle_gateway.contracts.usage.known_metering import bounded
from wattle_gateway.contracts.usage.rows import Told
from wattle_gateway.ledger.market import Market

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
    state: Source,
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
    begins = _begins(begin_ms, end_ms, market)
    known = dict(_told(state, meter, device, metering, begins, market))
    told = ((at, known.get(at, rows.NOTHING)) for at in begins)
    return tuple(Measured(at, one.energy, _classes(one.verdict, one.how)) for at, one in told)


def series(
    state: Source,
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
    begins = _begins(from_ms, to_ms, market)
    for at, one in _told(state, meter, device, metering, begins, market):
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
    state: Source, meter: Meter, device: int, metering: Metering, begins: range, market: Market
) -> Iterator[tuple[int, Told]]:
    """(beginning, what is told of it) of the intervals that begin there, rising; those of which
    nothing is known are left out."""
    length_ms, stretch_ms = market.interval_ms, rows.stretch_ms(market)
    known = rows.span(state, meter.kid, device)
    if known is None or known.interval_s != market.interval_s:
        return
    fine_ms = known.fine * stretch_ms
    for number in range(begins.start // stretch_ms, -(-min(begins.stop, fine_ms) // stretch_ms)):
        count = stretch_ms // length_ms
        settled = rows.stretch(state, meter.kid, device, number, count) or ()
        for at, one in zip(range(number * stretch_ms, fine_ms, length_ms), settled, strict=False):
            if at in begins and one.how != rows.HOW_NOTHING:
                yield at, one
    intervals = rows.FineRows(state, meter.kid, device, length_ms)
    covered = replace(metering, coverage_permille=market.coverage_permille)
    fine = [at for at in intervals.known() if at >= fine_ms and at in begins]
    for at, energy in zip(fine, energies(intervals, fine, covered, stretch_ms), strict=True):
        yield at, rows.of_interval(intervals.get(at), bounded(energy), covered)


def _begins(begin_ms: int, end_ms: int, market: Market) -> range:
    length_ms = market.interval_ms
    first_ms = begin_of(begin_ms + length_ms - 1, length_ms)
    return range(first_ms, end_ms - length_ms + 1, length_ms)


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
