"""A baseline rule from its name and the options that change its parameters."""

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

from wattle_gateway.cli.quantities import parsed_permille
from wattle_gateway.contracts.baseline.local_days import DayTypes
from wattle_gateway.contracts.baseline.presets import PRESETS
from wattle_gateway.contracts.baseline.rule import (
    AdjustmentKind,
    Fallback,
    Method,
    Quota,
    RankBy,
    Rule,
    Selection,
    Window,
)
from wattle_gateway.errors import UsageError

NO_CAP = "none"
_DAYS = (
    *("day_types", "selection", "rank_by", "fallback", "x", "y", "least_days", "weekend_x"),
    *("weekend_y", "weekend_least_days", "look_back", "skip_days", "low_usage", "match_gap"),
)
# What a rule of a method never reads; of adjustments and caps `Rule` itself says where they fit.
_UNREAD: Mapping[Method, tuple[str, ...]] = {
    Method.X_OF_Y: ("match_gap",),
    Method.NEAREST: ("selection",),
    Method.SAME_DAY: _DAYS,
    Method.CONTROL_GROUP: _DAYS,
}
_DURATION = re.compile(r"(?:(\d{1,4}) ?h)? ?(?:(\d{1,4}) ?(?:m|min)?)?")
_MIN_PER_H = 60


def add_options(command: argparse.ArgumentParser, prefix: str = "") -> None:
    """One option for each parameter of a rule; what is not given is the named rule's. Their names
    begin with `prefix`, such as `baseline-`, where a command has other options of these names."""
    group = command.add_argument_group(
        "parameters of the rule", "each replaces what the named rule says"
    )
    begin = f"--{prefix}"
    _choice(group, f"{begin}method", Method, "where the baseline comes from")
    _choice(group, f"{begin}day-types", DayTypes, "which days are alike")
    _choice(group, f"{begin}selection", Selection, "which X of the Y days")
    _choice(
        group,
        f"{begin}rank-by",
        RankBy,
        "energy by which days are high: in the event's hours or all",
    )
    _choice(group, f"{begin}adjustment", AdjustmentKind, "same-day adjustment")
    _choice(group, f"{begin}fallback", Fallback, "when too few days are eligible")
    for name, text in (
        ("x", "days that make the baseline"),
        ("y", "eligible days among which they are"),
        ("least-days", "eligible days without which there is no baseline"),
        ("weekend-x", "the same for days that are not business days"),
        ("weekend-y", "likewise"),
        ("weekend-least-days", "likewise"),
        ("look-back", "calendar days before the event that are searched"),
        ("skip-days", "days right before the event day that are no candidates"),
    ):
        group.add_argument(begin + name, type=int, metavar="N", help=text)
    for name, text in (
        ("low-usage", "days below this part of the mean are replaced; 0%% = off"),
        ("least-intervals", "part of its intervals that a day must have measured"),
        ("cap", f"most that an interval is adjusted, of its value; or {NO_CAP}"),
        ("cap-up", "the same, upwards only"),
        ("cap-down", "the same, downwards only"),
    ):
        group.add_argument(begin + name, metavar="PERCENT", help=text)
    for name, text in (
        ("window-before", "hours before the event of adjustment or same-day rule, as 4h-1h"),
        ("window-after", "hours after it, as 1h-3h"),
    ):
        group.add_argument(begin + name, metavar="FROM-TO", help=f"{text}; or none")
    group.add_argument(
        begin + "match-gap",
        metavar="TIME",
        help="before and after the event, when days are matched",
    )


def rule_of(arguments: argparse.Namespace, name: str, prefix: str = "") -> Rule:
    """The rule of a name, with the parameters that were given by options whose names begin with
    `prefix`. Raises UsageError or RuleError."""
    begin = prefix.replace("-", "_")
    given = vars(arguments).items()
    named = {key.removeprefix(begin): value for key, value in given if key.startswith(begin)}
    return _rule_of(argparse.Namespace(**named), name)


def check_read(arguments: argparse.Namespace, rules: Sequence[Rule], prefix: str = "") -> None:
    """UsageError for a parameter that was given and that none of the rules reads, so that nobody
    takes a result for what it is not."""
    for option in _DAYS:
        given = getattr(arguments, prefix.replace("-", "_") + option)
        if given is not None and all(option in _UNREAD[rule.method] for rule in rules):
            methods = ", ".join(sorted({rule.method.value for rule in rules}))
            name = option.replace("_", "-")
            raise UsageError(f"--{prefix}{name}: a rule of method {methods} does not read it")


