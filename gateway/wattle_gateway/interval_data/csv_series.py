"""A CSV file's power column as interval energies.

Rules: a row's power is the mean over one interval, which its time begins (stamp start) or ends
(stamp end). The interval is the commonest step between rows. A row that is not there, or has no
value, leaves its interval unmeasured: nothing is held over, nothing is zero. Power is rounded to
1 mW, halves to the even one.
"""

from collections import Counter
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import pairwise
from pathlib import Path

from wattle_gateway.contracts.baseline.local_days import Zone
from wattle_gateway.contracts.baseline.series import HOUR_S, EnergySeries
from wattle_gateway.errors import UsageError
from wattle_gateway.interval_data import numbers
from wattle_gateway.interval_data.csv_table import read_table
from wattle_gateway.interval_data.csv_times import read_times

START, END = "start", "end"
MW_PER_UNIT = {"W": 1_000, "kW": 1_000_000}
# 1 GW, a power plant: above it the unit is wrong.
MAX_POWER_MW = 10**12
# What a column of substitute values says of a row that was measured.
_MEASURED = frozenset({"0", "no", "n", "false", "f", "measured", "actual"}) | numbers.MISSING


@dataclass(frozen=True)
class CsvColumns:
    """Which columns of a CSV make the series, and how they are written.

    unit: W or kW. stamp: start or end. timezone: IANA name or offset; None = as written in the
    times. time_format: strptime. decimal: point, comma, None = by the column. substituted: a
    column that says which rows were estimated. control: power of the points of a control group.
    """

    time: str
    power: str
    unit: str
    stamp: str
    timezone: str | None = None
    time_format: str | None = None
    decimal: str | None = None
    substituted: str | None = None
    control: tuple[str, ...] = ()


@dataclass(frozen=True)
class CsvSeries:
    """What a file held. is_zone_known: False when neither file nor caller named a zone, so that
    its times were taken as UTC. notes: what was met and left out, one sentence each."""

    series: EnergySeries
    control: tuple[EnergySeries, ...]
    zone: Zone
    is_zone_known: bool
    notes: tuple[str, ...]


def read_series(path: Path, columns: CsvColumns) -> CsvSeries:
    """The interval energies of a CSV file. Raises UsageError naming file, line and column."""
    if columns.unit not in MW_PER_UNIT:
        raise UsageError(f"unit {columns.unit!r}, expected W or kW")
    if columns.stamp not in (START, END):
        raise UsageError(f"stamp {columns.stamp!r}, expected start or end")
    return _CsvFile(path, columns).read()


