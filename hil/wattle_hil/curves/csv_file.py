"""Reads load curves from CSV files as they come, and writes them.

Rules, which the independent energy check follows too:
- A row's value holds from its time to the next row's.
- The resolution is the commonest step (the shortest of equally common ones), 1 s to 1 h.
- A step of more than 1.5 resolutions is a gap: the row holds for one resolution, then 0 W.
- A row without a value (empty, ?, NaN, ...) is a gap until the next row.
- The last row holds for one resolution; outside the curve power is 0 W.
"""

import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import TextIO

from wattle_hil.curves.curve import NOMINAL_VOLTAGE_MV, UW_PER_W, Curve, Gap, StepSeries, iso_utc
from wattle_hil.curves.times import parse_time
from wattle_hil.errors import CurveError

MIN_RESOLUTION_MS = 1_000
MAX_RESOLUTION_MS = 3_600_000
# A month at 1 s, almost six years at 1 min. Reading takes 0.3 kB of memory a row (measured).
MAX_ROWS = 3_000_000
# 1 GW, a power plant: above it the unit is wrong. Keeps uW within int64.
_MAX_POWER_UW = 10**9 * UW_PER_W
# Phase voltage of the low-voltage grid, with room.
_MAX_VOLTAGE_MV = 1_000_000
_MAX_HEADER_CHARS = 65_536
_UNITS = {"W": UW_PER_W, "kW": 1_000 * UW_PER_W}
_MV_PER_V = 1_000
_DELIMITERS = ",;\t"
_MISSING = frozenset({"", "?", "-", "nan", "na", "n/a", "null", "none"})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")


@dataclass(frozen=True)
class CurveColumns:
    """Which columns of a CSV make the curve.

    time: a column, or two joined by + (`Date+Time`; their texts are joined by one space).
    power: column of active power, negative = export. unit: W or kW, also for reactive (var).
    time_format: see `times.parse_time`. reactive, voltage (V): optional columns.
    """

    time: str
    power: str
    unit: str
    time_format: str | None = None
    reactive: str | None = None
    voltage: str | None = None


@dataclass(frozen=True)
class _Quantity:
    """A column of numbers: text times scale is the integer wanted, within lowest and highest."""

    name: str
    at: int
    scale: int
    lowest: int
    highest: int


@dataclass(frozen=True, slots=True)
class _Row:
    at_ms: int
    power_uw: int | None
    reactive_uvar: int | None
    voltage_mv: int | None


def read_curve(path: Path, columns: CurveColumns) -> Curve:
    """Reads a curve from a CSV file, plain or gzip, UTF-8, delimited by comma, semicolon or tab.

    With semicolons a decimal comma is read as well. Values finer than 1 uW are rounded to it, half
    to even. Raises CurveError naming file, line, column and what was expected.
    """
    if columns.unit not in _UNITS:
        raise CurveError(f"unit {columns.unit!r}, expected one of {', '.join(_UNITS)}")
    try:
        with _open_text(path) as file:
            rows = list(_CsvCurve(path, columns, file).rows())
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise CurveError(f"{path}: cannot be read as CSV in UTF-8: {error}") from error
    if len(rows) < 2:
        raise CurveError(f"{path}: {len(rows)} rows of data, expected at least 2")
    return _build(path, columns, rows)


def write_curve(curve: Curve, path: Path, step_ms: int) -> None:
    """Writes a curve as CSV with the columns `time` (ISO 8601, UTC) and `power_W`, exactly.

    step_ms: one row for each; every change of the curve must lie on this grid, counted from its
    start. Raises CurveError when it does not or when the file cannot be written.
    """
    series = curve.active_uw
    marks = [*series.times_ms, series.end_ms]
    if step_ms <= 0 or any((mark - series.start_ms) % step_ms for mark in marks):
        raise CurveError(f"{curve.name}: changes between the rows of a grid of {step_ms} ms")
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["time", "power_W"])
            for at_ms in range(series.start_ms, series.end_ms, step_ms):
                watts = Decimal(series.value_at(at_ms)) / UW_PER_W
                writer.writerow([iso_utc(at_ms), f"{watts:f}"])
    except OSError as error:
        raise CurveError(f"{path}: cannot be written: {error}") from error


