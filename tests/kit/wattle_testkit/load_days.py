"""Days of load for tests of baselines, written as a function of the wall clock."""

from collections.abc import Callable, Iterable
from datetime import date

from wattle_gateway.contracts.baseline.history import Event
from wattle_gateway.contracts.baseline.local_days import DAY_S, UTC, Zone, day_of
from wattle_gateway.contracts.baseline.series import HOUR_S, MJ_PER_WH, EnergySeries

# (day since 1970-01-01, hour on the clock) -> Wh, None: not measured.
Load = Callable[[int, int], int | None]

# Clocks in central Europe in 2026: summer time from 29 March, 01:00 UTC, to 25 October, 01:00 UTC.
BERLIN_2026 = Zone(3_600, ((1_774_746_000, 7_200), (1_792_890_000, 3_600)))


def hourly(load: Load, first: date, days: int, zone: Zone = UTC) -> EnergySeries:
    """Hourly energies of some days, as many hours as each of them has."""
    begin_s = zone.day_start_s(day_of(first))
    end_s = zone.day_start_s(day_of(first) + days)
    energies = {}
    for start_s in range(begin_s, end_s, HOUR_S):
        day, second = zone.wall(start_s)
        energy_wh = load(day, second // HOUR_S)
        if energy_wh is not None:
            energies[start_s] = energy_wh * MJ_PER_WH
    return EnergySeries(HOUR_S, energies)


def event(day: date, begin_h: int, end_h: int, zone: Zone = UTC) -> Event:
    """An event by the hours on the clock; the end may be 24 or beyond."""
    start_s = zone.first_moment(day_of(day), begin_h * HOUR_S)
    end_s = zone.first_moment(day_of(day) + end_h // 24, end_h * HOUR_S % DAY_S)
    assert start_s is not None
    assert end_s is not None
    return Event(start_s, end_s)


def days_of(dates: Iterable[date]) -> frozenset[int]:
    """Days since 1970-01-01."""
    return frozenset(day_of(day) for day in dates)