def _rule_of(arguments: argparse.Namespace, name: str) -> Rule:
    if name not in PRESETS:
        raise UsageError(f"rule {name!r}, expected one of {', '.join(PRESETS)}")
    rule = PRESETS[name].rule
    changes: dict[str, Any] = {}
    for option, field, parse in (
        ("method", "method", Method),
        ("day_types", "day_types", DayTypes),
        ("selection", "selection", Selection),
        ("rank_by", "rank_by", RankBy),
        ("adjustment", "adjustment", AdjustmentKind),
        ("fallback", "fallback", Fallback),
        ("look_back", "look_back_days", int),
        ("skip_days", "skip_days", int),
        ("low_usage", "low_usage_permille", parsed_permille),
        ("least_intervals", "least_intervals_permille", parsed_permille),
        ("match_gap", "match_gap_min", parsed_minutes),
    ):
        given = getattr(arguments, option)
        if given is not None:
            changes[field] = parse(given)
    changes |= _quotas(arguments, rule, changes.get("day_types", rule.day_types))
    changes["window"] = _window(arguments, rule.window)
    changes |= _caps(arguments, rule, changes)
    return replace(rule, **changes)


def parsed_minutes(text: str) -> int:
    """A time: 4h, 90min, 1h30 or 90 (minutes). Raises UsageError."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or not (found[1] or found[2]):
        raise UsageError(f"{text!r}, expected hours or minutes such as 4h, 90min or 1h30")
    return int(found[1] or 0) * _MIN_PER_H + int(found[2] or 0)


def _choice(group: "argparse._ArgumentGroup", name: str, choices: type[StrEnum], text: str) -> None:
    group.add_argument(name, choices=[choice.value for choice in choices], help=text)


def _quotas(arguments: argparse.Namespace, rule: Rule, types: DayTypes) -> dict[str, Any]:
    weekend = (arguments.weekend_x, arguments.weekend_y, arguments.weekend_least_days)
    quota = _quota(rule.quota, arguments.x, arguments.y, arguments.least_days)
    if all(value is None for value in weekend):
        kept = None if types is DayTypes.ALL else rule.weekend_quota
        return {"quota": quota, "weekend_quota": kept}
    return {"quota": quota, "weekend_quota": _quota(rule.weekend_quota or quota, *weekend)}


def _quota(preset: Quota, x: int | None, y: int | None, least: int | None) -> Quota:
    """What is not given follows what is: X is never above Y, nor the least days."""
    if x is None and y is None and least is None:
        return preset
    wanted_y = y if y is not None else max(preset.y, x or 0)
    wanted_x = x if x is not None else min(preset.x, wanted_y)
    return Quota(wanted_x, wanted_y, least if least is not None else min(preset.least, wanted_y))


def _window(arguments: argparse.Namespace, preset: Window) -> Window:
    changes: dict[str, int] = {}
    for side in ("before", "after"):
        text = getattr(arguments, f"window_{side}")
        if text is not None:
            begin, end = _span(text)
            changes |= {f"{side}_from_min": begin, f"{side}_to_min": end}
    return replace(preset, **changes)


def _span(text: str) -> tuple[int, int]:
    if text == "none":
        return 0, 0
    begin, dash, end = text.partition("-")
    if not dash:
        raise UsageError(f"window {text!r}, expected two times such as 4h-1h, or none")
    return parsed_minutes(begin), parsed_minutes(end)


def _caps(
    arguments: argparse.Namespace, rule: Rule, changes: dict[str, Any]
) -> dict[str, int | None]:
    """The caps; those of the named rule end with its adjustment."""
    if changes.get("method", rule.method) is Method.SAME_DAY:
        changes.setdefault("adjustment", AdjustmentKind.NONE)
    is_adjusted = changes.get("adjustment", rule.adjustment) is not AdjustmentKind.NONE
    up = rule.cap_up_permille if is_adjusted else None
    down = rule.cap_down_permille if is_adjusted else None
    if arguments.cap is not None:
        up = down = _cap(arguments.cap)
    if arguments.cap_up is not None:
        up = _cap(arguments.cap_up)
    if arguments.cap_down is not None:
        down = _cap(arguments.cap_down)
    return {"cap_up_permille": up, "cap_down_permille": down}


def _cap(text: str) -> int | None:
    return None if text == NO_CAP else parsed_permille(text)
