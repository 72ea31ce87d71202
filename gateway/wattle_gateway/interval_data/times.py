"""Times as people write them.

Read: ISO 8601 with T or a space, with seconds or without, with Z, an offset or neither, the
year first; 24:00 for the end of a day; a day alone for its 00:00; Unix seconds (9 or 10 digits)
and milliseconds (12 or 13); the year last where the day is certain: with dots (no locale of the
CLDR has the month first then), with an English month (1 Jul 2026, July 1, 2026), or when only one
of the two numbers can be a month (07/15/2026); AM and PM. Refused: 07/01/2026, which is two
different days, and names of zones (CST is five of them); a file of such times can be read with a
format.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from wattle_gateway.contracts.baseline.errors import RuleError
from wattle_gateway.contracts.baseline.local_days import DAY_S, OFFSET_MAX_S, Zone
from wattle_gateway.errors import UsageError

_MS_PER_S = 1_000
_EPOCH = datetime(1970, 1, 1)
_UNIX_S = re.compile(r"\d{9,10}(\.0*)?", re.ASCII)
_UNIX_MS = re.compile(r"\d{9,10}000", re.ASCII)
_CLOCK = (
    r"(?:(?:[Tt]|,? +)(?P<hour>\d{1,2}(?!\d)|\d{2}(?=\d{2}))"
    r"(?::?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,]0+)?)?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?"
    r" ?(?P<zone>Z|z|UTC|GMT|[+-]\d{2}(?::?[0-5]\d)?)?)?"
)
_ISO = re.compile(
    r"(?P<year>\d{4})(?P<mark>[-/.]?)(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})" + _CLOCK, re.ASCII
)
_YEAR_LAST = tuple(
    re.compile(date + _CLOCK, re.ASCII)
    for date in (
        r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})",
        r"(?P<day>\d{1,2})[ .-] ?(?P<month>[A-Za-z]{3,9})\.?,?[ -](?P<year>\d{4})",
        r"(?P<month>[A-Za-z]{3,9})\.? (?P<day>\d{1,2}),? (?P<year>\d{4})",
        r"(?P<month>0?[1-9]|1[0-2])(?P<mark>[/-])(?P<day>1[3-9]|[23]\d)(?P=mark)(?P<year>\d{4})",
        r"(?P<day>1[3-9]|[23]\d)(?P<mark>[/-])(?P<month>0?[1-9]|1[0-2])(?P=mark)(?P<year>\d{4})",
    )
)
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_NOON = 12
_COMPACT_DATE = re.compile(r"\d{8}(\D|$)", re.ASCII)
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2}):?([0-5]\d)?", re.ASCII)
# A calendar of four-digit years, with room for a day more.
_YEARS = range(1970, 9999)
EXPECTED = (
    "expected the year first, as in 2026-07-01, 2026-07-01 17:00, 2026-07-01T17:00:00Z or "
    "2026-07-01 17:00+02:00, or Unix seconds"
)


@dataclass(frozen=True)
class WrittenTime:
    """A time as written: seconds since 1970-01-01 00:00 on the clock that was read, and that
    clock's offset from UTC, None if the text names no zone."""

    wall_s: int
    offset_s: int | None


