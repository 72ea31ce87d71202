"""Times as people write them into load curves, to Unix milliseconds.

Nothing is guessed: what is neither ISO 8601 nor a number of seconds or milliseconds since 1970
needs a format, and the error names the formats that would fit.
"""

import re
from datetime import UTC, datetime, timedelta

from wattle_hil.curves.curve import iso_utc
from wattle_hil.errors import CurveError

EPOCH_S = "epoch_s"
EPOCH_MS = "epoch_ms"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"(\d{1,15})(?:\.(\d{1,9}))?")
# 9 or 10 digits of seconds are 1973 to 2286, 12 or 13 of ms 1973 to 2286: no overlap.
_SECOND_DIGITS = (9, 10)
_MS_DIGITS = (12, 13)
# Tried for the error message only, never to read a curve.
_HINT_DATES = (
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d.%m.%Y",
    "%m-%d-%Y",
    "%d-%m-%Y",
    "%Y/%m/%d",
    "%m/%d/%y",
    "%d/%m/%y",
)
_HINT_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")


def parse_time(text: str, time_format: str | None = None) -> int:
    """Unix ms of a time written as text; a time without a zone is UTC; finer than ms is cut off.

    time_format: None = ISO 8601, or Unix time by its digits (9 or 10: s, 12 or 13: ms);
    `epoch_s`, `epoch_ms`, or a strptime format.
    Raises CurveError that says what was expected.
    """
    if time_format in (EPOCH_S, EPOCH_MS):
        return _parse_epoch(text, time_format)
    if time_format is not None:
        return _parse_format(text, time_format)
    number = _NUMBER.fullmatch(text)
    if number and len(number[1]) in _SECOND_DIGITS:
        return _parse_epoch(text, EPOCH_S)
    if number and len(number[1]) in _MS_DIGITS:
        return _parse_epoch(text, EPOCH_MS)
    try:
        return _unix_ms(datetime.fromisoformat(text))
    except (ValueError, OverflowError) as error:
        raise CurveError(_explain(text)) from error


def _parse_epoch(text: str, unit: str) -> int:
    number = _NUMBER.fullmatch(text)
    if number is None:
        raise CurveError(f"{text!r} is no Unix time, expected a number for {unit}")
    if unit == EPOCH_MS:
        return int(number[1])
    return int(number[1]) * 1_000 + int(f"{number[2] or ''}000"[:3])


def _parse_format(text: str, time_format: str) -> int:
    try:
        return _unix_ms(datetime.strptime(text, time_format))
    except (ValueError, OverflowError, re.error) as error:
        raise CurveError(f"{text!r} does not follow the time format {time_format!r}") from error


def _unix_ms(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(milliseconds=1)


def _explain(text: str) -> str:
    fits = []
    for date in _HINT_DATES:
        for time in _HINT_TIMES:
            try:
                fits.append((date + time, _unix_ms(datetime.strptime(text, date + time))))
            except ValueError:
                continue
    expected = (
        f"{text!r} is no time: expected ISO 8601 (2007-02-01T00:01:00Z), Unix seconds"
        " (9 or 10 digits) or Unix milliseconds (12 or 13 digits)"
    )
    if not fits:
        return f"{expected}, or say how to read it with a time format (strptime)"
    readings = " or ".join(f"{form!r} makes it {iso_utc(at_ms)}" for form, at_ms in fits)
    return f"{expected}; choose the time format: {readings}"
