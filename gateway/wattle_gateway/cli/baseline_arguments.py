"""The grammar of `baseline` and `placebo`."""

import argparse
from pathlib import Path

from wattle_gateway.cli import baseline_commands, baseline_rule, snapshot_commands
from wattle_gateway.contracts.baseline.presets import PRESETS
from wattle_gateway.interval_data import csv_series, numbers


def add_baseline(command: argparse.ArgumentParser) -> None:
    """`baseline`: one event."""
    command.description = (
        "What a point would have used in an event, from its power in a CSV file or from what the "
        "ledger keeps of it; gateway/BASELINES.md explains the rules."
    )
    command.add_argument(
        "--rule", required=True, metavar="RULE", help=f"one of {', '.join(PRESETS)}"
    )
    command.add_argument(
        "--event",
        required=True,
        nargs=2,
        metavar=("START", "END"),
        help="its first moment, and the first after it; without a zone: local time",
    )
    _data(command)
    baseline_rule.add_options(command)
    command.set_defaults(run=baseline_commands.baseline)


def add_placebo(command: argparse.ArgumentParser) -> None:
    """`placebo`: how far rules are off on days without an event."""
    command.description = (
        "Applies rules to days without an event, where the right reduction is 0: bias and RRMSE "
        "of each, over the days that all of them can judge."
    )
    command.add_argument(
        "--rule",
        action="extend",
        nargs="+",
        metavar="RULE",
        help="may be given several times (default: all that need no control group)",
    )
    command.add_argument("--from", dest="begin", required=True, metavar="DATE", help="first day")
    command.add_argument("--to", dest="end", required=True, metavar="DATE", help="last day")
    command.add_argument(
        "--hours", required=True, metavar="FROM-TO", help="of the placebo events, as 17:00-20:00"
    )
    command.add_argument(
        "--days",
        choices=("business", "all"),
        default="business",
        help="which days are placebo events (default: business)",
    )
    _data(command)
    baseline_rule.add_options(command)
    command.set_defaults(run=baseline_commands.placebo)


def _data(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("the data, of a CSV file or of a point on the ledger")
    source = group.add_mutually_exclusive_group(required=True)
    source.add_argument("--csv", type=Path, metavar="FILE", help="plain or gzip")
    source.add_argument(
        "--point", metavar="METER/D", help="of the gateway in DIR, such as dab1a5856b562aeb/1"
    )
    group.add_argument(
        "folder", nargs="?", type=Path, metavar="DIR", help="with --point: the gateway's folder"
    )
    snapshot_commands.option(group)
    _exclusions(group)
    group.add_argument("--json", action="store_true", help="everything, as JSON")
    _columns(command)


def _exclusions(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--control",
        action="extend",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="power of points that were not called, for the rule control-group; with --point: "
        "METER/D (default: those that the ledger's event released)",
    )
    group.add_argument(
        "--exclude",
        action="extend",
        nargs="+",
        default=[],
        metavar="DATE",
        help="that makes no baseline (outage, shutdown, test); also FIRST..LAST",
    )
    group.add_argument(
        "--past-event",
        action="extend",
        nargs="+",
        default=[],
        metavar="DATE",
        help="of an earlier event: makes no baseline unless the rule falls back on it (with "
        "--point: beside those of the ledger)",
    )


def _columns(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("with --csv")
    group.add_argument("--time", metavar="COLUMN", help="or two joined by +, as Date+Time")
    group.add_argument("--power", metavar="COLUMN", help="negative = export")
    group.add_argument("--unit", choices=tuple(csv_series.MW_PER_UNIT))
    group.add_argument(
        "--stamp",
        choices=(csv_series.START, csv_series.END),
        help="whether a row's time begins or ends its interval",
    )
    group.add_argument(
        "--timezone",
        metavar="ZONE",
        help="whose days are counted and local times meant: Europe/Berlin, +01:00, UTC-6 "
        "(default: the offsets in the file)",
    )
    group.add_argument("--time-format", metavar="FORMAT", help="strptime, for other notations")
    group.add_argument(
        "--decimal",
        choices=(numbers.POINT, numbers.COMMA),
        help="decimal mark (default: the one that the column shows)",
    )
    group.add_argument(
        "--substituted",
        metavar="COLUMN",
        help="not empty, 0, no or measured where the value was estimated: makes no baseline",
    )
    group.add_argument(
        "--holidays", type=Path, metavar="FILE", help="a day a line; they count as Sundays"
    )
