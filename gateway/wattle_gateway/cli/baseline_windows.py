"""Windows and days of `baseline` and `placebo` as people write them."""

import argparse
import re
from collections.abc import Iterable, Sequence

from wattle_gateway.contracts.baseline.history import Event, Exclusions
from wattle_gateway.contracts.baseline.local_days import DAY_S, DayType, DayTypes, LocalDays, Zone
from wattle_gateway.errors import UsageError
from wattle_gateway.interval_data import times

_CLOCK = re.compile(r"(\d{1,2})(?::(\d{2}))?")
_RANGE = ".."
# Two years of days.
PLACEBO_DAYS_MAX = 731


def named_exclusions(arguments: argparse.Namespace) -> Exclusions:
    """The days of `--past-event` and `--exclude`. Raises UsageError."""
    return Exclusions(
        _days("--past-event", arguments.past_event), _days("--exclude", arguments.exclude)
    )


def event_between(texts: Sequence[str], zone: Zone, *, is_zone_known: bool = True) -> Event:
    """The window of `--event`; a time without an offset is local. UsageError names the text, too
    where a time has an offset and the data's times have none."""
    moments = []
    for text in texts:
        try:
            written = times.parse(text)
            if written.offset_s is not None and not is_zone_known:
                raise UsageError(
                    f"{text!r} names its offset from UTC, and the times in the file name none: "
                    "say with --timezone how they are meant"
                )
            moments.append(times.moment_s(written, zone, text))
        except UsageError as error:
            raise UsageError(f"--event: {error}") from error
    if moments[0] >= moments[1]:
        raise UsageError(
            f"--event: the end {texts[1]!r} is not after the start {texts[0]!r} (a day alone is "
            "its 00:00, and the end does not belong to the event)"
        )
    return Event(*moments)


def placebo_days(arguments: argparse.Namespace) -> tuple[int, int]:
    """First and last day of `--from` and `--to`, since 1970-01-01. Raises UsageError."""
    first, last = times.parse_day(arguments.begin), times.parse_day(arguments.end)
    if not 0 <= last - first < PLACEBO_DAYS_MAX:
        raise UsageError(
            f"{arguments.begin} to {arguments.end}, expected 1 to {PLACEBO_DAYS_MAX} days"
        )
    return first, last


def placebo_events(
    arguments: argparse.Namespace, days: LocalDays, excluded: Exclusions
) -> Iterable[Event]:
    """The same hours of each day, where the clock has them once."""
    first, last = placebo_days(arguments)
    begin_s, end_s = _hours(arguments.hours)
    types = DayTypes.BUSINESS if arguments.days == "business" else DayTypes.ALL
    zone = days.zone
    for day in range(first, last + 1):
        wanted = days.day_type(day, types) is not DayType.NON_BUSINESS
        start_s, stop_s = zone.moments(day, begin_s), zone.moments(day, end_s)
        is_clear = day not in excluded.event_days | excluded.other_days
        if wanted and is_clear and len(start_s) == len(stop_s) == 1 and start_s < stop_s:
            yield Event(start_s[0], stop_s[0])


def _hours(text: str) -> tuple[int, int]:
    """Seconds of the day of a span such as 17:00-20:00 or 17-20."""
    begin, _, end = text.partition("-")
    found = []
    for part in (begin, end):
        clock = _CLOCK.fullmatch(part.strip())
        if clock is None or int(clock[2] or 0) > 59:
            raise UsageError(f"--hours {text!r}, expected a span such as 17:00-20:00")
        found.append(int(clock[1]) * 3_600 + int(clock[2] or 0) * 60)
    if not found[0] < found[1] <= DAY_S:
        raise UsageError(f"--hours {text!r}, expected an end after the start, at most 24:00")
    return found[0], found[1]


def _days(option: str, texts: Iterable[str]) -> frozenset[int]:
    found: set[int] = set()
    for text in texts:
        first, _, last = text.partition(_RANGE)
        try:
            begin, end = times.parse_day(first), times.parse_day(last or first)
        except UsageError as error:
            raise UsageError(f"{option}: {error}, or FIRST..LAST") from error
        if begin > end:
            raise UsageError(f"{option} {text}: the last day lies before the first")
        found.update(range(begin, end + 1))
    return frozenset(found)
