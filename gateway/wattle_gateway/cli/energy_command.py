"""energy: what a point used, interval by interval."""

import argparse
import csv
import json
import re
import sys

from rich.table import Table

from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.folder import home_of, opened_ledger
from wattle_gateway.cli.points import parsed_point
from wattle_gateway.cli.text import console, parsed_time, shown_time
from wattle_gateway.contracts import classes
from wattle_gateway.contracts.measurement.energy import DAY_MS
from wattle_gateway.errors import UsageError
from wattle_gateway.reports import coverage
from wattle_gateway.reports import energy as energy_report
from wattle_gateway.reports.energy import EnergyLine, EnergyReport, Question
from wattle_gateway.reports.samples import decimal
from wattle_gateway.store import ledger_rows

COLUMNS = ("begin", "end", "energy_wh", "uncertainty_wh", "how", "readings", "classes", "entries")
_WH_EXPONENT = -3  # energies are mWh
_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000}


def add(command: argparse.ArgumentParser) -> None:
    """The arguments of `energy`."""
    folder(command)
    command.add_argument("point", metavar="METER/D", help="a point, such as dab1a5856b562aeb/1")
    when = "Unix ms or ISO 8601 (UTC if it names no zone)"
    command.add_argument(
        "--from", dest="begin", metavar="TIME", required=True, help=f"not before; {when}"
    )
    command.add_argument(
        "--to", dest="end", metavar="TIME", required=True, help=f"not after; {when}"
    )
    command.add_argument(
        "--interval",
        type=_length,
        default=900_000,
        metavar="LENGTH",
        help="a part of a day such as 30s, 15m or 1h (default 15m); begins at its multiples in UTC",
    )
    command.add_argument(
        "--period",
        type=_length,
        metavar="LENGTH",
        help="between readings (default: the commonest time between those that are there)",
    )
    command.add_argument(
        "--resolution",
        type=_resolution,
        metavar="WH",
        help="smallest step of the register as the device shows it (default: the largest that"
        " explains the values that are there)",
    )
    output_format(command, "table", "csv", "json")
    command.set_defaults(run=energy)


def energy(arguments: argparse.Namespace) -> None:
    """The energy of each interval, with its uncertainty and what it rests on."""
    meter, device = parsed_point(arguments.point)
    begin, end = parsed_time(arguments.begin), parsed_time(arguments.end)
    if begin >= end:
        raise UsageError(f"--from {arguments.begin} is not before --to {arguments.end}")
    question = Question(
        meter, device, begin, end, arguments.interval, arguments.period, arguments.resolution
    )
    with opened_ledger(home_of(arguments.folder)) as (first, reader):
        coverage.check(reader, begin)
        found = energy_report.read(
            reader, first.ledger_id, ledger_rows.load_state(reader), question
        )
    if arguments.format == "json":
        print(json.dumps(found.as_json(), indent=2))
    elif arguments.format == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(_cells(line) for line in found.lines)
    else:
        console().print(_table(found))


def _cells(line: EnergyLine) -> tuple[str, ...]:
    row, measured = line.interval, line.energy
    return (
        shown_time(row.begin_ms),
        shown_time(row.end_ms),
        _wh(measured.energy_mwh),
        _wh(measured.uncertainty_mwh),
        measured.how,
        str(row.count),
        " ".join(classes.class_names(row.verdict)),
        "" if line.leaves is None else f"{line.leaves[0]}-{line.leaves[1]}",
    )


def _wh(energy_mwh: int | None) -> str:
    return "" if energy_mwh is None else decimal(energy_mwh, _WH_EXPONENT)


def _table(found: EnergyReport) -> Table:
    metering = found.metering
    ratio = metering.ratio
    table = Table(
        title=f"{found.point}: net import, ratio {ratio.orient * ratio.numerator}/"
        f"{ratio.denominator}, a reading every {metering.period_ms / 1000:g} s, register steps of"
        f" {metering.resolution_wh} Wh"
    )
    for name in ("begin (UTC)", "end (UTC)", "Wh", "+/- Wh"):
        table.add_column(name, justify="right")
    for name in ("how", "readings", "classes", "entries"):
        table.add_column(name)
    for line in found.lines:
        table.add_row(*_cells(line))
    return table


def _length(text: str) -> int:
    """Milliseconds of a length such as 15m. Raises argparse.ArgumentTypeError."""
    found = re.fullmatch("([1-9][0-9]{0,4})([smh])", text)
    length_ms = 0 if found is None else int(found[1]) * _MS[found[2]]
    if length_ms == 0 or DAY_MS % length_ms:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a part of a day such as 30s, 15m, 1h")
    return length_ms


def _resolution(text: str) -> int:
    """A step in Wh. Raises argparse.ArgumentTypeError."""
    if not re.fullmatch("[1-9][0-9]{0,6}", text):
        raise argparse.ArgumentTypeError(f"{text!r}, expected Wh such as 1 or 10")
    return int(text)
