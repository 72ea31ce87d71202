"""What a resource did in an event, in three parts: accuracy, availability, speed (D27 to D29).

Everything is permille. Each named number is rounded toward zero once, where it is made.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wattle_gateway.ledger.market import Market

PERMILLE = 1000
_MJ_PER_W_S = 1000


@dataclass(frozen=True)
class Kept:
    """One interval in which a resource was called: `quota_w` declared (>= 0, W), `adjustment_mj`
    (D4; mJ, as baselines are) measured, None for unmeasured, `weight` and `bearing` (permille, uses
    "score" and "reputation" of the weight table)."""

    quota_w: int
    adjustment_mj: int | None
    weight: int = PERMILLE
    bearing: int = PERMILLE


@dataclass(frozen=True)
class Performance:
    """One resource in one event. `interval_s` a divisor of an hour; `intervals` those in which it
    was called; `allowed_ms` the response time that it declared, `taken_ms` the one that was seen,
    None if it never confirmed."""

    interval_s: int
    intervals: tuple[Kept, ...]
    allowed_ms: int
    taken_ms: int | None

    @property
    def promised_w(self) -> int:
        """Sum of the quotas: W, once for each interval. With 0 there is nothing to judge."""
        return sum(kept.quota_w for kept in self.intervals)


@dataclass(frozen=True)
class Parts:
    """Three numbers 0 to 1000, and `promised_w`, by which several resources are weighed."""

    accuracy: int
    availability: int
    speed: int
    promised_w: int


def parts(performance: Performance, market: Market) -> Parts:
    """The parts of one resource. Intervals with a quota of 0 promise nothing and do not count."""
    promised = [kept for kept in performance.intervals if kept.quota_w > 0]
    assert promised, "a resource without a quota is not judged"
    weighed = [
        (kept.weight, accuracy(kept, performance.interval_s, market))
        for kept in promised
        if kept.adjustment_mj is not None
    ]
    known = sum(weight for weight, _ in weighed)
    kept_well = sum(weight * part for weight, part in weighed)
    return Parts(
        kept_well // known if known else 0,
        known // len(promised),
        speed(performance.allowed_ms, performance.taken_ms),
        performance.promised_w,
    )


def accuracy(kept: Kept, interval_s: int, market: Market) -> int:
    """a of D27 for a measured interval with a quota: 1000 within the deadband, one less for each
    permille of the quota beyond it; over-delivery beyond the credit is not looked at."""
    assert kept.quota_w > 0, kept
    assert kept.adjustment_mj is not None, kept
    asked_mj = kept.quota_w * interval_s * _MJ_PER_W_S
    # Both a thousand times as large, so that nothing is divided before the end.
    counted = min(kept.adjustment_mj * PERMILLE, asked_mj * market.credit_max_permille)
    off = abs(counted - asked_mj * PERMILLE)
    beyond = max(0, off - asked_mj * market.deadband_permille)
    return max(0, PERMILLE - beyond // asked_mj)


def speed(allowed_ms: int, taken_ms: int | None) -> int:
    """s of D28; 0 without a confirmation."""
    if taken_ms is None:
        return 0
    slower_ms = max(allowed_ms, taken_ms)
    return PERMILLE * allowed_ms // slower_ms if slower_ms > 0 else PERMILLE


def bearing(several: Sequence[Performance]) -> int:
    """How far a score of these resources bears on a reputation, permille (D15): the mean of what
    the measured intervals weigh there, by their quotas; 1000 without any."""
    measured = [kept for one in several for kept in one.intervals if kept.adjustment_mj is not None]
    promised_w = sum(kept.quota_w for kept in measured)
    if promised_w == 0:
        return PERMILLE
    return sum(kept.quota_w * kept.bearing for kept in measured) // promised_w


def together(several: Sequence[Parts]) -> Parts:
    """The parts of a party with several resources, weighed by what each promised: padding an event
    with many small loads that keep their quota does not hide one large that does not."""
    promised_w = sum(one.promised_w for one in several)
    assert promised_w > 0, "a party without a quota is not judged"

    def mean(values: Sequence[int]) -> int:
        weighed = zip(values, several, strict=True)
        return sum(value * one.promised_w for value, one in weighed) // promised_w

    return Parts(
        mean([one.accuracy for one in several]),
        mean([one.availability for one in several]),
        mean([one.speed for one in several]),
        promised_w,
    )


def absolute(found: Parts, market: Market) -> int:
    """The absolute part (D29), 0 to 1000."""
    weighed = (
        market.k_accuracy * found.accuracy
        + market.k_availability * found.availability
        + market.k_speed * found.speed
    )
    return weighed // (market.k_accuracy + market.k_availability + market.k_speed)
