"""A baseline rule as an array of integers, as an event carries it (SPEC section 10).

The whole rule and not its name: presets may change in code without changing history.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar

from wattle_wire import cbor, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts.baseline.errors import RuleError
from wattle_gateway.contracts.baseline.local_days import DayTypes
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
from wattle_gateway.ledger.errors import FormatError

NAME_CHARS_MAX = 64
# The number of a word is its place here, from 1 on: never reorder, only append.
_METHODS = (Method.X_OF_Y, Method.NEAREST, Method.SAME_DAY, Method.CONTROL_GROUP)
_DAY_TYPES = (DayTypes.ALL, DayTypes.BUSINESS, DayTypes.SATURDAY_SUNDAY)
_SELECTIONS = (Selection.ALL, Selection.HIGH, Selection.MIDDLE)
_RANKS = (RankBy.EVENT, RankBy.DAY)
_FALLBACKS = (Fallback.REFUSE, Fallback.EVENT_DAYS, Fallback.SAME_DAY)
_ADJUSTMENTS = (
    AdjustmentKind.NONE,
    AdjustmentKind.ADDITIVE,
    AdjustmentKind.MULTIPLICATIVE,
)

_Word = TypeVar("_Word", bound=StrEnum)


def encode(rule: Rule) -> bytes:
    """The encoded array of a rule; FormatError for a name that `decode` would refuse."""
    raw = cbor.encode(
        [
            rule.name,
            1 + _METHODS.index(rule.method),
            1 + _DAY_TYPES.index(rule.day_types),
            _quota_row(rule.quota),
            None if rule.weekend_quota is None else _quota_row(rule.weekend_quota),
            1 + _SELECTIONS.index(rule.selection),
            1 + _RANKS.index(rule.rank_by),
            rule.look_back_days,
            rule.skip_days,
            rule.low_usage_permille,
            rule.least_intervals_permille,
            1 + _FALLBACKS.index(rule.fallback),
            1 + _ADJUSTMENTS.index(rule.adjustment),
            [
                rule.window.before_from_min,
                rule.window.before_to_min,
                rule.window.after_from_min,
                rule.window.after_to_min,
            ],
            rule.cap_up_permille,
            rule.cap_down_permille,
            rule.match_gap_min,
        ]
    )
    decode(raw)
    return raw


def decode(raw: bytes) -> Rule:
    """The rule in an encoded array; FormatError for anything else, such as a rule whose parts
    contradict each other."""
    try:
        row = structure.array(cbor.decode(raw), 17, "rule")
        return Rule(
            name=structure.text(row[0], NAME_CHARS_MAX, "name of the rule"),
            method=_word(row[1], _METHODS, "method"),
            day_types=_word(row[2], _DAY_TYPES, "day types"),
            quota=_quota(row[3]),
            weekend_quota=None if row[4] is None else _quota(row[4]),
            selection=_word(row[5], _SELECTIONS, "selection"),
            rank_by=_word(row[6], _RANKS, "rank"),
            look_back_days=structure.uint(row[7], "look_back_days"),
            skip_days=structure.uint(row[8], "skip_days"),
            low_usage_permille=structure.uint(row[9], "low_usage_permille"),
            least_intervals_permille=structure.uint(row[10], "least_intervals_permille"),
            fallback=_word(row[11], _FALLBACKS, "fallback"),
            adjustment=_word(row[12], _ADJUSTMENTS, "adjustment"),
            window=_window(row[13]),
            cap_up_permille=_uint_or_none(row[14], "cap_up_permille"),
            cap_down_permille=_uint_or_none(row[15], "cap_down_permille"),
            match_gap_min=structure.uint(row[16], "match_gap_min"),
        )
    except (WireError, RuleError) as error:
        raise FormatError(f"baseline rule: {error}") from error


def _quota_row(quota: Quota) -> list[int]:
    return [quota.x, quota.y, quota.least]


def _quota(value: object) -> Quota:
    row = structure.array(value, 3, "quota of days")
    return Quota(*(structure.uint(number, "number of days") for number in row))


def _window(value: object) -> Window:
    row = structure.array(value, 4, "window")
    return Window(*(structure.uint(number, "minutes of the window") for number in row))


def _word(value: object, words: Sequence[_Word], what: str) -> _Word:
    number = structure.uint(value, what)
    if not 1 <= number <= len(words):
        raise FormatError(f"{what} {number}, expected 1 to {len(words)}")
    return words[number - 1]


def _uint_or_none(value: object, what: str) -> int | None:
    return None if value is None else structure.uint(value, what)