class _CsvFile:
    """One pass over a file: its rows, then their times, then each column of power."""

    def __init__(self, path: Path, columns: CsvColumns) -> None:
        self._path = path
        self._columns = columns
        self._powers = [columns.power, *columns.control]
        flags = [columns.substituted] if columns.substituted else []
        self._rows = read_table(path, [columns.time, *self._powers, *flags])
        if len(self._rows) < 2:
            raise UsageError(f"{path}: {len(self._rows)} rows of data, expected at least 2")
        self._notes: list[str] = []

    def read(self) -> CsvSeries:
        columns = self._columns
        ends = columns.stamp == END
        texts = [row.fields[0] for row in self._rows]
        times = read_times(texts, columns.time_format, columns.timezone, ends, self._time_fault)
        interval_s = self._interval_s(times.at_s)
        starts = [at_s - interval_s if ends else at_s for at_s in times.at_s]
        kept = self._kept(starts)
        self._check_grid(starts, interval_s)
        estimated = frozenset(starts[at] for at in kept if self._is_substituted(at))
        made = [
            EnergySeries(
                interval_s,
                self._energies(place, name, starts, kept, interval_s),
                estimated if name == columns.power else frozenset(),
            )
            for place, name in enumerate(self._powers, start=1)
        ]
        self._note_gaps(made[0], starts, kept)
        return CsvSeries(
            made[0], tuple(made[1:]), times.zone, times.is_zone_known, tuple(self._notes)
        )

    def _fault(self, at: int, column: str, problem: object) -> UsageError:
        line = self._rows[at].line
        return UsageError(f"{self._path}: line {line}: column {column!r}: {problem}")

    def _time_fault(self, at: int, problem: object) -> UsageError:
        return self._fault(at, self._columns.time, problem)

    def _interval_s(self, moments: list[int]) -> int:
        steps = Counter(after - before for before, after in pairwise(sorted(set(moments))))
        if not steps:
            raise self._time_fault(1, "every row has this time, expected one an interval")
        interval_s = min(steps, key=lambda step_s: (-steps[step_s], step_s))
        if interval_s > HOUR_S or HOUR_S % interval_s:
            raise self._time_fault(
                1,
                f"the commonest step between rows is {interval_s} s, expected 1 s to 1 h, a "
                "divisor of an hour: the wrong column, or s for ms?",
            )
        return interval_s

    def _kept(self, starts: list[int]) -> list[int]:
        """The rows that count, by time. A row that says again what another says does not."""
        first: dict[int, int] = {}
        for at, start_s in enumerate(starts):
            other = first.setdefault(start_s, at)
            if self._rows[at].fields[1:] != self._rows[other].fields[1:]:
                raise self._time_fault(
                    at,
                    f"{self._rows[at].fields[0]!r} is there already, in line "
                    f"{self._rows[other].line}, with another value",
                )
        repeats = len(starts) - len(first)
        if repeats:
            self._notes.append(f"rows that repeat another one: {repeats}, counted once")
        return [at for _, at in sorted(first.items())]

    def _check_grid(self, starts: list[int], interval_s: int) -> None:
        phases = Counter(start_s % interval_s for start_s in starts)
        common = max(phases, key=lambda phase_s: (phases[phase_s], -phase_s))
        for at, start_s in enumerate(starts):
            if start_s % interval_s != common:
                raise self._time_fault(
                    at,
                    f"{self._rows[at].fields[0]!r} is not on the grid of the other rows, one "
                    f"each {interval_s} s",
                )

    def _is_substituted(self, at: int) -> bool:
        if self._columns.substituted is None:
            return False
        return self._rows[at].fields[-1].casefold() not in _MEASURED

    def _energies(
        self, place: int, name: str, starts: list[int], kept: list[int], interval_s: int
    ) -> dict[int, int]:
        """Start -> mJ of one column of power; a row without a value is left out."""
        present = [at for at in kept if not numbers.is_missing(self._rows[at].fields[place])]
        fields = [(self._rows[at].line, self._rows[at].fields[place]) for at in present]
        try:
            mark = self._columns.decimal or numbers.decimal_mark(fields)
        except UsageError as error:
            raise UsageError(f"{self._path}: column {name!r}: {error}") from error
        found = {}
        for at, (_, text) in zip(present, fields, strict=True):
            try:
                power_mw = numbers.parse_number(text, mark) * MW_PER_UNIT[self._columns.unit]
            except UsageError as error:
                raise self._fault(at, name, error) from error
            if abs(power_mw) > MAX_POWER_MW:
                raise self._fault(at, name, f"{text!r} is above 1 GW: another unit or column?")
            exact_mw = int(power_mw.quantize(Decimal(1), ROUND_HALF_EVEN))
            found[starts[at]] = exact_mw * interval_s
        return found

    def _note_gaps(self, series: EnergySeries, starts: list[int], kept: list[int]) -> None:
        without = len(kept) - len(series.energies_mj)
        if without:
            self._notes.append(f"rows without a value: {without}, not measured")
        span_s = starts[kept[-1]] - starts[kept[0]]
        lacking = span_s // series.interval_s + 1 - len(kept)
        if lacking:
            self._notes.append(f"intervals without a row: {lacking}, not measured")