def parse(text: str, time_format: str | None = None) -> WrittenTime:
    """A time from its text, by a strptime format if given. Raises UsageError."""
    text = text.strip()
    if time_format is not None:
        return _by_format(text, time_format)
    if _UNIX_S.fullmatch(text):
        return WrittenTime(int(text.partition(".")[0]), 0)
    if _UNIX_MS.fullmatch(text):
        return WrittenTime(int(text) // _MS_PER_S, 0)
    found = _matched(text)
    if found is None:
        raise UsageError(f"{text!r} is no time that has one meaning: {EXPECTED}")
    return WrittenTime(_wall_s(found, text), _written_offset_s(found["zone"]))


def parse_day(text: str) -> int:
    """A day alone, as days since 1970-01-01. Raises UsageError."""
    found = _matched(text.strip())
    if found is None or found["hour"] is not None:
        raise UsageError(f"{text!r}, expected a day such as 2026-07-01")
    return parse(text).wall_s // DAY_S


def parse_offset_s(text: str) -> int | None:
    """Seconds of an offset such as +02:00 or UTC-6; None for anything else."""
    found = _OFFSET.fullmatch(text)
    if found is None:
        return None
    offset_s = int(found[2]) * 3_600 + int(found[3] or 0) * 60
    return -offset_s if found[1] == "-" else offset_s


def moment_s(written: WrittenTime, zone: Zone, text: str) -> int:
    """The Unix s of a written time; one without a zone is read in `zone`.

    Raises UsageError for a time that the local clock skips or shows twice.
    """
    if written.offset_s is not None:
        return written.wall_s - written.offset_s
    moments = zone.moments(*divmod(written.wall_s, DAY_S))
    if not moments:
        raise UsageError(
            f"{text!r} does not exist in this time zone, because the clock was set forward (times "
            "in standard time all the year are in a zone such as +01:00)"
        )
    if len(moments) > 1:
        both = " and ".join(shown_local(at_s, zone) for at_s in moments)
        raise UsageError(
            f"{text!r} happened twice in this time zone, because the clock was set back: write "
            f"the offset, {both}"
        )
    return moments[0]


def shown_local(at_s: int, zone: Zone) -> str:
    """A moment in ISO 8601 as the local clock shows it, with its offset."""
    offset_s = zone.offset_s(at_s)
    shown = _EPOCH + timedelta(seconds=at_s + offset_s)
    sign = "-" if offset_s < 0 else "+"
    hours, rest = divmod(abs(offset_s), 3_600)
    return f"{shown.isoformat()}{sign}{hours:02}:{rest // 60:02}"


def fixed_zone(offset_s: int) -> Zone:
    """A zone of one offset. Raises UsageError for one that no clock has."""
    try:
        return Zone(offset_s)
    except RuleError as error:
        raise UsageError(str(error)) from error


def _by_format(text: str, time_format: str) -> WrittenTime:
    try:
        found = datetime.strptime(text, time_format)
    except (ValueError, re.error) as error:
        raise UsageError(f"{text!r} does not follow the format {time_format!r}") from error
    offset = found.utcoffset()
    naive = found.replace(tzinfo=None)
    return WrittenTime(
        _checked_s(naive, text), None if offset is None else int(offset.total_seconds())
    )


def _matched(text: str) -> re.Match[str] | None:
    """The parts of a time; None for what has no meaning, or more than one."""
    found = _ISO.fullmatch(text)
    if found is not None:
        return found if found["mark"] or _COMPACT_DATE.match(text) else None
    matches = (pattern.fullmatch(text) for pattern in _YEAR_LAST)
    found = next((match for match in matches if match is not None), None)
    return None if found is None or _month(found["month"]) is None else found


def _month(word: str) -> int | None:
    """The number of a month, or of its English name or the beginning of that."""
    if word.isdigit():
        return int(word)
    names = [name for name in _MONTHS if name.startswith(word.lower())]
    return _MONTHS.index(names[0]) + 1 if len(names) == 1 else None


def _hour(found: re.Match[str], text: str) -> int:
    """By a clock of 24 hours: 12 AM is midnight, 12 PM noon."""
    hour = int(found["hour"] or 0)
    if found["half"] is None:
        return hour
    if not 1 <= hour <= _NOON:
        raise UsageError(f"{text!r}: hour must be in 1..12 with AM or PM")
    return hour % _NOON + (_NOON if found["half"] in "Pp" else 0)


def _wall_s(found: re.Match[str], text: str) -> int:
    minute, second = (int(found[name] or 0) for name in ("minute", "second"))
    hour = _hour(found, text)
    ends_day = hour == 24 and not minute and not second
    try:
        date = datetime(
            int(found["year"]),
            _month(found["month"]) or 0,
            int(found["day"]),
            0 if ends_day else hour,
            minute,
            second,
        )
    except ValueError as error:
        raise UsageError(f"{text!r} is no time: {error}") from error
    wall_s = _checked_s(date, text)
    return wall_s + DAY_S if ends_day else wall_s


def _checked_s(shown: datetime, text: str) -> int:
    if shown.year not in _YEARS:
        raise UsageError(f"{text!r}, expected a year from {_YEARS[0]} to {_YEARS[-1]}")
    return (shown - _EPOCH) // timedelta(seconds=1)


def _written_offset_s(zone: str | None) -> int | None:
    if zone is None:
        return None
    offset_s = parse_offset_s(zone)
    if offset_s is None:
        return 0
    if abs(offset_s) > OFFSET_MAX_S:
        raise UsageError(f"{zone!r} is no offset from UTC, expected less than a day")
    return offset_s
