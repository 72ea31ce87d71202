"""A baseline as text and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from wattle_gateway.contracts.baseline.adjustment import PPM, Adjusted
from wattle_gateway.contracts.baseline.engine import Baseline, Interval
from wattle_gateway.contracts.baseline.local_days import Zone, date_of
from wattle_gateway.contracts.baseline.placebo import Accuracy
from wattle_gateway.contracts.baseline.rule import AdjustmentKind, Method, Quota, Rule, Window
from wattle_gateway.contracts.baseline.series import MJ_PER_WH, rounded, wh
from wattle_gateway.interval_data.times import shown_local

_HEAD = ("start", "end", "baseline Wh", "actual Wh", "reduction Wh")
_WHOLE_WH_S = 900
_UNMEASURED = "unmeasured"
_PLACEBO_HEAD = ("rule", "days it judges", "bias %", "RRMSE %", "baseline Wh", "actual Wh")


def notes(found: Baseline) -> list[str]:
    """What a reader of the totals has to know."""
    lacking = len(found.intervals) - len(found.measured)
    told = []
    if lacking and found.measured:
        told.append(
            f"{lacking} of {len(found.intervals)} intervals of the event are unmeasured and in no "
            "total"
        )
    elif lacking:
        told.append("no interval of the event is measured: a baseline, and no reduction")
    if found.fell_back:
        told.append("too few days were eligible: the rule's fallback was used")
    return told


def as_json(
    rule: Rule, source: str, found: Baseline, zone: Zone, told: list[str]
) -> dict[str, Any]:
    """Everything that the result rests on. Energies in whole Wh, and in mJ as computed."""
    return {
        "rule": asdict(rule),
        "source": source,
        "event": {
            "start": shown_local(found.event.start_s, zone),
            "end": shown_local(found.event.end_s, zone),
        },
        "days": [str(date_of(day)) for day in found.days],
        "passed_over": [
            {"day": str(date_of(day)), "reason": reason} for day, reason in found.passed_over
        ],
        "fell_back": found.fell_back,
        "adjustment": asdict(found.adjusted),
        "intervals": [_interval_json(entry, zone) for entry in found.intervals],
        "baseline_wh": found.baseline_wh,
        "actual_wh": found.actual_wh,
        "reduction_wh": found.reduction_wh,
        "unmeasured_intervals": len(found.intervals) - len(found.measured),
        "notes": told,
    }


def as_text(
    rule: Rule, source: str, found: Baseline, zone: Zone, more_lines: Sequence[str] = ()
) -> str:
    """The rule in words, the days, `more_lines`, the intervals as a table, the totals."""
    days = ", ".join(str(date_of(day)) for day in found.days)
    lines = [
        f"rule          {rule.name}: {described(rule)}",
        f"source        {source}",
        f"event         {shown_local(found.event.start_s, zone)} to "
        f"{shown_local(found.event.end_s, zone)}",
    ]
    if days:
        lines.append(f"days          {days}")
    lines += [f"passed over   {date_of(day)}: {reason}" for day, reason in found.passed_over]
    lines += [*more_lines, f"adjustment    {_adjusted_text(found.adjusted)}", ""]
    rows = [_HEAD, *(_interval_row(entry, zone) for entry in found.intervals)]
    lines += [*_aligned(rows, left=2), ""]
    actual, reduction = found.actual_wh, found.reduction_wh
    lines += [
        f"baseline_wh   {found.baseline_wh}",
        f"actual_wh     {_UNMEASURED if actual is None else actual}",
        f"reduction_wh  {_UNMEASURED if reduction is None else reduction}",
    ]
    return "\n".join(lines)


def described(rule: Rule) -> str:
    """A rule in a sentence."""
    window = _window_text(rule.window)
    if rule.method is Method.SAME_DAY:
        return f"mean power of {window}"
    if rule.method is Method.CONTROL_GROUP:
        words = ["mean of the control group"]
    else:
        words = [_days_text(rule)]
    if rule.adjustment is AdjustmentKind.NONE:
        return "; ".join([*words, "no adjustment"])
    caps = [
        f"{sign}{permille / 10:g} %"
        for sign, permille in (("+", rule.cap_up_permille), ("-", rule.cap_down_permille))
        if permille is not None
    ]
    capped = f", at most {' / '.join(caps)}" if caps else ", no cap"
    return "; ".join([*words, f"{rule.adjustment} adjustment by {window}{capped}"])


def placebo_row(name: str, judged: int, found: Accuracy | None) -> dict[str, Any]:
    """One rule's line: bias and RRMSE in hundredths of a per cent of the actual energy."""
    return {
        "rule": name,
        "days": judged,
        "bias_permyriad": None if found is None else found.bias,
        "rrmse_permyriad": None if found is None else found.rrmse,
        "baseline_wh": None if found is None else wh(found.baseline_mj),
        "actual_wh": None if found is None else wh(found.actual_mj),
    }


