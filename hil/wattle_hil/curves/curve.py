"""Load curves: power as a step function of time, with an exact integral.

The bench compares the ledger with the integral of the curve, so the integral itself may not round:
power is an integer number of microwatts, time of milliseconds, their product of nanojoules.
"""

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from wattle_hil.errors import CurveError

UW_PER_W = 1_000_000
NJ_PER_WH = 3_600 * 1_000_000_000
NOMINAL_VOLTAGE_MV = 230_000


def iso_utc(at_ms: int) -> str:
    """Unix ms as ISO 8601 in UTC, with ms only where there are any."""
    moment = datetime.fromtimestamp(at_ms // 1_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{at_ms % 1_000:03d}Z" if at_ms % 1_000 else f"{moment}Z"


@dataclass(frozen=True)
class Energy:
    """Energy of an interval in nJ (nvar s for reactive), both directions >= 0."""

    import_nj: int
    export_nj: int


@dataclass(frozen=True)
class Gap:
    """A stretch [from_ms, to_ms) for which the curve's source has no value; it counts as 0 W."""

    from_ms: int
    to_ms: int
    reason: str

    @property
    def length_ms(self) -> int:
        return self.to_ms - self.from_ms

    def __str__(self) -> str:
        length_s = self.length_ms / 1_000
        return f"{iso_utc(self.from_ms)} to {iso_utc(self.to_ms)} ({length_s:g} s): {self.reason}"


class StepSeries:
    """Values that hold from their time to the next one's; 0 before the first and from end_ms on.

    times_ms: strictly rising Unix ms, at least one. values: one integer for each time (int64).
    end_ms: where the last value ends, after the last time.
    Raises CurveError when the three do not fit together.
    """

    def __init__(self, times_ms: Sequence[int], values: Sequence[int], end_ms: int) -> None:
        if not times_ms or len(times_ms) != len(values):
            raise CurveError(f"{len(times_ms)} times for {len(values)} values, expected as many")
        self.times_ms = array("q", times_ms)
        self.values = array("q", values)
        self.end_ms = end_ms
        # Plain lists: the sum of a year at 10 kW in nJ is beyond 64 bits.
        self._positive = [0]
        self._negative = [0]
        until = [*self.times_ms[1:], end_ms]
        for at_ms, value, next_ms in zip(self.times_ms, self.values, until, strict=True):
            if next_ms <= at_ms:
                raise CurveError(f"{iso_utc(next_ms)} comes after {iso_utc(at_ms)}: must rise")
            area = value * (next_ms - at_ms)
            self._positive.append(self._positive[-1] + max(area, 0))
            self._negative.append(self._negative[-1] + max(-area, 0))

    @property
    def start_ms(self) -> int:
        return self.times_ms[0]

    def value_at(self, at_ms: int) -> int:
        """The value that holds at at_ms, 0 outside the series."""
        if not self.start_ms <= at_ms < self.end_ms:
            return 0
        return self.values[bisect_right(self.times_ms, at_ms) - 1]

    def integral(self, from_ms: int, to_ms: int) -> tuple[int, int]:
        """Exact integral over [from_ms, to_ms) of the positive and of the negated negative values.

        Returns two integers >= 0 in value x ms; O(log n). Raises CurveError if to_ms < from_ms.
        """
        if to_ms < from_ms:
            raise CurveError(f"integral from {from_ms} to {to_ms} ms: expected to >= from")
        later, earlier = self._sums_until(to_ms), self._sums_until(from_ms)
        return later[0] - earlier[0], later[1] - earlier[1]

    def _sums_until(self, at_ms: int) -> tuple[int, int]:
        clamped_ms = min(max(at_ms, self.start_ms), self.end_ms)
        row = bisect_right(self.times_ms, clamped_ms) - 1
        area = self.values[row] * (clamped_ms - self.times_ms[row])
        return self._positive[row] + max(area, 0), self._negative[row] + max(-area, 0)


@dataclass(frozen=True)
class Curve:
    """A load over time. Positive power is import, negative is export.

    name: for reports. resolution_ms: the commonest step of its source. active_uw: power in uW.
    reactive_uvar: reactive power in uvar, None = none known (power factor 1).
    voltage_mv: phase voltage in mV, None = nominal. gaps: in time order.
    notes: what else a reader of the report must know about the source.
    """

    name: str
    resolution_ms: int
    active_uw: StepSeries
    reactive_uvar: StepSeries | None = None
    voltage_mv: StepSeries | None = None
    gaps: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def start_ms(self) -> int:
        return self.active_uw.start_ms

    @property
    def end_ms(self) -> int:
        return self.active_uw.end_ms

    def power_uw(self, at_ms: int) -> int:
        """Active power in uW at Unix ms; 0 outside the curve."""
        return self.active_uw.value_at(at_ms)

    def reactive_power_uvar(self, at_ms: int) -> int:
        """Reactive power in uvar at Unix ms; 0 outside the curve or when unknown."""
        return self.reactive_uvar.value_at(at_ms) if self.reactive_uvar else 0

    def phase_voltage_mv(self, at_ms: int) -> int:
        """Phase voltage in mV at Unix ms; nominal outside the curve or when unknown."""
        series = self.voltage_mv
        if series is None or not series.start_ms <= at_ms < series.end_ms:
            return NOMINAL_VOLTAGE_MV
        return series.value_at(at_ms)

    def energy(self, from_ms: int, to_ms: int) -> Energy:
        """Exact active energy of [from_ms, to_ms) in nJ. Raises CurveError if to_ms < from_ms."""
        return Energy(*self.active_uw.integral(from_ms, to_ms))

    def reactive_energy(self, from_ms: int, to_ms: int) -> Energy:
        """Exact reactive energy of [from_ms, to_ms) in nvar s. Raises as `energy`."""
        if self.reactive_uvar is None:
            return Energy(0, 0)
        return Energy(*self.reactive_uvar.integral(from_ms, to_ms))

    def summary(self) -> list[str]:
        """Lines for the start of a run and for its report: span, energy, peak, notes."""
        total = self.energy(self.start_ms, self.end_ms)
        values = self.active_uw.values
        lines = [
            f"{self.name}: {iso_utc(self.start_ms)} to {iso_utc(self.end_ms)},"
            f" {self.resolution_ms / 1_000:g} s resolution",
            f"import {total.import_nj / NJ_PER_WH:.3f} Wh,"
            f" export {total.export_nj / NJ_PER_WH:.3f} Wh,"
            f" power {min(values) / UW_PER_W:.3f} to {max(values) / UW_PER_W:.3f} W",
        ]
        if self.gaps:
            missing_s = sum(gap.length_ms for gap in self.gaps) / 1_000
            lines.append(f"{len(self.gaps)} gaps of {missing_s:g} s in all, counted as 0 W")
        return [*lines, *self.notes]
