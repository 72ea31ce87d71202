"""What a point would have used in an event: pure, in integers, the same for everybody.

Theory of operation. The event's intervals, and those of the rule's window near it, are named by
the wall clock of the event day. The same times of other days (or the same moments of a control
group) give the mean of each interval, exactly, as a fraction; the window gives the adjustment,
exactly too. Only then is each interval rounded, once, to 1 mJ, halves to the even one. Sums are
sums of those integers, and Wh are rounded from a sum once more, halves to the even one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from wattle_gateway.contracts.baseline import adjustment, candidates
from wattle_gateway.contracts.baseline.adjustment import Adjusted
from wattle_gateway.contracts.baseline.errors import EventError, HistoryError
from wattle_gateway.contracts.baseline.history import Event, Exclusions, History, mean, means
from wattle_gateway.contracts.baseline.local_days import LocalDays
from wattle_gateway.contracts.baseline.rule import AdjustmentKind, Fallback, Method, Rule
from wattle_gateway.contracts.baseline.series import EnergySeries, rounded, wh

# A control group is asked for each interval of each member.
CONTROL_POINTS_MAX = 10_000
_NO_ADJUSTMENT = Adjusted(AdjustmentKind.NONE, "made of the event day itself")


@dataclass(frozen=True)
class Interval:
    """One interval of the event; actual_mj None: unmeasured, which is not zero."""

    start_s: int
    end_s: int
    unadjusted_mj: int
    baseline_mj: int
    actual_mj: int | None

    @property
    def reduction_mj(self) -> int | None:
        """Baseline minus actual; negative when more was used."""
        return None if self.actual_mj is None else self.baseline_mj - self.actual_mj


@dataclass(frozen=True)
class Baseline:
    """A baseline and what it rests on.

    days: taken, newest first (none for same-day and control group); passed_over: like days that
    were not eligible, with the reason. fell_back: whether the rule's fallback made it.
    """

    event: Event
    intervals: tuple[Interval, ...]
    days: tuple[int, ...]
    passed_over: tuple[tuple[int, str], ...]
    adjusted: Adjusted
    fell_back: bool = False

    @property
    def measured(self) -> tuple[Interval, ...]:
        """The intervals whose energy is known."""
        return tuple(entry for entry in self.intervals if entry.actual_mj is not None)

    @property
    def baseline_wh(self) -> int:
        """Of the measured intervals; of all if none was measured (an event to come)."""
        return wh(sum(entry.baseline_mj for entry in self.measured or self.intervals))

    @property
    def actual_wh(self) -> int | None:
        """Of the measured intervals; None if there is none."""
        if not self.measured:
            return None
        return wh(sum(entry.actual_mj or 0 for entry in self.measured))

    @property
    def reduction_wh(self) -> int | None:
        """baseline_wh minus actual_wh."""
        actual_wh = self.actual_wh
        return None if actual_wh is None else self.baseline_wh - actual_wh


def baseline(
    rule: Rule,
    series: EnergySeries,
    event: Event,
    days: LocalDays,
    exclusions: Exclusions,
    control: Sequence[EnergySeries] = (),
) -> Baseline:
    """The baseline of one point in one event.

    series: of the point, over the rule's look-back and the event day. control: of the points of
    the control group, for a rule that has one. Raises EventError for an event off the grid of
    the series, HistoryError when the rule finds too little data.
    """
    history = History(series, days, event, rule)
    if rule.method is Method.SAME_DAY:
        return _same_day(history)
    if rule.method is Method.CONTROL_GROUP:
        return _of_control_group(history, control)
    try:
        choice = candidates.choose(history, exclusions)
    except HistoryError:
        if rule.fallback is not Fallback.SAME_DAY:
            raise
        return _same_day(history, fell_back=True)
    rows = [history.energies(day, history.event_spots) for day in choice.days]
    window_rows = [history.energies(day, history.window_spots) for day in choice.days]
    intervals, adjusted = _with_adjustment(history, means(rows), means(window_rows))
    earlier = exclusions.event_days.intersection(choice.days)
    return Baseline(event, intervals, choice.days, choice.passed_over, adjusted, bool(earlier))


def _with_adjustment(
    history: History,
    baselines: Sequence[Fraction | None],
    window_baseline: Sequence[Fraction | None],
) -> tuple[tuple[Interval, ...], Adjusted]:
    complete = [value for value in baselines if value is not None]
    if len(complete) < len(baselines):
        raise HistoryError("an interval of the event was measured on none of the days")
    own = [history.series.usable(start_s) for start_s in history.window_starts]
    values, adjusted = adjustment.adjust(
        history.rule, complete, own, window_baseline, history.enough(own)
    )
    return _intervals(history, complete, values), adjusted


def _same_day(history: History, *, fell_back: bool = False) -> Baseline:
    own = [history.series.usable(start_s) for start_s in history.window_starts]
    level = mean(own)
    if level is None or not history.enough(own):
        present = sum(value is not None for value in own)
        raise HistoryError(
            f"{present} of {len(own)} intervals around the event are measured, and the baseline "
            "is their mean"
        )
    levels = [level] * len(history.event_starts)
    intervals = _intervals(history, levels, levels)
    return Baseline(history.event, intervals, (), (), _NO_ADJUSTMENT, fell_back)


def _of_control_group(history: History, control: Sequence[EnergySeries]) -> Baseline:
    if not 1 <= len(control) <= CONTROL_POINTS_MAX:
        raise HistoryError(
            f"{len(control)} points in the control group, expected 1 to {CONTROL_POINTS_MAX}"
        )
    for series in control:
        other = (series.interval_s, series.phase_s)
        if series.energies_mj and other != (history.series.interval_s, history.series.phase_s):
            raise EventError("the control group is measured in other intervals than the point")

    def group_means(starts: Sequence[int]) -> list[Fraction | None]:
        columns = ([series.usable(start_s) for series in control] for start_s in starts)
        return [mean(column) if history.enough(column) else None for column in columns]

    baselines = group_means(history.event_starts)
    if None in baselines:
        raise HistoryError("too few of the control group were measured during the event")
    intervals, adjusted = _with_adjustment(history, baselines, group_means(history.window_starts))
    return Baseline(history.event, intervals, (), (), adjusted)


def _intervals(
    history: History, unadjusted: Sequence[Fraction], values: Sequence[Fraction]
) -> tuple[Interval, ...]:
    return tuple(
        Interval(
            start_s,
            start_s + history.series.interval_s,
            rounded(before.numerator, before.denominator),
            rounded(value.numerator, value.denominator),
            history.series.energies_mj.get(start_s),
        )
        for start_s, before, value in zip(history.event_starts, unadjusted, values, strict=True)
    )
