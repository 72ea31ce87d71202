"""What a baseline rule consists of: integers and short words, so that a ledger can carry it."""

from dataclasses import dataclass, field
from enum import StrEnum

from wattle_gateway.contracts.baseline.errors import RuleError
from wattle_gateway.contracts.baseline.local_days import DayTypes

PERMILLE = 1_000
# Nobody's like days lie further back; bounds the work that a rule of a stranger can cause.
LOOK_BACK_DAYS_MAX = 730
# A day: beyond, a window would reach into the same hours of another day.
WINDOW_MIN_MAX = 1_440
# Ten times as much: above it a cap means nothing.
CAP_PERMILLE_MAX = 10_000


class Method(StrEnum):
    """Where the baseline comes from."""

    # The mean of X days among the Y most recent like days.
    X_OF_Y = "x-of-y"
    # The mean of the X of Y like days whose other hours are nearest to those of the event day.
    NEAREST = "nearest"
    # The mean power of hours before and after the event, on the same day.
    SAME_DAY = "same-day"
    # The mean of others who were not called.
    CONTROL_GROUP = "control-group"


class Selection(StrEnum):
    """Which X of the Y days."""

    ALL = "all"
    HIGH = "high"
    MIDDLE = "middle"


class RankBy(StrEnum):
    """The energy by which days are high or middle."""

    EVENT = "event"
    DAY = "day"


class AdjustmentKind(StrEnum):
    """How the event day's own hours correct the mean of other days."""

    NONE = "none"
    ADDITIVE = "additive"
    MULTIPLICATIVE = "multiplicative"


class Fallback(StrEnum):
    """What is done when too few days are eligible."""

    REFUSE = "refuse"
    # Days of earlier events fill up, those with the highest energy first.
    EVENT_DAYS = "event-days"
    # The mean power of the rule's window on the day itself.
    SAME_DAY = "same-day"


@dataclass(frozen=True)
class Quota:
    """X of Y days; with fewer eligible days all of them serve, down to `least`."""

    x: int
    y: int
    least: int

    def __post_init__(self) -> None:
        if not 1 <= self.x <= self.y <= LOOK_BACK_DAYS_MAX:
            raise RuleError(
                f"x {self.x} of y {self.y}, expected 1 <= x <= y <= {LOOK_BACK_DAYS_MAX}"
            )
        if not 1 <= self.least <= self.y:
            raise RuleError(f"least days {self.least}, expected 1 to y ({self.y})")


@dataclass(frozen=True)
class Window:
    """Hours near the event, in minutes: from before_from to before_to before its start, and
    from after_from to after_to after its end. Equal numbers: nothing there."""

    before_from_min: int = 0
    before_to_min: int = 0
    after_from_min: int = 0
    after_to_min: int = 0

    def __post_init__(self) -> None:
        if not WINDOW_MIN_MAX >= self.before_from_min >= self.before_to_min >= 0:
            raise RuleError(
                f"a window from {self.before_from_min} to {self.before_to_min} min before the "
                f"event, expected {WINDOW_MIN_MAX} >= from >= to >= 0"
            )
        if not 0 <= self.after_from_min <= self.after_to_min <= WINDOW_MIN_MAX:
            raise RuleError(
                f"a window from {self.after_from_min} to {self.after_to_min} min after the event, "
                f"expected 0 <= from <= to <= {WINDOW_MIN_MAX}"
            )

    @property
    def is_empty(self) -> bool:
        """Whether it has no length at all."""
        return (
            self.before_from_min == self.before_to_min and self.after_from_min == self.after_to_min
        )


@dataclass(frozen=True)
class Rule:
    """A baseline rule. Raises RuleError for parameters that contradict each other.

    quota: for like days; weekend_quota: for days that are not business days, if other.
    skip_days: days right before the event day that are no candidates. look_back_days: calendar
    days back from the event day that are searched.
    low_usage_permille: a candidate whose energy in the event's hours is below this part of the
    candidates' mean is passed over and replaced; 0 = off.
    least_intervals_permille: part of the intervals needed that a day must have measured; of a
    control group, part of its points that an interval must have.
    window: of the adjustment, or of a same-day rule. cap_up/down_permille: no interval is
    adjusted by more than this part of its own unadjusted value; None = no cap.
    match_gap_min: minutes before and after the event that do not count when days are matched.
    """

    name: str
    method: Method = Method.X_OF_Y
    day_types: DayTypes = DayTypes.BUSINESS
    quota: Quota = field(default=Quota(10, 10, 5))
    weekend_quota: Quota | None = None
    selection: Selection = Selection.ALL
    rank_by: RankBy = RankBy.EVENT
    look_back_days: int = 45
    skip_days: int = 0
    low_usage_permille: int = 0
    least_intervals_permille: int = PERMILLE
    fallback: Fallback = Fallback.REFUSE
    adjustment: AdjustmentKind = AdjustmentKind.NONE
    window: Window = field(default=Window())
    cap_up_permille: int | None = None
    cap_down_permille: int | None = None
    match_gap_min: int = 60

    def __post_init__(self) -> None:
        self._check_ranges()
        if self.weekend_quota is not None and self.day_types is DayTypes.ALL:
            raise RuleError("a quota of its own for weekends, but all days are alike")
        needs_window = (
            self.adjustment is not AdjustmentKind.NONE
            or self.method is Method.SAME_DAY
            or self.fallback is Fallback.SAME_DAY
        )
        if needs_window and self.window.is_empty:
            raise RuleError("no window of hours near the event, and the rule needs one")
        if self.method is Method.SAME_DAY and self.adjustment is not AdjustmentKind.NONE:
            raise RuleError("a same-day rule is made of the event day already: no adjustment")
        capped = self.cap_up_permille is not None or self.cap_down_permille is not None
        if capped and self.adjustment is AdjustmentKind.NONE:
            raise RuleError("a cap without an adjustment")

    def _check_ranges(self) -> None:
        down_max = PERMILLE  # an interval cannot be taken below nothing
        for name, value, least, most in (
            ("look-back days", self.look_back_days, 1, LOOK_BACK_DAYS_MAX),
            ("skip days", self.skip_days, 0, self.look_back_days - 1),
            ("low usage permille", self.low_usage_permille, 0, PERMILLE),
            ("least intervals permille", self.least_intervals_permille, 1, PERMILLE),
            ("cap up permille", self.cap_up_permille, 0, CAP_PERMILLE_MAX),
            ("cap down permille", self.cap_down_permille, 0, down_max),
            ("match gap minutes", self.match_gap_min, 0, WINDOW_MIN_MAX),
        ):
            if value is not None and not least <= value <= most:
                raise RuleError(f"{name} {value}, expected {least} to {most}")
