"""What is kept of the readings of one interval: nothing in it depends on their order (D7)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from wattle_wire import quantity
from wattle_wire.sample import Reading

from wattle_gateway.contracts import classes

_RESTARTS = (quantity.EXCHANGED, quantity.OUT_OF_RANGE)


@dataclass(frozen=True)
class RegisterReading:
    """The energy registers at one time, as shown: `imported_wh` (`ei`), `exported_wh` (`ee`);
    None for one that the reading lacks."""

    time_ms: int
    imported_wh: int | None
    exported_wh: int | None

    @property
    def rank(self) -> tuple[int, int, int]:
        """Readings by time; those of one time in some order that is the same for everybody."""
        return (self.time_ms, _number(self.imported_wh), _number(self.exported_wh))

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
    """The readings of one point in and around `[begin_ms, begin_ms + length_ms)`.

    `opening`: the registers nearest to `begin_ms`, of two equally near ones the earlier; at most
    half a length away. Of powers `p` (0.1 W, as shown) inside: `count`, `sum_dw`, `low_dw`,
    `high_dw`. `verdict`: all classes of samples with readings inside. `restarts`: time of the
    first and last reading inside that is marked as another counter, or None.
    """

    begin_ms: int
    length_ms: int
    opening: RegisterReading | None = None
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

    def with_opening(self, found: RegisterReading) -> "Interval":
        """This interval after a reading of its registers, which may lie before it."""
        distance_ms = abs(found.time_ms - self.begin_ms)
        if 2 * distance_ms > self.length_ms:
            return self
        if self.opening is not None:
            kept_ms = abs(self.opening.time_ms - self.begin_ms)
            if (kept_ms, *self.opening.rank) <= (distance_ms, *found.rank):
                return self
        return replace(self, opening=found)

    def with_power(self, power_dw: int) -> "Interval":
        """This interval with one more power inside."""
        first = self.count == 0
        return replace(
            self,
            count=self.count + 1,
            sum_dw=self.sum_dw + power_dw,
            low_dw=power_dw if first else min(self.low_dw, power_dw),
            high_dw=power_dw if first else max(self.high_dw, power_dw),
        )

    def with_restart(self, time_ms: int) -> "Interval":
        """This interval with a reading inside that is marked as another counter."""
        first, last = self.restarts or (time_ms, time_ms)
        return replace(self, restarts=(min(first, time_ms), max(last, time_ms)))

    def with_verdict(self, verdict: int) -> "Interval":
        """This interval with the classes of a sample that has readings inside."""
        return replace(self, verdict=self.verdict | verdict)


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

    def add(self, reading: Reading, verdict: int) -> None:
        """Take a reading of the point, of a sample with this verdict.

        Of an implausible one only the classes stay: its numbers are nobody's.
        """
        begin_ms = begin_of(reading.time_ms, self.length_ms)
        row = self.get(begin_ms).with_verdict(verdict)
        if verdict & classes.IMPLAUSIBLE:
            self._rows[begin_ms] = row
            return
        power = reading.values.get("p")
        if isinstance(power, int):
            row = row.with_power(power)
        if reading.status in _RESTARTS:
            row = row.with_restart(reading.time_ms)
        self._rows[begin_ms] = row
        registers = _registers(reading)
        if registers is not None:
            for near_ms in (begin_ms, begin_ms + self.length_ms):
                offered = self.get(near_ms).with_opening(registers)
                if offered.opening is not None:
                    self._rows[near_ms] = offered

    def rows(self) -> list[Interval]:
        """All that are known, by rising beginning."""
        return [self._rows[begin] for begin in sorted(self._rows)]


def _number(register_wh: int | None) -> int:
    return -1 if register_wh is None else register_wh


def _registers(reading: Reading) -> RegisterReading | None:
    imported, exported = reading.values.get("ei"), reading.values.get("ee")
    if isinstance(imported, str) or isinstance(exported, str):
        return None  # one of them failed: the other alone would look like another device
    if imported is None and exported is None:
        return None
    return RegisterReading(reading.time_ms, imported, exported)
