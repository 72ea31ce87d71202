"""What is kept of the readings of one interval: nothing in it depends on their order (D7)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wattle_wire import quantity
from wattle_wire.sample import Reading

from wattle_gateway.contracts import classes

_RESTARTS = (quantity.EXCHANGED, quantity.OUT_OF_RANGE)
# A terawatt, as shown: no device measures more, and what a row adds up stays an int64.
POWER_DW_MAX = 10**13
# A reading every 4 ms of an hour. What comes beyond is left out.
POWERS_MAX = 900_000


@dataclass(frozen=True)
class RegisterReading:
    """The energy registers at one time, as shown: `imported_wh` (`ei`), `exported_wh` (`ee`);
    None for one that the reading lacks."""

    time_ms: int
    imported_wh: int | None
    exported_wh: int | None

    @property
    def rank(self) -> tuple[int, bool, int, bool, int]:
        """Readings by time; those of one time in some order that is the same for everybody."""
        imported_wh, exported_wh = self.imported_wh, self.exported_wh
        return (
            self.time_ms,
            imported_wh is not None,
            imported_wh or 0,
            exported_wh is not None,
            exported_wh or 0,
        )

    def net_wh(self, later: "RegisterReading") -> int | None:
        """Import less export from here to `later`; None if they do not show the same registers."""
        if (self.imported_wh is None) != (later.imported_wh is None):
            return None
        if (self.exported_wh is None) != (later.exported_wh is None):
            return None
        imported = (later.imported_wh or 0) - (self.imported_wh or 0)
        return imported - ((later.exported_wh or 0) - (self.exported_wh or 0))


@dataclass(frozen=True)
class Interval:
    """The readings of one point inside `[begin_ms, begin_ms + length_ms)`.

    `first`, `last`: the registers nearest to beginning and end. Of powers `p` (0.1 W, as shown):
    `count`, `sum_dw`, `low_dw`, `high_dw`. `verdict`: all classes of samples with readings inside.
    `restarts`: time of the first and last reading that is marked as another counter, or None.
    """

    begin_ms: int
    length_ms: int
    first: RegisterReading | None = None
    last: RegisterReading | None = None
    count: int = 0
    sum_dw: int = 0
    low_dw: int = 0
    high_dw: int = 0
    verdict: int = 0
    restarts: tuple[int, int] | None = None

    @property
    def end_ms(self) -> int:
        """Where the next interval begins."""
        return self.begin_ms + self.length_ms

    def taking(self, readings: Sequence[Reading], verdict: int) -> "Interval":
        """This interval with readings inside, of a sample with this verdict.

        Of an implausible one only the classes stay: its numbers are nobody's.
        """
        kept = [] if verdict & classes.IMPLAUSIBLE else readings
        powers = [
            power
            for reading in kept
            if isinstance(power := reading.values.get("p"), int) and abs(power) <= POWER_DW_MAX
        ][: POWERS_MAX - self.count]
        shown = [found for reading in kept if (found := _registers(reading)) is not None]
        marked = [reading.time_ms for reading in kept if reading.status in _RESTARTS]
        lowest = [self.low_dw, *powers] if self.count else powers
        highest = [self.high_dw, *powers] if self.count else powers
        known = [one for one in (self.first, self.last) if one is not None]
        restarts = [*(self.restarts or ()), *marked]
        return Interval(
            self.begin_ms,
            self.length_ms,
            min((*known, *shown), key=_from_the_left, default=None),
            min((*known, *shown), key=_from_the_right, default=None),
            self.count + len(powers),
            self.sum_dw + sum(powers),
            min(lowest, default=0),
            max(highest, default=0),
            self.verdict | verdict,
            (min(restarts), max(restarts)) if restarts else None,
        )


def begin_of(time_ms: int, length_ms: int) -> int:
    """The beginning of the interval in which a time lies (D6)."""
    return time_ms - time_ms % length_ms


class Intervals:
    """The intervals of one point, by beginning; those without any reading are not there."""

    def __init__(self, length_ms: int, known: Iterable[Interval] = ()) -> None:
        self.length_ms = length_ms
        self._rows = {row.begin_ms: row for row in known}

    def get(self, begin_ms: int) -> Interval:
        """The interval that begins there, an empty one if nothing is known of it."""
        return self._rows.get(begin_ms) or Interval(begin_ms, self.length_ms)

    def opening(self, begin_ms: int) -> RegisterReading | None:
        """The registers nearest to where an interval begins, of two equally near ones the
        earlier; None further away than half a length."""
        offered = (self.get(begin_ms - self.length_ms).last, self.get(begin_ms).first)
        near = [
            (abs(found.time_ms - begin_ms), found.rank, found)
            for found in offered
            if found is not None and 2 * abs(found.time_ms - begin_ms) <= self.length_ms
        ]
        return min(near)[2] if near else None

    def add(self, reading: Reading, verdict: int) -> None:
        """Take a reading of the point, of a sample with this verdict."""
        begin_ms = begin_of(reading.time_ms, self.length_ms)
        self._rows[begin_ms] = self.get(begin_ms).taking([reading], verdict)

    def rows(self) -> list[Interval]:
        """All that are known, by rising beginning."""
        return [self._rows[begin] for begin in sorted(self._rows)]


def _from_the_left(found: RegisterReading) -> tuple[int, ...]:
    return found.rank


def _from_the_right(found: RegisterReading) -> tuple[int, ...]:
    """Of one time, the same as from the left."""
    return (-found.time_ms, *found.rank[1:])


def _registers(reading: Reading) -> RegisterReading | None:
    imported, exported = reading.values.get("ei"), reading.values.get("ee")
    if isinstance(imported, str) or isinstance(exported, str):
        return None  # one of them failed: the other alone would look like another device
    if imported is None and exported is None:
        return None
    return RegisterReading(reading.time_ms, imported, exported)
