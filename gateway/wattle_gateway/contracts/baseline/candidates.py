"""Which days are candidates, and which of them are taken."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from wattle_gateway.contracts.baseline.errors import HistoryError
from wattle_gateway.contracts.baseline.history import Exclusions, History, Spot, mean
from wattle_gateway.contracts.baseline.local_days import DayType, date_of
from wattle_gateway.contracts.baseline.rule import (
    PERMILLE,
    AdjustmentKind,
    Fallback,
    Method,
    Quota,
    Selection,
)

EVENT_DAY = "event day"
EXCLUDED = "excluded"
INCOMPLETE = "not measured completely"
LOW_USAGE = "low usage"
_WEEKDAY_TYPES = (DayType.ANY, DayType.BUSINESS)


@dataclass(frozen=True)
class Choice:
    """The days that make a baseline, newest first, and the like days passed over, with why."""

    days: tuple[int, ...]
    passed_over: tuple[tuple[int, str], ...]


def choose(history: History, exclusions: Exclusions) -> Choice:
    """The days of an X-of-Y or nearest-match rule. Raises HistoryError when too few are left."""
    rule = history.rule
    types, days = rule.day_types, history.days
    wanted = days.day_type(history.event_day, types)
    quota = rule.quota
    if rule.weekend_quota is not None and wanted not in _WEEKDAY_TYPES:
        quota = rule.weekend_quota
    needed = _needed_spots(history)
    passed: dict[int, str] = {}

    def like_days() -> Iterator[int]:
        newest = history.event_day - 1 - rule.skip_days
        for day in range(newest, history.event_day - rule.look_back_days - 1, -1):
            if days.day_type(day, types) is wanted:
                yield day

    def eligible() -> Iterator[int]:
        for day in like_days():
            reason = _obstacle(history, exclusions, needed, day)
            if reason is None:
                yield day
            else:
                passed[day] = reason

    pool = _filled(history, quota, eligible(), passed)
    if len(pool) < quota.least and rule.fallback is Fallback.EVENT_DAYS:
        pool += _best_event_days(history, needed, passed, quota.y - len(pool))
    if len(pool) < quota.least:
        raise HistoryError(_too_few(history, quota, wanted, pool, passed))
    days_taken = _selected(history, quota, pool)
    return Choice(
        tuple(sorted(days_taken, reverse=True)), tuple(sorted(passed.items(), reverse=True))
    )


def _needed_spots(history: History) -> tuple[tuple[Spot, ...], ...]:
    needed = [history.event_spots]
    if history.rule.adjustment is not AdjustmentKind.NONE and history.window_spots:
        needed.append(history.window_spots)
    if history.rule.method is Method.NEAREST:
        needed.append(history.match_spots)
    return tuple(needed)


def _obstacle(
    history: History, exclusions: Exclusions, needed: tuple[tuple[Spot, ...], ...], day: int
) -> str | None:
    if day in exclusions.other_days:
        return EXCLUDED
    if day in exclusions.event_days:
        return EVENT_DAY
    if not _is_complete(history, needed, day):
        return INCOMPLETE
    return None


def _is_complete(history: History, needed: tuple[tuple[Spot, ...], ...], day: int) -> bool:
    measured = all(history.enough(history.energies(day, spots)) for spots in needed)
    return measured and history.rank(day) is not None


def _filled(
    history: History, quota: Quota, eligible: Iterator[int], passed: dict[int, str]
) -> list[int]:
    """The Y most recent eligible days; those of low usage give way to older ones.

    The mean is that of all Y, the low ones among them, and is formed anew after each exchange.
    """
    pool: list[int] = []
    while True:
        while len(pool) < quota.y:
            day = next(eligible, None)
            if day is None:
                break
            pool.append(day)
        share = history.rule.low_usage_permille
        if not share or not pool:
            return pool
        usage = {day: _event_usage(history, day) for day in pool}
        bound = sum(usage.values(), Fraction()) / len(pool) * share / PERMILLE
        low = [day for day in pool if usage[day] < bound]
        if not low:
            return pool
        for day in low:
            pool.remove(day)
            passed[day] = LOW_USAGE


def _event_usage(history: History, day: int) -> Fraction:
    return mean(history.energies(day, history.event_spots)) or Fraction()


def _best_event_days(
    history: History, needed: tuple[tuple[Spot, ...], ...], passed: dict[int, str], count: int
) -> list[int]:
    past = [
        day
        for day, reason in passed.items()
        if reason == EVENT_DAY and _is_complete(history, needed, day)
    ]
    best = sorted(past, key=lambda day: (_event_usage(history, day), day), reverse=True)[:count]
    for day in best:
        del passed[day]
    return best


def _selected(history: History, quota: Quota, pool: list[int]) -> list[int]:
    rule = history.rule
    count = min(quota.x, len(pool))
    if rule.method is Method.NEAREST:
        return _ranked(pool, lambda day: -_distance(history, day))[:count]
    if rule.selection is Selection.ALL:
        # X below Y of all days: the most recent ones.
        return sorted(pool, reverse=True)[:count]
    ranks = {day: history.rank(day) or Fraction() for day in pool}
    falling = _ranked(pool, lambda day: ranks[day])
    if rule.selection is Selection.HIGH:
        return falling[:count]
    # An odd one more goes at the high end.
    above = (len(pool) - count + 1) // 2
    return falling[above : above + count]


def _ranked(pool: list[int], value: Callable[[int], Fraction]) -> list[int]:
    """Falling; of equal days the more recent comes first."""
    return sorted(pool, key=lambda day: (value(day), day), reverse=True)


def _distance(history: History, day: int) -> Fraction:
    """The mean squared difference of an interval's energy, apart from the event."""
    own = [history.series.usable(start_s) for start_s in history.match_starts]
    if not history.enough(own):
        raise HistoryError(
            "the event day's hours apart from the event are not measured completely: no day can "
            "be matched with it"
        )
    pairs = zip(own, history.energies(day, history.match_spots), strict=True)
    squares = [
        (mine - theirs) ** 2 for mine, theirs in pairs if mine is not None and theirs is not None
    ]
    if not squares:
        raise HistoryError(f"{date_of(day)} and the event day have no measured hour in common")
    return Fraction(sum(squares), len(squares))


def _too_few(
    history: History, quota: Quota, wanted: DayType, pool: list[int], passed: dict[int, str]
) -> str:
    reasons = sorted({*passed.values()})
    counted = ", ".join(
        f"{sum(1 for found in passed.values() if found == reason)} {reason}" for reason in reasons
    )
    return (
        f"{len(pool)} eligible days ({wanted}) in the {history.rule.look_back_days} days before "
        f"{date_of(history.event_day)}, expected at least {quota.least}"
        + (f"; passed over: {counted}" if counted else "")
    )
