"""How fast the folder grows, and when its disk is full: from measured history, in integers.

The slope is Theil and Sen's: the median of the slopes between all pairs of points. A backup that
comes and goes, an archive run, a night without meters move a mean; the median does not follow
anything that is true of less than 29 % of the points (Sen, JASA 63, 1968).
"""

from collections.abc import Sequence
from dataclasses import dataclass

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
# A point an hour; days of them are kept.
POINT_EVERY_MS = HOUR_MS
HISTORY_MS = 30 * DAY_MS
# One day has all hours of a day, which differ. Less says nothing of the next day.
KNOWN_AFTER_MS = DAY_MS
POINTS_LEAST = 6
# Pairs grow with the square: 120 points are 7,140 slopes, some 2 ms.
POINTS_COMPARED_MAX = 120
# A year is 365 days here; what is further away is no forecast but a guess.
FORECAST_MAX_MS = 20 * 365 * DAY_MS


@dataclass(frozen=True)
class DiskPoint:
    """At `at_ms` (Unix ms) the folder had `used` bytes, its file system `free` ones."""

    at_ms: int
    used: int
    free: int


@dataclass(frozen=True)
class Forecast:
    """`growth` of the folder, bytes a day; None: not known yet. `full_ms` (Unix ms) when nothing
    is left of its room at the rate at which that shrinks, None if that is not known, if it does
    not shrink, or not within FORECAST_MAX_MS. `known_from_ms`: when a first figure can be had at
    the earliest, None if there is one."""

    growth: int | None
    full_ms: int | None
    known_from_ms: int | None


def forecast(points: Sequence[DiskPoint], budget: int, now_ms: int) -> Forecast:
    """From points in any order; those of the future (the clock was set back) and those older than
    HISTORY_MS do not count. `budget` bytes as in the configuration now, 0: none."""
    known = sorted(
        (point for point in points if now_ms - HISTORY_MS <= point.at_ms <= now_ms),
        key=lambda point: point.at_ms,
    )
    if not known:
        return Forecast(None, None, now_ms + KNOWN_AFTER_MS)
    from_ms = known[0].at_ms + KNOWN_AFTER_MS
    if known[-1].at_ms < from_ms or len(known) < POINTS_LEAST:
        return Forecast(None, None, max(from_ms, now_ms))
    chosen = _thinned(known)
    growth = _slope([(point.at_ms, point.used) for point in chosen])
    rooms = [(point.at_ms, _room(point, budget)) for point in chosen]
    loss = -_slope(rooms)
    left = max(rooms[-1][1], 0)
    full_ms = rooms[-1][0] + left * DAY_MS // loss if loss > 0 else None
    if full_ms is not None and full_ms - now_ms > FORECAST_MAX_MS:
        full_ms = None
    return Forecast(growth, full_ms, None)


def _room(point: DiskPoint, budget: int) -> int:
    return point.free if budget == 0 else min(budget - point.used, point.free)


def _thinned(points: list[DiskPoint]) -> list[DiskPoint]:
    """At most POINTS_COMPARED_MAX of them, evenly, the newest among them."""
    every = -(-len(points) // POINTS_COMPARED_MAX)
    return points[::-1][::every][::-1]


def _slope(values: Sequence[tuple[int, int]]) -> int:
    """The median slope a day of (ms, value) by rising ms, rounded down; ms must differ."""
    slopes = sorted(
        (after - before) * DAY_MS // (after_ms - before_ms)
        for place, (before_ms, before) in enumerate(values)
        for after_ms, after in values[place + 1 :]
    )
    middle = len(slopes) // 2
    if len(slopes) % 2:
        return slopes[middle]
    return (slopes[middle - 1] + slopes[middle]) // 2
