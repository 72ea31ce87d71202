"""The command-line arguments that name a load curve, the same for every command."""

import argparse
from collections.abc import Callable
from pathlib import Path

from wattle_hil.curves.csv_file import CurveColumns, read_curve
from wattle_hil.curves.curve import Curve


def add_curve_arguments(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Adds --time, --power, --unit and the optional columns."""
    add = parser.add_argument
    add("--time", metavar="COLUMN", required=required, help="time; two columns as `Date+Time`")
    add(
        "--power",
        metavar="COLUMN",
        required=required,
        help="active power; negative values are export",
    )
    add("--unit", choices=("W", "kW"), required=required, help="of power and reactive power")
    add(
        "--time-format",
        metavar="F",
        help="epoch_s, epoch_ms or a strptime format; else ISO 8601 or Unix time",
    )
    add("--reactive", metavar="COLUMN", help="reactive power (var or kvar)")
    add("--voltage", metavar="COLUMN", help="voltage of a phase (V)")


def curve_columns(options: argparse.Namespace) -> CurveColumns:
    """The columns that were named."""
    return CurveColumns(
        time=options.time,
        power=options.power,
        unit=options.unit,
        time_format=options.time_format,
        reactive=options.reactive,
        voltage=options.voltage,
    )


def curve_from(path: Path, options: argparse.Namespace) -> Curve:
    """Reads the curve that was named. Raises CurveError."""
    return read_curve(path, curve_columns(options))


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """An argparse type: an integer within limits."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r}, expected a number {least} to {most}")
        return int(text)

    return parse