def placebo_table(rows: list[dict[str, Any]], days: int, shared: int) -> str:
    """Rules below each other; bias, RRMSE and sums over the days that all of them judge."""
    cells = [
        (
            row["rule"],
            str(row["days"]),
            _percent(row["bias_permyriad"], "+"),
            _percent(row["rrmse_permyriad"], ""),
            *("-" if row[key] is None else str(row[key]) for key in ("baseline_wh", "actual_wh")),
        )
        for row in rows
    ]
    told = f"{days} days without an event, {shared} of them judged by every rule"
    return "\n".join([told, "", *_aligned([_PLACEBO_HEAD, *cells], left=1)])


def _percent(permyriad: int | None, sign: str) -> str:
    return "-" if permyriad is None else f"{permyriad / 100:{sign}.2f}"


def _interval_json(entry: Interval, zone: Zone) -> dict[str, Any]:
    reduction_mj = entry.reduction_mj
    return {
        "start": shown_local(entry.start_s, zone),
        "end": shown_local(entry.end_s, zone),
        "baseline_wh": wh(entry.baseline_mj),
        "actual_wh": None if entry.actual_mj is None else wh(entry.actual_mj),
        "reduction_wh": None if reduction_mj is None else wh(reduction_mj),
        "unadjusted_mj": entry.unadjusted_mj,
        "baseline_mj": entry.baseline_mj,
        "actual_mj": entry.actual_mj,
    }


def _interval_row(entry: Interval, zone: Zone) -> tuple[str, ...]:
    energies = (entry.baseline_mj, entry.actual_mj, entry.reduction_mj)
    # Of short intervals whole Wh would say nothing.
    shown = wh if entry.end_s - entry.start_s >= _WHOLE_WH_S else _finer_wh
    return (
        shown_local(entry.start_s, zone),
        shown_local(entry.end_s, zone),
        *(_UNMEASURED if energy is None else str(shown(energy)) for energy in energies),
    )


def _finer_wh(energy_mj: int) -> str:
    return f"{Decimal(rounded(energy_mj, MJ_PER_WH // 1_000)) / 1_000:.3f}"


def _aligned(rows: list[tuple[str, ...]], left: int) -> list[str]:
    """Columns of one width each; the first `left` to the left, numbers to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if at < left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _adjusted_text(adjusted: Adjusted) -> str:
    if adjusted.kind is AdjustmentKind.NONE:
        return f"none: {adjusted.reason}"
    compared = (
        f"{wh(adjusted.window_actual_mj)} Wh measured in the window, "
        f"{wh(adjusted.window_baseline_mj)} Wh on the days"
    )
    capped = ", capped" if adjusted.is_capped else ""
    if adjusted.kind is AdjustmentKind.ADDITIVE:
        shift = rounded(adjusted.shift_mj, 3_600)
        return f"{shift / 1_000:+.3f} Wh an interval{capped} ({compared})"
    return f"x {adjusted.factor_ppm / PPM:.6f}{capped} ({compared})"


def _days_text(rule: Rule) -> str:
    kind = "nearest" if rule.method is Method.NEAREST else rule.selection.value
    text = f"{kind} {_quota_text(rule.quota)} days"
    if rule.weekend_quota is not None:
        text += f" (weekends {_quota_text(rule.weekend_quota)})"
    text += f", day types {rule.day_types}, within {rule.look_back_days} days"
    if rule.skip_days:
        text += f", not the last {rule.skip_days}"
    if rule.low_usage_permille:
        text += f", none below {rule.low_usage_permille / 10:g} % of the mean"
    return text


def _quota_text(quota: Quota) -> str:
    return f"{quota.x} of {quota.y}"


def _window_text(window: Window) -> str:
    parts = []
    if window.before_from_min != window.before_to_min:
        parts.append(f"{window.before_from_min} to {window.before_to_min} min before the event")
    if window.after_from_min != window.after_to_min:
        parts.append(f"{window.after_from_min} to {window.after_to_min} min after it")
    return " and ".join(parts)
