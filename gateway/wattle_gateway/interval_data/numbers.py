"""Numbers as spreadsheets write them: decimal point or comma, thousands in groups of three."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from wattle_gateway.errors import UsageError

POINT, COMMA = "point", "comma"
MISSING = frozenset({"", "?", "-", "--", "nan", "na", "n/a", "#n/a", "null", "none", "nil"})
# Space, no-break spaces, apostrophes: group thousands everywhere, and nothing else anywhere.
_GROUPING = re.compile("(?<=\\d)[ \u00a0\u202f'\u2019](?=\\d{3}(?!\\d))", re.ASCII)
_EXPONENT = re.compile(r"[eE][+-]?\d{1,3}$", re.ASCII)
_DIGITS_AND_MARKS = re.compile(r"[\d.,]+", re.ASCII)
_GROUPED = {
    POINT: re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", re.ASCII),
    COMMA: re.compile(r"[+-]?\d{1,3}(\.\d{3})+(,\d*)?", re.ASCII),
}
_PLAIN = {
    POINT: re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII),
    COMMA: re.compile(r"[+-]?(\d+,?\d*|,\d+)([eE][+-]?\d{1,3})?", re.ASCII),
}


@dataclass(frozen=True)
class _Evidence:
    """What a number says about its marks: POINT, COMMA, or "" for nothing sure."""

    mark: str
    has_comma: bool


def is_missing(text: str) -> bool:
    """Whether a field says that there is no value."""
    return text.strip().casefold() in MISSING


def decimal_mark(fields: Iterable[tuple[int, str]]) -> str:
    """The decimal mark of a column, from its (line, text) fields.

    1,5 and 1.234,5 can only have a decimal comma, 1.5 and 1,234.5 only a point. A column whose
    every comma stands before exactly three digits (1,234) could be either. Raises UsageError
    then, and when two fields contradict each other; the message begins with the line.
    """
    seen: dict[str, tuple[int, str]] = {}
    unsure: tuple[int, str] | None = None
    for line, text in fields:
        evidence = _evidence(_ungrouped(text))
        if evidence.mark:
            seen.setdefault(evidence.mark, (line, text))
        elif evidence.has_comma and unsure is None:
            unsure = (line, text)
    if len(seen) == 2:
        (point_line, point), (comma_line, comma) = seen[POINT], seen[COMMA]
        raise UsageError(
            f"line {max(point_line, comma_line)}: {point!r} (line {point_line}) has a decimal "
            f"point and {comma!r} (line {comma_line}) a decimal comma, expected one of them"
        )
    if seen:
        return next(iter(seen))
    if unsure is not None:
        line, text = unsure
        raise UsageError(
            f"line {line}: {text!r} can have a decimal comma or thousands, and no other line "
            "tells: say --decimal comma or --decimal point"
        )
    return POINT


def parse_number(text: str, mark: str) -> Decimal:
    """A number from its text. Raises UsageError for anything else, infinity included."""
    plain = _ungrouped(text)
    if _GROUPED[mark].fullmatch(plain):
        plain = plain.replace("," if mark == POINT else ".", "")
    if not _PLAIN[mark].fullmatch(plain):
        example = "-12.5" if mark == POINT else "-12,5"
        raise UsageError(f"{text!r} is no number, expected one like {example}")
    return Decimal(plain.replace(",", "."))


def _ungrouped(text: str) -> str:
    # The minus of typographers comes out of some spreadsheets.
    return _GROUPING.sub("", text.strip().replace("\u2212", "-"))


def _evidence(text: str) -> _Evidence:
    number = _EXPONENT.sub("", text).lstrip("+-")
    if not _DIGITS_AND_MARKS.fullmatch(number):
        return _Evidence("", False)
    commas, points = number.count(","), number.count(".")
    if commas and points:
        return _Evidence(COMMA if number.rfind(",") > number.rfind(".") else POINT, True)
    if commas > 1:
        return _Evidence(POINT, True)
    if points > 1:
        return _Evidence(COMMA, False)
    if commas:
        whole, _, part = number.partition(",")
        is_sure = len(part) != 3 or not 1 <= len(whole) <= 3 or whole.startswith("0")
        return _Evidence(COMMA if is_sure else "", True)
    if points:
        whole, _, part = number.partition(".")
        is_sure = len(part) != 3 or not 1 <= len(whole) <= 3 or whole.startswith("0")
        return _Evidence(POINT if is_sure else "", False)
    return _Evidence("", False)