def _open_text(path: Path) -> TextIO:
    with path.open("rb") as raw:
        # By content: a curve may have been renamed.
        zipped = raw.read(2) == b"\x1f\x8b"
    if zipped:
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


class _CsvCurve:
    """One pass over a CSV file: the header's columns, then its rows, each checked."""

    def __init__(self, path: Path, columns: CurveColumns, file: TextIO) -> None:
        self._path = path
        self._columns = columns
        self._delimiter, names = self._header(file.readline(_MAX_HEADER_CHARS))
        self._reader = csv.reader(file, delimiter=self._delimiter)
        self._time_at = [names.index(name) for name in self._time_names(names)]
        power_at, scale = names.index(columns.power), _UNITS[columns.unit]
        self._power = _Quantity(columns.power, power_at, scale, -_MAX_POWER_UW, _MAX_POWER_UW)
        self._reactive = self._voltage = None
        if columns.reactive:
            at = names.index(columns.reactive)
            self._reactive = replace(self._power, name=columns.reactive, at=at)
        if columns.voltage:
            at = names.index(columns.voltage)
            self._voltage = _Quantity(columns.voltage, at, _MV_PER_V, 0, _MAX_VOLTAGE_MV)

    def rows(self) -> Iterator[_Row]:
        previous_ms: int | None = None
        for count, fields in enumerate(self._reader):
            if count >= MAX_ROWS:
                raise CurveError(f"{self._path}: more than {MAX_ROWS} rows")
            if not any(field.strip() for field in fields):
                continue
            row = self._row(fields)
            if previous_ms is not None and row.at_ms <= previous_ms:
                raise self._fault(
                    self._columns.time,
                    f"{iso_utc(row.at_ms)} comes after {iso_utc(previous_ms)}, expected rising"
                    " times (local times without a zone repeat when daylight saving ends)",
                )
            previous_ms = row.at_ms
            yield row

    def _header(self, line: str) -> tuple[str, list[str]]:
        """The delimiter under which all wanted columns are found, and the column names."""
        found = [
            (delimiter, [name.strip() for name in next(csv.reader([line], delimiter=delimiter))])
            for delimiter in _DELIMITERS
            if line.strip()
        ]
        if not found:
            raise CurveError(f"{self._path}: line 1 is empty, expected column names")
        for delimiter, names in found:
            if all(names.count(name) == 1 for name in self._wanted(names)):
                return delimiter, names
        names = max(found, key=lambda entry: len(entry[1]))[1]
        wrong = next(name for name in self._wanted(names) if names.count(name) != 1)
        problem = "is there twice" if wrong in names else "is not there"
        raise CurveError(
            f"{self._path}: line 1: column {wrong!r} {problem}; columns found: {', '.join(names)}"
        )

    def _time_names(self, names: list[str]) -> list[str]:
        time = self._columns.time
        return [time] if time in names else time.split("+")

    def _wanted(self, names: list[str]) -> list[str]:
        optional = [name for name in (self._columns.reactive, self._columns.voltage) if name]
        return [*self._time_names(names), self._columns.power, *optional]

    def _row(self, fields: list[str]) -> _Row:
        text = " ".join(self._field(fields, at, self._columns.time) for at in self._time_at)
        try:
            at_ms = parse_time(text, self._columns.time_format)
        except CurveError as error:
            raise self._fault(self._columns.time, str(error)) from error
        return _Row(
            at_ms,
            self._number(fields, self._power),
            self._number(fields, self._reactive) if self._reactive else None,
            self._number(fields, self._voltage) if self._voltage else None,
        )

    def _field(self, fields: list[str], at: int, name: str) -> str:
        if at >= len(fields):
            raise self._fault(name, f"the row ends after {len(fields)} fields")
        return fields[at].strip()

    def _number(self, fields: list[str], quantity: _Quantity) -> int | None:
        """The quantity's field as a scaled integer, None when it is missing."""
        text = self._field(fields, quantity.at, quantity.name)
        if text.casefold() in _MISSING:
            return None
        plain = text
        if self._delimiter == ";" and "." not in text:
            plain = text.replace(",", ".")
        if not _NUMBER.fullmatch(plain):
            raise self._fault(quantity.name, f"{text!r} is no number, expected one like -12.5")
        scaled = Decimal(plain) * quantity.scale
        if not quantity.lowest <= scaled <= quantity.highest:
            least, most = quantity.lowest / quantity.scale, quantity.highest / quantity.scale
            raise self._fault(
                quantity.name, f"{text!r}, expected {least:g} to {most:g}: another unit or column?"
            )
        return int(scaled.to_integral_value())

    def _fault(self, column: str, problem: str) -> CurveError:
        # The header was read before the reader began to count.
        line = self._reader.line_num + 1
        return CurveError(f"{self._path}: line {line}: column {column!r}: {problem}")


