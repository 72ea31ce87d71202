"""What a point's registers were at a moment, and the energy between two (`gateway/VOUCHERS.md`)."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from wattle_gateway.contracts.measurement.primary import Ratio
from wattle_gateway.reports.voucher_readings import PointReadings, SignedReading

# How a register of a moment is known (V2 to V5).
READ = "read"
APPORTIONED = "apportioned"
FIRST = "first"
LAST = "last"
EXCHANGED = "exchanged"
MISSING = "missing"


@dataclass(frozen=True)
class Registers:
    """Import and export in mWh, behind the transformers; None for a register that is not there."""

    imported_mwh: int | None
    exported_mwh: int | None

    def plus(self, other: "Registers") -> "Registers":
        """The sum; None where one of both is."""
        return Registers(
            _sum(self.imported_mwh, other.imported_mwh), _sum(self.exported_mwh, other.exported_mwh)
        )

    def minus(self, other: "Registers") -> "Registers":
        """The difference; None where one of both is."""
        return self.plus(Registers(_negative(other.imported_mwh), _negative(other.exported_mwh)))


@dataclass(frozen=True)
class Boundary:
    """The registers at `at_ms`, `how` they are known, and the signed `readings` that say so: one,
    or for APPORTIONED the one before and the one after. `off`: how far the true registers may be
    from these, None where it is not known; `counter`: which counter of the point it was, from 0;
    `period_ms`: the time between readings then, None if there are no two.
    """

    at_ms: int
    how: str
    registers: Registers
    off: Registers
    readings: tuple[SignedReading, ...]
    counter: int
    period_ms: int | None


@dataclass(frozen=True)
class CounterPart:
    """What one counter of the point counted of a span; `opening` and `closing` its registers at
    these times."""

    number: int
    opening_ms: int
    opening: Registers
    closing_ms: int
    closing: Registers
    readings: tuple[SignedReading, ...]

    @property
    def counted(self) -> Registers:
        """The difference."""
        return self.closing.minus(self.opening)


@dataclass(frozen=True)
class Hole:
    """A time in which nothing was counted: before the first reading, after the last one, or
    between the last reading of a counter and the first of the next (`why`)."""

    from_ms: int
    to_ms: int
    why: str


class PointRegisters:
    """The registers of a point at any moment; `period_ms` between its readings, None for what it
    is around each moment."""

    def __init__(self, readings: PointReadings, ratio: Ratio, period_ms: int | None) -> None:
        self._readings = readings
        self._ratio = ratio
        self._period_ms = period_ms

    def at(self, time_ms: int) -> Boundary:
        """The registers at a moment."""
        before, after = self._readings.before(time_ms), self._readings.after(time_ms)
        period_ms = self._period_ms or self._readings.period_at(time_ms)
        if before is None or after is None:
            return self._at_an_end(time_ms, before, after, period_ms)
        is_nearer_before = time_ms - before.time_ms <= after.time_ms - time_ms
        nearest = before if is_nearer_before else after
        same = self._counter(before) == self._counter(after)
        if abs(nearest.time_ms - time_ms) <= (period_ms or 0):
            off = _widest(self._primary(nearest), self._primary(before), self._primary(after))
            return self._boundary(time_ms, READ, nearest, off if same else _UNKNOWN, period_ms)
        if not same:
            return self._boundary(time_ms, EXCHANGED, nearest, _UNKNOWN, period_ms)
        low, high = self._primary(before), self._primary(after)
        shared = _interpolated(low, high, time_ms - before.time_ms, after.time_ms - before.time_ms)
        counter = self._counter(before)
        off = _widest(shared, low, high)
        return Boundary(time_ms, APPORTIONED, shared, off, (before, after), counter, period_ms)

    def parts(self, opening: Boundary, closing: Boundary) -> list[CounterPart]:
        """What each counter counted between two boundaries, in order; none without registers."""
        if MISSING in (opening.how, closing.how):
            return []
        parts = []
        for number in range(opening.counter, closing.counter + 1):
            begin_ms, begin, first = _edge(opening, number) or self._read(self._first_of(number))
            end_ms, end, last = _edge(closing, number) or self._read(self._last_of(number))
            parts.append(CounterPart(number, begin_ms, begin, end_ms, end, first + last))
        return parts

    def holes(self, opening: Boundary, closing: Boundary) -> list[Hole]:
        """The times between two boundaries in which nothing was counted, rising."""
        from_ms, to_ms = opening.at_ms, closing.at_ms
        if MISSING in (opening.how, closing.how):
            return [Hole(from_ms, to_ms, MISSING)]
        found = []
        if opening.how == FIRST:
            found.append(Hole(from_ms, min(to_ms, opening.readings[0].time_ms), FIRST))
        for number in range(len(self._cuts)):
            last, first = self._last_of(number), self._first_of(number + 1)
            found.append(Hole(max(from_ms, last.time_ms), min(to_ms, first.time_ms), EXCHANGED))
        if closing.how == LAST:
            found.append(Hole(max(from_ms, closing.readings[0].time_ms), to_ms, LAST))
        return [hole for hole in found if hole.from_ms < hole.to_ms]

    @cached_property
    def _cuts(self) -> list[int]:
        """Where counters began, without what nothing was read before."""
        return [
            at_ms
            for at_ms in self._readings.restarts
            if self._readings.before(at_ms - 1) is not None
        ]

    def _first_of(self, number: int) -> SignedReading:
        """The reading with which a counter (not the first one) began."""
        found = self._readings.after(self._cuts[number - 1])
        assert found is not None  # the marked reading itself, if no other
        return found

    def _last_of(self, number: int) -> SignedReading:
        """The last reading of a counter after which another one began."""
        found = self._readings.before(self._cuts[number] - 1)
        assert found is not None  # `_cuts` has seen to it
        return found

    def _counter(self, reading: SignedReading) -> int:
        return bisect_right(self._cuts, reading.time_ms)

    def _at_an_end(
        self,
        time_ms: int,
        before: SignedReading | None,
        after: SignedReading | None,
        period_ms: int | None,
    ) -> Boundary:
        nearest = before or after
        if nearest is None:
            return Boundary(time_ms, MISSING, _UNKNOWN, _UNKNOWN, (), 0, period_ms)
        is_near = abs(nearest.time_ms - time_ms) <= (period_ms or 0)
        how = READ if is_near else FIRST if before is None else LAST
        off = _NOTHING if nearest.time_ms == time_ms else _UNKNOWN
        return self._boundary(time_ms, how, nearest, off, period_ms)

    def _boundary(
        self, at_ms: int, how: str, reading: SignedReading, off: Registers, period_ms: int | None
    ) -> Boundary:
        registers, counter = self._primary(reading), self._counter(reading)
        return Boundary(at_ms, how, registers, off, (reading,), counter, period_ms)

    def _read(self, one: SignedReading) -> tuple[int, Registers, tuple[SignedReading, ...]]:
        return one.time_ms, self._primary(one), (one,)

    def _primary(self, reading: SignedReading) -> Registers:
        """The registers behind the transformers; a device whose transformers are the wrong way
        round shows import as export."""
        shown = (reading.imported_wh, reading.exported_wh)
        imported, exported = shown if self._ratio.orient > 0 else reversed(shown)
        plain = Ratio(self._ratio.numerator, self._ratio.denominator)
        return Registers(
            None if imported is None else plain.energy_mwh(imported),
            None if exported is None else plain.energy_mwh(exported),
        )


_UNKNOWN = Registers(None, None)
_NOTHING = Registers(0, 0)


def _edge(
    boundary: Boundary, counter: int
) -> tuple[int, Registers, tuple[SignedReading, ...]] | None:
    """A boundary as an end of a counter's part, None if it is another counter's."""
    if boundary.counter != counter:
        return None
    return boundary.at_ms, boundary.registers, boundary.readings


def _interpolated(low: Registers, high: Registers, passed_ms: int, all_ms: int) -> Registers:
    """In proportion to time, rounded down."""

    def at(begin: int | None, end: int | None) -> int | None:
        if begin is None or end is None:
            return None
        return begin + (end - begin) * passed_ms // all_ms

    return Registers(
        at(low.imported_mwh, high.imported_mwh), at(low.exported_mwh, high.exported_mwh)
    )


def _widest(chosen: Registers, low: Registers, high: Registers) -> Registers:
    """How far the chosen registers are from the farther one of two."""

    def off(one: int | None, *others: int | None) -> int | None:
        known = [abs(other - one) for other in others if one is not None and other is not None]
        return max(known) if len(known) == len(others) else None

    return Registers(
        off(chosen.imported_mwh, low.imported_mwh, high.imported_mwh),
        off(chosen.exported_mwh, low.exported_mwh, high.exported_mwh),
    )


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def _negative(number: int | None) -> int | None:
    return None if number is None else -number


def total(parts: Sequence[CounterPart]) -> Registers:
    """What counters counted together; None where one of them has no such register."""
    found = Registers(0, 0)
    for part in parts:
        found = found.plus(part.counted)
    return found
