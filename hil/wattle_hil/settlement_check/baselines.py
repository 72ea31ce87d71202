"""What a load would have used (BASELINES.md), from its energies, in fractions."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .calendar_days import Calendar

Usable = Callable[[int], int | None]
"""Unix s of an interval's beginning -> its energy in mJ, None if it is no part of a baseline."""

_MINUTE_S = 60


class NoBaselineError(Exception):
    """The rule finds too little."""


@dataclass(frozen=True)
class Question:
    """One load in one event. `rule` as the event's JSON has it; `event_days` local days of other
    events; `control` of the others, for a rule that has a control group."""

    usable: Usable
    rule: dict[str, Any]
    begin_s: int
    end_s: int
    interval_s: int
    calendar: Calendar
    event_days: frozenset[int] = frozenset()
    control: tuple[Usable, ...] = ()

    @property
    def event_day(self) -> int:
        """The local day on which the event begins."""
        return self.calendar.wall(self.begin_s)[0]

    def starts(self, begin_s: int, end_s: int) -> range:
        """The intervals that lie within a span."""
        first_s = -(-begin_s // self.interval_s) * self.interval_s
        return range(first_s, end_s - self.interval_s + 1, self.interval_s)

    @property
    def event_starts(self) -> tuple[int, ...]:
        """The event's own intervals."""
        return tuple(self.starts(self.begin_s, self.end_s))

    @property
    def window_starts(self) -> tuple[int, ...]:
        """The intervals of the rule's window near the event."""
        window = self.rule["window"]
        before = self.starts(
            self.begin_s - window["before_from_min"] * _MINUTE_S,
            self.begin_s - window["before_to_min"] * _MINUTE_S,
        )
        after = self.starts(
            self.end_s + window["after_from_min"] * _MINUTE_S,
            self.end_s + window["after_to_min"] * _MINUTE_S,
        )
        return (*before, *after)

    @property
    def match_starts(self) -> tuple[int, ...]:
        """The intervals of the event day apart from the event, by which days are matched."""
        gap_s = self.rule["match_gap_min"] * _MINUTE_S
        last_day = self.calendar.wall(self.end_s - 1)[0]
        whole = self.starts(
            self.calendar.day_start(self.event_day), self.calendar.day_start(last_day + 1)
        )
        begin_s, end_s = self.begin_s - gap_s, self.end_s + gap_s
        return tuple(at for at in whole if at + self.interval_s <= begin_s or at >= end_s)

    def on(self, day: int, starts: Iterable[int]) -> list[int | None]:
        """What was used on another day at the same times on the wall."""
        found: list[int | None] = []
        for start_s in starts:
            own_day, second = self.calendar.wall(start_s)
            at_s = self.calendar.moment(day + own_day - self.event_day, second)
            inside = at_s is not None and self.begin_s <= at_s < self.end_s
            found.append(None if at_s is None or inside else self.usable(at_s))
        return found

    def enough(self, values: Sequence[object]) -> bool:
        """Whether as many are there as the rule asks for."""
        present = sum(value is not None for value in values)
        least = self.rule["least_intervals_permille"]
        return present > 0 and present * 1_000 >= least * len(values)


def baseline(question: Question) -> list[int]:
    """The baseline of each interval of the event, mJ. Raises NoBaselineError."""
    rule = question.rule
    if rule["method"] == "same-day":
        return _same_day(question)
    if rule["method"] == "control-group":
        return _control_group(question)
    try:
        days = _days(question)
    except NoBaselineError:
        if rule["fallback"] != "same-day":
            raise
        return _same_day(question)
    rows = [question.on(day, question.event_starts) for day in days]
    window_rows = [question.on(day, question.window_starts) for day in days]
    columns = [_mean(column) for column in zip(*rows, strict=True)]
    windows = [_mean(column) for column in zip(*window_rows, strict=True)]
    return _adjusted(question, columns, windows)


def _same_day(question: Question) -> list[int]:
    own = [question.usable(start_s) for start_s in question.window_starts]
    level = _mean(own)
    if level is None or not question.enough(own):
        raise NoBaselineError
    return [round(level)] * len(question.event_starts)


def _control_group(question: Question) -> list[int]:
    if not question.control:
        raise NoBaselineError

    def means(starts: Iterable[int]) -> list[Fraction | None]:
        columns = ([usable(start_s) for usable in question.control] for start_s in starts)
        return [_mean(column) if question.enough(column) else None for column in columns]

    return _adjusted(question, means(question.event_starts), means(question.window_starts))


def _days(question: Question) -> list[int]:
    """The days that make the baseline."""
    rule, calendar = question.rule, question.calendar
    kind = calendar.kind(question.event_day, rule["day_types"])
    quota = rule["quota"]
    if rule["weekend_quota"] is not None and kind not in ("any", "business"):
        quota = rule["weekend_quota"]
    newest = question.event_day - 1 - rule["skip_days"]
    oldest = question.event_day - rule["look_back_days"]
    like = [
        day
        for day in range(newest, oldest - 1, -1)
        if calendar.kind(day, rule["day_types"]) == kind
    ]
    candidates = [
        day for day in like if day not in question.event_days and _is_complete(question, day)
    ]
    pool = _without_low_usage(question, candidates, quota["y"])
    if len(pool) < quota["least"] and rule["fallback"] == "event-days":
        past = [day for day in like if day in question.event_days and _is_complete(question, day)]
        past.sort(key=lambda day: (_usage(question, day), day), reverse=True)
        pool += past[: quota["y"] - len(pool)]
    if len(pool) < quota["least"]:
        raise NoBaselineError
    return _chosen(question, pool, min(quota["x"], len(pool)))


def _is_complete(question: Question, day: int) -> bool:
    needed = [question.event_starts]
    if question.rule["adjustment"] != "none" and question.window_starts:
        needed.append(question.window_starts)
    if question.rule["method"] == "nearest":
        needed.append(question.match_starts)
    measured = all(question.enough(question.on(day, starts)) for starts in needed)
    return measured and _rank(question, day) is not None


def _without_low_usage(question: Question, candidates: list[int], count: int) -> list[int]:
    """The most recent days; those of low usage give way to older ones."""
    share = question.rule["low_usage_permille"]
    following = iter(candidates)
    pool: list[int] = []
    while True:
        while len(pool) < count and (day := next(following, None)) is not None:
            pool.append(day)
        if not share or not pool:
            return pool
        usages = [_usage(question, day) for day in pool]
        bound = sum(usages, Fraction()) / len(pool) * share / 1_000
        low = [day for day, usage in zip(pool, usages, strict=True) if usage < bound]
        if not low:
            return pool
        pool = [day for day in pool if day not in low]


def _chosen(question: Question, pool: list[int], count: int) -> list[int]:
    rule = question.rule
    if rule["method"] == "nearest":
        falling = sorted(pool, key=lambda day: (-_distance(question, day), day), reverse=True)
        return falling[:count]
    if rule["selection"] == "all":
        return sorted(pool, reverse=True)[:count]
    falling = sorted(pool, key=lambda day: (_rank(question, day) or 0, day), reverse=True)
    if rule["selection"] == "high":
        return falling[:count]
    above = (len(pool) - count + 1) // 2
    return falling[above : above + count]


def _rank(question: Question, day: int) -> Fraction | None:
    if question.rule["rank_by"] == "event":
        return _mean(question.on(day, question.event_starts))
    calendar = question.calendar
    starts = question.starts(calendar.day_start(day), calendar.day_start(day + 1))
    values = [question.usable(start_s) for start_s in starts]
    return _mean(values) if question.enough(values) else None


def _usage(question: Question, day: int) -> Fraction:
    return _mean(question.on(day, question.event_starts)) or Fraction()


def _distance(question: Question, day: int) -> Fraction:
    own = [question.usable(start_s) for start_s in question.match_starts]
    if not question.enough(own):
        raise NoBaselineError
    pairs = zip(own, question.on(day, question.match_starts), strict=True)
    squares = [(a - b) ** 2 for a, b in pairs if a is not None and b is not None]
    if not squares:
        raise NoBaselineError
    return Fraction(sum(squares), len(squares))


def _adjusted(
    question: Question,
    means: Sequence[Fraction | None],
    window_means: Sequence[Fraction | None],
) -> list[int]:
    values = [value for value in means if value is not None]
    if len(values) < len(means):
        raise NoBaselineError
    own = [question.usable(start_s) for start_s in question.window_starts]
    kind = question.rule["adjustment"]
    pairs = [
        (actual, base)
        for actual, base in zip(own, window_means, strict=True)
        if actual is not None and base is not None
    ]
    if kind == "none" or not pairs or not question.enough(own):
        return [round(value) for value in values]
    actual_mj = sum(actual for actual, _ in pairs)
    base_mj = sum((base for _, base in pairs), Fraction())
    if kind == "additive":
        shift = (actual_mj - base_mj) / len(pairs)
        return [round(_capped(question, value, value + shift)) for value in values]
    if base_mj <= 0 or actual_mj < 0:
        return [round(value) for value in values]
    factor = _capped(question, Fraction(1), actual_mj / base_mj)
    return [round(value * factor) for value in values]


def _capped(question: Question, base: Fraction, wanted: Fraction) -> Fraction:
    up, down = question.rule["cap_up_permille"], question.rule["cap_down_permille"]
    if up is not None:
        wanted = min(wanted, base + abs(base) * up / 1_000)
    if down is not None:
        wanted = max(wanted, base - abs(base) * down / 1_000)
    return wanted


def _mean(values: Iterable[int | None]) -> Fraction | None:
    present = [value for value in values if value is not None]
    return Fraction(sum(present), len(present)) if present else None
