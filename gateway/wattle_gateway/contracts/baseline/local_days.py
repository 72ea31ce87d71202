"""Local days as data: offsets from UTC, holidays, types of days.

Contracts never consult the host about time zones, so a zone is a list of its transitions, which
a caller brings. Days are counted from 1970-01-01, times of day in seconds on the wall clock:
a day has 23 or 25 hours when the clock is changed, and what people do follows that clock.
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from wattle_gateway.contracts.baseline.errors import RuleError

DAY_S = 86_400
# The widest offsets in use are -12 h and +14 h; historic local mean times lie within.
OFFSET_MAX_S = 86_399
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
# 1970-01-01 was a Thursday; Monday is 0.
_EPOCH_WEEKDAY = 3
_SATURDAY = 5


class DayTypes(StrEnum):
    """Which days are like each other."""

    ALL = "all"
    # Monday to Friday without holidays; everything else.
    BUSINESS = "business"
    # Monday to Friday without holidays; Saturdays; Sundays with holidays.
    SATURDAY_SUNDAY = "saturday-sunday"


class DayType(StrEnum):
    """The type of one day."""

    ANY = "any day"
    BUSINESS = "business day"
    NON_BUSINESS = "non-business day"
    SATURDAY = "saturday"
    SUNDAY = "sunday or holiday"


@dataclass(frozen=True)
class Zone:
    """Offsets from UTC in seconds.

    first_offset_s: before the first transition. transitions: (Unix s, offset from then on),
    rising. Raises RuleError for transitions that do not rise and for offsets beyond a day.
    """

    first_offset_s: int = 0
    transitions: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        times = [at_s for at_s, _ in self.transitions]
        if times != sorted(set(times)):
            raise RuleError("the transitions of a zone must be in rising order of their times")
        for offset_s in (self.first_offset_s, *(offset for _, offset in self.transitions)):
            if abs(offset_s) > OFFSET_MAX_S:
                raise RuleError(f"an offset of {offset_s} s, expected less than a day")

    def offset_s(self, at_s: int) -> int:
        """The offset from UTC at a moment."""
        index = bisect_right(self.transitions, at_s, key=lambda transition: transition[0])
        return self.transitions[index - 1][1] if index else self.first_offset_s

    def wall(self, at_s: int) -> tuple[int, int]:
        """(day, second of the day) that the clock on the wall shows at a moment."""
        return divmod(at_s + self.offset_s(at_s), DAY_S)

    def moments(self, day: int, second: int) -> tuple[int, ...]:
        """The moments at which the clock on the wall shows this, rising.

        One as a rule; none when the clock skips it, two when it is shown again after the clock
        was set back. `second` may lie outside the day.
        """
        shown_s = day * DAY_S + second
        around = self._transitions_around(shown_s)
        before_s = self.offset_s(shown_s - OFFSET_MAX_S)
        if not around:
            return (shown_s - before_s,)
        offsets = {before_s, *(offset_s for _, offset_s in around)}
        found = (shown_s - offset for offset in offsets)
        return tuple(sorted(at_s for at_s in found if at_s + self.offset_s(at_s) == shown_s))

    def first_moment(self, day: int, second: int) -> int | None:
        """The only moment, or of two the first, as PEP 495 has it; None when it is skipped."""
        moments = self.moments(day, second)
        return moments[0] if moments else None

    def day_start_s(self, day: int) -> int:
        """When a day begins, also where the clock skips midnight."""
        moment = self.first_moment(day, 0)
        if moment is not None:
            return moment
        # The gap itself is the boundary between the two days.
        around = self._transitions_around(day * DAY_S)
        return next(at_s for at_s, _ in around if self.wall(at_s)[0] == day)

    def _transitions_around(self, shown_s: int) -> tuple[tuple[int, int], ...]:
        first = bisect_right(self.transitions, shown_s - OFFSET_MAX_S, key=lambda entry: entry[0])
        last = bisect_right(self.transitions, shown_s + OFFSET_MAX_S, key=lambda entry: entry[0])
        return self.transitions[first:last]


UTC = Zone()


@dataclass(frozen=True)
class LocalDays:
    """A zone and its holidays (days since 1970-01-01)."""

    zone: Zone = UTC
    holidays: frozenset[int] = frozenset()

    def day_type(self, day: int, types: DayTypes) -> DayType:
        """The type of a day; a holiday counts as a Sunday."""
        if types is DayTypes.ALL:
            return DayType.ANY
        weekday = (day + _EPOCH_WEEKDAY) % 7
        if weekday < _SATURDAY and day not in self.holidays:
            return DayType.BUSINESS
        if types is DayTypes.BUSINESS:
            return DayType.NON_BUSINESS
        is_saturday = weekday == _SATURDAY and day not in self.holidays
        return DayType.SATURDAY if is_saturday else DayType.SUNDAY


def day_of(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - _EPOCH_ORDINAL


def date_of(day: int) -> date:
    """The date of a day counted from 1970-01-01."""
    return date.fromordinal(day + _EPOCH_ORDINAL)
