"""The same-day adjustment: what the event day's own hours say about the mean of other days."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from wattle_gateway.contracts.baseline.rule import PERMILLE, AdjustmentKind, Rule
from wattle_gateway.contracts.baseline.series import rounded

PPM = 1_000_000


@dataclass(frozen=True)
class Adjusted:
    """How a baseline was adjusted.

    kind: none if it was not, and `reason` says why. window_actual_mj, window_baseline_mj: what
    was compared. factor_ppm (multiplicative) or shift_mj an interval (additive), after the cap;
    is_capped: whether the cap took effect on any interval.
    """

    kind: AdjustmentKind
    reason: str = ""
    window_actual_mj: int = 0
    window_baseline_mj: int = 0
    factor_ppm: int = PPM
    shift_mj: int = 0
    is_capped: bool = False


def adjust(
    rule: Rule,
    baselines: Sequence[Fraction],
    window_actual: Sequence[int | None],
    window_baseline: Sequence[Fraction | None],
    enough: bool,
) -> tuple[list[Fraction], Adjusted]:
    """The adjusted baseline of each interval of the event, and how that came.

    window_actual, window_baseline: the same intervals, as measured on the event day and as the
    rule has them; those that lack either do not count. enough: whether so many were measured
    as the rule asks for; if not, nothing is adjusted.
    """
    unadjusted = list(baselines)
    if rule.adjustment is AdjustmentKind.NONE:
        return unadjusted, Adjusted(AdjustmentKind.NONE, "the rule has none")
    pairs = [
        (actual, base)
        for actual, base in zip(window_actual, window_baseline, strict=True)
        if actual is not None and base is not None
    ]
    if not pairs or not enough:
        return unadjusted, Adjusted(
            AdjustmentKind.NONE, "the window was not measured on the event day"
        )
    actual_mj = sum(actual for actual, _ in pairs)
    base_mj = sum((base for _, base in pairs), Fraction())
    compared = (actual_mj, rounded(base_mj.numerator, base_mj.denominator))
    if rule.adjustment is AdjustmentKind.ADDITIVE:
        shift = (actual_mj - base_mj) / len(pairs)
        shifted = [_capped(rule, base, base + shift) for base in unadjusted]
        is_capped = any(
            value != base + shift for value, base in zip(shifted, unadjusted, strict=True)
        )
        shift_mj = rounded(shift.numerator, shift.denominator)
        return shifted, Adjusted(
            rule.adjustment, "", *compared, shift_mj=shift_mj, is_capped=is_capped
        )
    if base_mj <= 0 or actual_mj < 0:
        return unadjusted, Adjusted(
            AdjustmentKind.NONE, "no ratio: nothing was drawn in the window", *compared
        )
    wanted = actual_mj / base_mj
    factor = _capped(rule, Fraction(1), wanted)
    factor_ppm = rounded(PPM * factor.numerator, factor.denominator)
    return [base * factor for base in unadjusted], Adjusted(
        rule.adjustment, "", *compared, factor_ppm=factor_ppm, is_capped=factor != wanted
    )


def _capped(rule: Rule, base: Fraction, wanted: Fraction) -> Fraction:
    """`wanted`, moved to within the rule's part of `base`."""
    room = abs(base)
    if rule.cap_up_permille is not None:
        wanted = min(wanted, base + room * rule.cap_up_permille / PERMILLE)
    if rule.cap_down_permille is not None:
        wanted = max(wanted, base - room * rule.cap_down_permille / PERMILLE)
    return wanted
