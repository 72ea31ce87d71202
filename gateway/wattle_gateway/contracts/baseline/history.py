"""Which hours of other days stand for which hours of the event day, and which days may."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from wattle_gateway.contracts.baseline.errors import EventError
from wattle_gateway.contracts.baseline.local_days import DAY_S, LocalDays
from wattle_gateway.contracts.baseline.rule import PERMILLE, Method, RankBy, Rule, Window
from wattle_gateway.contracts.baseline.series import EnergySeries

_MIN_S = 60
# The longest day, when the clock is set back.
EVENT_MAX_S = DAY_S + 3_600

# An interval of the event day as the wall clock names it: (days after the event day, second).
Spot = tuple[int, int]


@dataclass(frozen=True)
class Event:
    """A span in Unix s; its end does not belong to it. Raises EventError beyond 25 hours."""

    start_s: int
    end_s: int

    def __post_init__(self) -> None:
        if not 0 < self.end_s - self.start_s <= EVENT_MAX_S:
            raise EventError(
                f"an event of {self.end_s - self.start_s} s, expected more than 0 and at most 25 h"
            )


@dataclass(frozen=True)
class Exclusions:
    """Local days that make no baseline. event_days: of earlier events, which a rule may fall
    back upon; other_days: outages, tests, shutdowns, which it never does."""

    event_days: frozenset[int] = field(default=frozenset())
    other_days: frozenset[int] = field(default=frozenset())


class History:
    """One point's energies as seen from one event. Raises EventError for a window off its grid."""

    def __init__(self, series: EnergySeries, days: LocalDays, event: Event, rule: Rule) -> None:
        interval_s, phase_s = series.interval_s, series.phase_s
        for name, at_s in (("start", event.start_s), ("end", event.end_s)):
            if at_s % interval_s != phase_s:
                raise EventError(
                    f"the {name} of the event lies within an interval of {interval_s} s: energy "
                    "cannot be divided, expected a time at which an interval begins"
                )
        self.series = series
        self.days = days
        self.event = event
        self.rule = rule
        self.event_day = days.zone.wall(event.start_s)[0]
        self.event_starts = series.starts(event.start_s, event.end_s)
        self.window_starts = _window_starts(series, event, rule.window)
        self.event_spots = self.spots(self.event_starts)
        self.window_spots = self.spots(self.window_starts)
        self.match_starts = self._match_starts() if rule.method is Method.NEAREST else ()
        self.match_spots = self.spots(self.match_starts)

    def energies(self, day: int, spots: Sequence[Spot]) -> list[int | None]:
        """What was measured on another day at the same times on the wall clock, in mJ.

        None where nothing usable was measured, where that day's clock skips the time, and within
        the event itself. Where it shows the time twice, the first stands for both.
        """
        zone, event = self.days.zone, self.event
        found: list[int | None] = []
        for offset, second in spots:
            at_s = zone.first_moment(day + offset, second)
            if at_s is None or event.start_s <= at_s < event.end_s:
                found.append(None)
            else:
                found.append(self.series.usable(at_s))
        return found

    def enough(self, values: Sequence[object]) -> bool:
        """Whether as many of the values are there as the rule asks for."""
        present = sum(value is not None for value in values)
        return present > 0 and present * PERMILLE >= self.rule.least_intervals_permille * len(
            values
        )

    def rank(self, day: int) -> Fraction | None:
        """The mean energy of an interval by which the rule ranks days; None if unmeasured."""
        if self.rule.rank_by is RankBy.EVENT:
            return mean(self.energies(day, self.event_spots))
        zone = self.days.zone
        starts = self.series.starts(zone.day_start_s(day), zone.day_start_s(day + 1))
        values = [self.series.usable(start_s) for start_s in starts]
        return mean(values) if self.enough(values) else None

    def spots(self, starts: Sequence[int]) -> tuple[Spot, ...]:
        """Intervals of the event day by the wall clock."""
        walls = (self.days.zone.wall(start_s) for start_s in starts)
        return tuple((day - self.event_day, second) for day, second in walls)

    def _match_starts(self) -> tuple[int, ...]:
        """The event day's intervals that lie apart from the event, for matching days."""
        gap_s = self.rule.match_gap_min * _MIN_S
        zone = self.days.zone
        begin_s, end_s = self.event.start_s - gap_s, self.event.end_s + gap_s
        last_day = zone.wall(self.event.end_s - 1)[0]
        starts = self.series.starts(
            zone.day_start_s(self.event_day), zone.day_start_s(last_day + 1)
        )
        interval_s = self.series.interval_s
        return tuple(at for at in starts if at + interval_s <= begin_s or at >= end_s)


def mean(values: Sequence[int | None]) -> Fraction | None:
    """The mean of the values that are there, exactly; None if there is none."""
    present = [value for value in values if value is not None]
    return Fraction(sum(present), len(present)) if present else None


def means(rows: Sequence[Sequence[int | None]]) -> list[Fraction | None]:
    """The mean of each column; rows are days or points, all of one length."""
    return [mean(column) for column in zip(*rows, strict=True)]


def _window_starts(series: EnergySeries, event: Event, window: Window) -> tuple[int, ...]:
    spans = (
        (
            event.start_s - window.before_from_min * _MIN_S,
            event.start_s - window.before_to_min * _MIN_S,
        ),
        (
            event.end_s + window.after_from_min * _MIN_S,
            event.end_s + window.after_to_min * _MIN_S,
        ),
    )
    return tuple(at for begin_s, end_s in spans for at in series.starts(begin_s, end_s))
