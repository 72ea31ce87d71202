"""Axes: round numbers for values, round times for time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

_TIME_STEPS_S = (
    1, 2, 5, 10, 15, 30,
    60, 120, 300, 600, 900, 1_800,
    3_600, 7_200, 10_800, 21_600, 43_200,
    86_400, 172_800, 604_800,
)  # fmt: skip
_DAY_S = 86_400


@dataclass(frozen=True)
class Scale:
    """Maps values from `low`..`high` to pixels from `start`..`end`, linearly."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def nice_range(low: float, high: float, ticks: int) -> tuple[float, float, list[float]]:
    """A range around low..high that begins and ends on round numbers, and those in between."""
    if high <= low:
        low, high = low - 1, low + 1
    step = _nice_step((high - low) / ticks)
    first, last = math.floor(low / step), math.ceil(high / step)
    return first * step, last * step, [number * step for number in range(first, last + 1)]


def _nice_step(least: float) -> float:
    magnitude = 10.0 ** math.floor(math.log10(least))
    for factor in (1, 2, 5):
        if factor * magnitude >= least:
            return factor * magnitude
    return 10 * magnitude


def number_label(value: float, ticks: Sequence[float]) -> str:
    """A tick's number with as many decimals as its axis needs, thousands set apart."""
    step = ticks[1] - ticks[0]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:,.{decimals}f}".replace(",", "\u202f").replace("-", "\u2212")


def time_ticks(from_ms: int, to_ms: int, most: int) -> list[tuple[int, str]]:
    """Round instants (UTC) within a span with their labels, at most about `most` of them.

    The label of the first one of a day carries the date.
    """
    span_s = max((to_ms - from_ms) / 1_000, 1)
    step_s = next((step for step in _TIME_STEPS_S if span_s / step <= most), _TIME_STEPS_S[-1])
    first_s = -(-from_ms // (step_s * 1_000)) * step_s
    ticks = []
    day = None
    for at_s in range(first_s, to_ms // 1_000 + 1, step_s):
        moment = datetime.fromtimestamp(at_s, UTC)
        label = moment.strftime("%H:%M" if step_s >= 60 else "%H:%M:%S")
        if step_s >= _DAY_S:
            label = moment.strftime("%d %b")
        elif moment.date() != day:
            label = f"{moment.strftime('%d %b')} {label}"
        day = moment.date()
        ticks.append((at_s * 1_000, label))
    return ticks
