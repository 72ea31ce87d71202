"""baseline, placebo."""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wattle_gateway.cli import baseline_rule, baseline_text
from wattle_gateway.contracts.baseline import engine
from wattle_gateway.contracts.baseline.history import Event, Exclusions
from wattle_gateway.contracts.baseline.local_days import (
    DAY_S,
    UTC,
    DayType,
    DayTypes,
    LocalDays,
)
from wattle_gateway.contracts.baseline.placebo import accuracy, placebo_baselines
from wattle_gateway.contracts.baseline.presets import PRESETS
from wattle_gateway.contracts.baseline.rule import Method
from wattle_gateway.errors import UsageError
from wattle_gateway.interval_data import times
from wattle_gateway.interval_data.csv_series import CsvColumns, CsvSeries, read_series
from wattle_gateway.interval_data.holiday_file import read_holidays

_CLOCK = re.compile(r"(\d{1,2})(?::(\d{2}))?")
_RANGE = ".."
# Two years of days.
PLACEBO_DAYS_MAX = 731


@dataclass(frozen=True)
class _Data:
    file: CsvSeries
    days: LocalDays
    exclusions: Exclusions


def baseline(arguments: argparse.Namespace) -> None:
    """The baseline of one event."""
    rule = baseline_rule.rule_of(arguments, arguments.rule)
    data = _data(arguments)
    event = _event(arguments.event, data.file)
    found = engine.baseline(
        rule, data.file.series, event, data.days, data.exclusions, data.file.control
    )
    notes = [*data.file.notes, *_zone_notes(arguments, data.file), *baseline_text.notes(found)]
    source = PRESETS[arguments.rule].source
    if arguments.json:
        zone = data.days.zone
        shown = baseline_text.as_json(rule, source, found, zone, notes)
        print(json.dumps(shown, indent=2))
        return
    for note in notes:
        print(f"wattle-gateway: note: {note}", file=sys.stderr)
    print(baseline_text.as_text(rule, source, found, data.days.zone))


def placebo(arguments: argparse.Namespace) -> None:
    """How far rules are off on days without an event."""
    names = arguments.rule or [
        name for name, preset in PRESETS.items() if preset.rule.method is not Method.CONTROL_GROUP
    ]
    rules = [baseline_rule.rule_of(arguments, name) for name in names]
    if any(rule.method is Method.CONTROL_GROUP for rule in rules):
        raise UsageError("a control group is not called either: it has no placebo events")
    data = _data(arguments)
    events = list(_placebo_events(arguments, data))
    judged = {
        rule.name: placebo_baselines(rule, data.file.series, events, data.days, data.exclusions)
        for rule in rules
    }
    shared = [event for event in events if all(event in found for found in judged.values())]
    rows = [
        baseline_text.placebo_row(name, len(found), accuracy(found[event] for event in shared))
        for name, found in judged.items()
    ]
    if arguments.json:
        print(
            json.dumps({"days": len(events), "judged_by_all": len(shared), "rules": rows}, indent=2)
        )
    else:
        print(baseline_text.placebo_table(rows, len(events), len(shared)))


def _data(arguments: argparse.Namespace) -> _Data:
    file = read_series(
        arguments.csv,
        CsvColumns(
            arguments.time,
            arguments.power,
            arguments.unit,
            arguments.stamp,
            arguments.timezone,
            arguments.time_format,
            arguments.decimal,
            arguments.substituted,
            tuple(arguments.control),
        ),
    )
    holidays = frozenset() if arguments.holidays is None else read_holidays(arguments.holidays)
    exclusions = Exclusions(
        _days("--past-event", arguments.past_event), _days("--exclude", arguments.exclude)
    )
    return _Data(file, LocalDays(file.zone, holidays), exclusions)


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


def _event(texts: Sequence[str], file: CsvSeries) -> Event:
    moments = []
    for text in texts:
        try:
            written = times.parse(text)
            if written.offset_s is not None and not file.is_zone_known:
                raise UsageError(
                    f"{text!r} names its offset from UTC, and the times in the file name none: "
                    "say with --timezone how they are meant"
                )
            moments.append(times.moment_s(written, file.zone, text))
        except UsageError as error:
            raise UsageError(f"--event: {error}") from error
    if moments[0] >= moments[1]:
        raise UsageError(
            f"--event: the end {texts[1]!r} is not after the start {texts[0]!r} (a day alone is "
            "its 00:00, and the end does not belong to the event)"
        )
    return Event(*moments)


def _zone_notes(arguments: argparse.Namespace, file: CsvSeries) -> list[str]:
    if arguments.timezone is not None or file.zone != UTC:
        return []
    return ["days are counted in UTC: if people there go by another clock, say so with --timezone"]


def _placebo_events(arguments: argparse.Namespace, data: _Data) -> Iterable[Event]:
    """The same hours of each day, where the clock has them once."""
    first, last = times.parse_day(arguments.begin), times.parse_day(arguments.end)
    if not 0 <= last - first < PLACEBO_DAYS_MAX:
        raise UsageError(
            f"{arguments.begin} to {arguments.end}, expected 1 to {PLACEBO_DAYS_MAX} days"
        )
    begin_s, end_s = _hours(arguments.hours)
    types = DayTypes.BUSINESS if arguments.days == "business" else DayTypes.ALL
    zone, excluded = data.days.zone, data.exclusions
    for day in range(first, last + 1):
        wanted = data.days.day_type(day, types) is not DayType.NON_BUSINESS
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
