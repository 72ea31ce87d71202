"""How far a rule is off where nothing happened: bias and spread over days without an event."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isqrt

from wattle_gateway.contracts.baseline.engine import Baseline, baseline
from wattle_gateway.contracts.baseline.errors import HistoryError
from wattle_gateway.contracts.baseline.history import Event, Exclusions
from wattle_gateway.contracts.baseline.local_days import LocalDays
from wattle_gateway.contracts.baseline.rule import Rule
from wattle_gateway.contracts.baseline.series import EnergySeries, rounded

# Parts of a whole, so that a per cent has two decimals.
WHOLE = 10_000


@dataclass(frozen=True)
class Accuracy:
    """Of one rule over some placebo events, in parts of 10,000 of the actual energy.

    bias: sum of baseline minus actual, over the sum of actual: positive = too high. rrmse: root
    of the mean squared difference of an interval, over the mean actual of an interval.
    """

    events: int
    intervals: int
    actual_mj: int
    baseline_mj: int
    bias: int
    rrmse: int


def placebo_baselines(
    rule: Rule,
    series: EnergySeries,
    events: Iterable[Event],
    days: LocalDays,
    exclusions: Exclusions,
) -> dict[Event, Baseline]:
    """The baseline of each placebo event that the rule can judge: none where too few days are
    eligible, or where the event itself is not measured completely."""
    found = {}
    for event in events:
        try:
            judged = baseline(rule, series, event, days, exclusions)
        except HistoryError:
            continue
        if len(judged.measured) == len(judged.intervals):
            found[event] = judged
    return found


def accuracy(judged: Iterable[Baseline]) -> Accuracy | None:
    """Bias and RRMSE over baselines that are measured completely; None without any energy."""
    events = list(judged)
    pairs = [
        (entry.baseline_mj, entry.actual_mj)
        for found in events
        for entry in found.intervals
        if entry.actual_mj is not None
    ]
    actual_mj = sum(actual for _, actual in pairs)
    baseline_mj = sum(base for base, _ in pairs)
    if actual_mj <= 0:
        return None
    squares = sum((base - actual) ** 2 for base, actual in pairs)
    return Accuracy(
        len(events),
        len(pairs),
        actual_mj,
        baseline_mj,
        rounded(WHOLE * (baseline_mj - actual_mj), actual_mj),
        # sqrt(squares / n) / (actual / n), under one root and rounded down.
        isqrt(WHOLE**2 * squares * len(pairs) // actual_mj**2),
    )