def _commonest_step_ms(times_ms: Sequence[int]) -> int:
    counts = Counter(later_ms - earlier_ms for earlier_ms, later_ms in pairwise(times_ms))
    return min(counts, key=lambda step_ms: (-counts[step_ms], step_ms))


def _build(path: Path, columns: CurveColumns, rows: list[_Row]) -> Curve:
    resolution_ms = _commonest_step_ms([row.at_ms for row in rows])
    if not MIN_RESOLUTION_MS <= resolution_ms <= MAX_RESOLUTION_MS:
        raise CurveError(
            f"{path}: column {columns.time!r}: the commonest step is {resolution_ms / 1_000:g} s,"
            " expected 1 s to 1 h: wrong column, or s for ms?"
        )
    steps: list[_Row] = []
    gaps: list[Gap] = []
    ends_ms = [row.at_ms for row in rows[1:]] + [rows[-1].at_ms + resolution_ms]
    for row, next_ms in zip(rows, ends_ms, strict=True):
        held = 2 * (next_ms - row.at_ms) <= 3 * resolution_ms
        until_ms = next_ms if held else row.at_ms + resolution_ms
        steps.append(row)
        if row.power_uw is None:
            _note_gap(gaps, Gap(row.at_ms, until_ms, "no value"))
        if until_ms < next_ms:
            steps.append(_Row(until_ms, 0, 0, None))
            _note_gap(gaps, Gap(until_ms, next_ms, "no rows"))
    return _assemble(path.name, columns, resolution_ms, steps, ends_ms[-1], gaps)


def _note_gap(gaps: list[Gap], gap: Gap) -> None:
    if gaps and gaps[-1].to_ms == gap.from_ms and gaps[-1].reason == gap.reason:
        gaps[-1] = Gap(gaps[-1].from_ms, gap.to_ms, gap.reason)
    else:
        gaps.append(gap)


def _assemble(
    name: str,
    columns: CurveColumns,
    resolution_ms: int,
    steps: list[_Row],
    end_ms: int,
    gaps: list[Gap],
) -> Curve:
    times_ms = [step.at_ms for step in steps]
    notes = []
    reactive = voltage = None
    if columns.reactive:
        values = [step.reactive_uvar or 0 for step in steps]
        reactive = StepSeries(times_ms, values, end_ms)
    if columns.voltage:
        missing = sum(step.voltage_mv is None for step in steps)
        if missing:
            notes.append(f"{missing} steps without a voltage: {NOMINAL_VOLTAGE_MV} mV assumed")
        volts = [
            NOMINAL_VOLTAGE_MV if step.voltage_mv is None else step.voltage_mv for step in steps
        ]
        voltage = StepSeries(times_ms, volts, end_ms)
    active = StepSeries(times_ms, [step.power_uw or 0 for step in steps], end_ms)
    return Curve(name, resolution_ms, active, reactive, voltage, tuple(gaps), tuple(notes))
