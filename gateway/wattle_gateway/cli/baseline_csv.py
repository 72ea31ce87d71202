"""`baseline` and `placebo` of a CSV file."""

import argparse
from dataclasses import dataclass

from wattle_gateway.cli.baseline_judged import Judged
from wattle_gateway.cli.baseline_windows import event_between, named_exclusions
from wattle_gateway.contracts.baseline import engine
from wattle_gateway.contracts.baseline.history import Exclusions
from wattle_gateway.contracts.baseline.local_days import UTC, LocalDays
from wattle_gateway.contracts.baseline.rule import Rule
from wattle_gateway.errors import UsageError
from wattle_gateway.interval_data.csv_series import CsvColumns, CsvSeries, read_series
from wattle_gateway.interval_data.holiday_file import read_holidays

_NEEDED = ("time", "power", "unit", "stamp")


@dataclass(frozen=True)
class Data:
    """A file's curves, and which of its days count as what."""

    file: CsvSeries
    days: LocalDays
    exclusions: Exclusions


def check(arguments: argparse.Namespace) -> None:
    """UsageError unless all that a file needs is said, and nothing that it has no use for."""
    lacking = [f"--{name}" for name in _NEEDED if getattr(arguments, name) is None]
    if lacking:
        raise UsageError(f"--csv needs {', '.join(lacking)} too: what its columns hold")
    if arguments.folder is not None or arguments.snapshot is not None:
        raise UsageError("--csv reads a file: a gateway's folder goes with --point METER/D")


def data(arguments: argparse.Namespace) -> Data:
    """The file's curves. Raises UsageError."""
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
    return Data(file, LocalDays(file.zone, holidays), named_exclusions(arguments))


def judged(arguments: argparse.Namespace, rule: Rule) -> Judged:
    """The baseline of `--event`. Raises UsageError or BaselineError."""
    given = data(arguments)
    file = given.file
    window = event_between(arguments.event, file.zone, is_zone_known=file.is_zone_known)
    found = engine.baseline(rule, file.series, window, given.days, given.exclusions, file.control)
    return Judged(found, file.zone, [*file.notes, *_zone_notes(arguments, file)])


def _zone_notes(arguments: argparse.Namespace, file: CsvSeries) -> list[str]:
    if arguments.timezone is not None or file.zone != UTC:
        return []
    return ["days are counted in UTC: if people there go by another clock, say so with --timezone"]
