"""A load curve's integral in exact fractions, by the rules for curves in CSV.

A row's value holds until the next row. The last one, and one before a step of more than 1.5 times
the commonest step (the shortest of equally common ones), holds for that step; then power is 0 W.
A row without a value counts as 0 W.
"""

import csv
import gzip
import io
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from .errors import CannotCheckError
from .point import Point

MS_PER_HOUR = 3_600_000
IMPORT, EXPORT = "ei", "ee"

_WATTS = {"W": 1, "kW": 1_000}
_NO_VALUE = frozenset({"", "?", "-", "nan", "na", "n/a", "null", "none"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Curve:
    """Energy over time of the curve a point follows; outside the curve power is 0 W."""

    def __init__(self, point: Point) -> None:
        rows = list(_rows(point))
        if len(rows) < 2:
            raise CannotCheckError(f"{point.curve}: {len(rows)} rows, expected at least 2")
        steps = Counter(later[0] - earlier[0] for earlier, later in pairwise(rows))
        if min(steps) <= 0:
            raise CannotCheckError(f"{point.curve}: times do not rise")
        step_ms = min(steps, key=lambda step: (-steps[step], step))
        self.start_ms, self.end_ms = rows[0][0], rows[-1][0] + step_ms
        self._times_ms = [self.start_ms]
        self._watts: list[Fraction] = []
        self._sums_wh = {IMPORT: [Fraction(0)], EXPORT: [Fraction(0)]}
        ends_ms = [row[0] for row in rows[1:]] + [self.end_ms]
        for (at_ms, watts), next_ms in zip(rows, ends_ms, strict=True):
            gap = 2 * (next_ms - at_ms) > 3 * step_ms
            self._hold(watts, at_ms + step_ms if gap else next_ms)
            if gap:
                self._hold(Fraction(0), next_ms)

    def _hold(self, watts: Fraction, until_ms: int) -> None:
        energy_wh = watts * (until_ms - self._times_ms[-1]) / MS_PER_HOUR
        for counter, directed_wh in ((IMPORT, energy_wh), (EXPORT, -energy_wh)):
            sums_wh = self._sums_wh[counter]
            sums_wh.append(sums_wh[-1] + max(directed_wh, Fraction(0)))
        self._watts.append(watts)
        self._times_ms.append(until_ms)

    def energy_wh(self, counter: str, at_ms: int) -> Fraction:
        """Energy of one direction (IMPORT or EXPORT) from the curve's start to Unix ms."""
        at_ms = min(max(at_ms, self.start_ms), self.end_ms)
        row = min(bisect_right(self._times_ms, at_ms), len(self._watts)) - 1
        watts = self._watts[row] if counter == IMPORT else -self._watts[row]
        part_wh = max(watts, Fraction(0)) * (at_ms - self._times_ms[row]) / MS_PER_HOUR
        return self._sums_wh[counter][row] + part_wh


def _rows(point: Point) -> Iterator[tuple[int, Fraction]]:
    """(Unix ms, W) of each row."""
    if point.unit not in _WATTS:
        raise CannotCheckError(f"unit {point.unit!r}, expected one of {', '.join(_WATTS)}")
    text = _text(point.curve)
    for delimiter in ",;\t":
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        names = [name.strip() for name in next(reader, [])]
        times = [point.time] if point.time in names else point.time.split("+")
        if all(names.count(name) == 1 for name in (*times, point.power)):
            break
    else:
        raise CannotCheckError(
            f"{point.curve}: no columns {point.time!r} and {point.power!r} in its first line"
        )
    time_at, power_at = [names.index(name) for name in times], names.index(point.power)
    for row in reader:
        if not any(field.strip() for field in row):
            continue
        try:
            at_ms = unix_ms(" ".join(row[at].strip() for at in time_at), point.time_format)
            number = row[power_at].strip()
            if delimiter == ";" and "." not in number:
                number = number.replace(",", ".")
            missing = number.casefold() in _NO_VALUE
            yield at_ms, Fraction(0 if missing else number) * _WATTS[point.unit]
        except (ValueError, IndexError, OverflowError) as error:
            line = reader.line_num
            raise CannotCheckError(f"{point.curve}: line {line}: {error}") from error


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        return (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise CannotCheckError(f"{path}: {error}") from error


def unix_ms(text: str, time_format: str | None) -> int:
    """ISO 8601 or Unix time by its number of digits, else `epoch_s`, `epoch_ms` or strptime.

    Without a zone it is UTC. Raises ValueError.
    """
    whole = text.split(".")[0]
    digits = len(whole) if time_format is None and whole.isdecimal() else 0
    if time_format == "epoch_s" or digits in (9, 10):
        return int(Fraction(text) * 1_000)
    if time_format == "epoch_ms" or digits in (12, 13):
        return int(Fraction(text))
    moment = datetime.strptime(text, time_format) if time_format else datetime.fromisoformat(text)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(milliseconds=1)
