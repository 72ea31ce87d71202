"""`energy`: what a point used in each interval, from the samples in the ledger."""

import itertools
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from statistics import median_low
from typing import Any

from wattle_wire.sample import Reading

from wattle_gateway.contracts import classes, registry
from wattle_gateway.contracts.measurement.energy import DAY_MS, Energy, Metering, energies
from wattle_gateway.contracts.measurement.interval import Interval, Intervals, begin_of
from wattle_gateway.contracts.measurement.primary import Ratio
from wattle_gateway.errors import UsageError
from wattle_gateway.reports.samples import Wanted, committed

INTERVALS_MAX = 100_000  # a year of minutes is five times as many: nobody reads that in one piece


@dataclass(frozen=True)
class Question:
    """Whose energy: device `device` of `meter` (kid), in the intervals of `length_ms` (a divisor
    of a day) between two times. None for what is to be read off the samples: the time between
    readings, the smallest step of the registers."""

    meter: bytes
    device: int
    from_ms: int
    to_ms: int
    length_ms: int
    period_ms: int | None = None
    resolution_wh: int | None = None


@dataclass(frozen=True)
class EnergyLine:
    """One interval: `leaves` first and last ledger index of what it rests on, None without any."""

    interval: Interval
    energy: Energy
    leaves: tuple[int, int] | None

    def as_json(self) -> dict[str, Any]:
        """The line as JSON; energies in mWh."""
        return {
            "begin_ms": self.interval.begin_ms,
            "end_ms": self.interval.end_ms,
            "energy_mwh": self.energy.energy_mwh,
            "uncertainty_mwh": self.energy.uncertainty_mwh,
            "how": self.energy.how,
            "readings": self.interval.count,
            "classes": classes.class_names(self.interval.verdict),
            "ledger_indexes": None if self.leaves is None else list(self.leaves),
        }


@dataclass(frozen=True)
class EnergyReport:
    """The lines by rising time, and how the point was taken to be metered."""

    point: str
    metering: Metering
    lines: Sequence[EnergyLine]

    def as_json(self) -> dict[str, Any]:
        """The report as JSON."""
        ratio = self.metering.ratio
        return {
            "point": self.point,
            "ratio": [ratio.orient * ratio.numerator, ratio.denominator],
            "period_ms": self.metering.period_ms,
            "resolution_wh": self.metering.resolution_wh,
            "intervals": [line.as_json() for line in self.lines],
        }


def read(
    connection: sqlite3.Connection,
    ledger_id: bytes,
    state: Mapping[bytes, bytes],
    question: Question,
) -> EnergyReport:
    """The energies of whole intervals between the two times.

    Raises UsageError for a point that is not enrolled or times without a whole interval,
    StoreError for a damaged entry.
    """
    begins = _begins(question)
    ratio = _ratio(state, question)
    # Boundary readings may lie outside, and so may the period that scales an integral.
    wide = Wanted(
        question.meter,
        begins[0] - begins[0] % DAY_MS - question.length_ms,
        begins[-1] - begins[-1] % DAY_MS + DAY_MS + question.length_ms,
    )
    found = _Readings(question)
    for place, signed in committed(connection, ledger_id, wide):
        found.add(place.leaf, place.verdict, signed.sample.readings)
    metering = Metering(ratio, found.period_ms(), found.resolution_wh())
    return EnergyReport(
        f"{question.meter.hex()}/{question.device}",
        metering,
        [
            EnergyLine(found.intervals.get(begin), measured, found.leaves.get(begin))
            for begin, measured in zip(
                begins, energies(found.intervals, begins, metering), strict=True
            )
        ],
    )


class _Readings:
    """The readings of the point, and what can be told from them of how it is metered."""

    def __init__(self, question: Question) -> None:
        self.intervals = Intervals(question.length_ms)
        self.leaves: dict[int, tuple[int, int]] = {}
        self._question = question
        self._times: list[int] = []
        self._registers: dict[str, int] = {}
        self._step_wh = 0

    def add(self, leaf: int, verdict: int, readings: Sequence[Reading]) -> None:
        """Take those readings of a sample that are the point's."""
        for reading in readings:
            if reading.device != self._question.device:
                continue
            self.intervals.add(reading, verdict)
            self._times.append(reading.time_ms)
            begin = begin_of(reading.time_ms, self._question.length_ms)
            first, last = self.leaves.get(begin, (leaf, leaf))
            self.leaves[begin] = (min(first, leaf), max(last, leaf))
            for name in ("ei", "ee"):
                value = reading.values.get(name)
                if isinstance(value, int):
                    step_wh = value - self._registers.setdefault(name, value)
                    self._step_wh = gcd(self._step_wh, step_wh)

    def period_ms(self) -> int:
        """As asked, else the commonest time between readings."""
        if self._question.period_ms is not None:
            return self._question.period_ms
        times = sorted(set(self._times))
        spaces = [later - earlier for earlier, later in itertools.pairwise(times)]
        return median_low(spaces) if spaces else self._question.length_ms

    def resolution_wh(self) -> int:
        """As asked, else the largest step of which all registers shown are multiples."""
        return self._question.resolution_wh or self._step_wh or 1


def _begins(question: Question) -> range:
    length_ms = question.length_ms
    first = begin_of(question.from_ms + length_ms - 1, length_ms)
    begins = range(first, question.to_ms - length_ms + 1, length_ms)
    if not begins:
        raise UsageError(
            f"no whole interval of {length_ms // 1000} s between the two times; intervals begin at"
            " multiples of their length in UTC"
        )
    if len(begins) > INTERVALS_MAX:
        raise UsageError(f"{len(begins)} intervals, at most {INTERVALS_MAX} in one answer")
    return begins


def _ratio(state: Mapping[bytes, bytes], question: Question) -> Ratio:
    meter = registry.meter(state, question.meter)
    if meter is None:
        raise UsageError(f"meter {question.meter.hex()} is not enrolled")
    point = meter.point(question.device)
    if point is None:
        devices = ", ".join(str(point.device) for point in meter.points)
        raise UsageError(f"meter {question.meter.hex()} has the devices {devices}")
    return Ratio.of(point.ct, point.vt, point.orient)
