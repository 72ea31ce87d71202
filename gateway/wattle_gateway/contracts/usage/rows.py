"""The rows `usage`, `day` and `span` of the state (SPEC section 11)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from wattle_wire import cbor, structure
from wattle_wire.errors import MalformedError, WireError

from wattle_gateway.contracts import classes
from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.measurement.energy import (
    DAY_MS,
    INTEGRATED,
    REGISTER,
    UNMEASURED,
    Energy,
    Metering,
    has_gap,
)
from wattle_gateway.contracts.measurement.interval import Interval, Intervals, RegisterReading
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.state import Source, State, key, prefix, rows_beginning
from wattle_gateway.ledger.market import Market

# A row of a stretch is one CBOR item of at most 64 KiB: so many intervals, some 20 bytes each.
INTERVALS_A_STRETCH = 1440
_MS = 1000
# How an energy was found: not at all, since nothing is known of the interval; or by the word of
# measurement at this place.
HOW_NOTHING, HOW_UNMEASURED, HOW_REGISTER, HOW_INTEGRATED = range(4)
_WORDS = ("", UNMEASURED, REGISTER, INTEGRATED)


@dataclass(frozen=True)
class Span:
    """`fine`: number of the oldest stretch of a point whose intervals have rows of their own;
    `interval_s`: their length."""

    fine: int
    interval_s: int


class Told(NamedTuple):
    """What is told of an interval: `how` one of the numbers above, net import and its uncertainty
    in mWh (0 where it was not measured), `verdict` the classes of its samples, with `gap` if it
    had fewer powers than D10 asks."""

    how: int
    energy_mwh: int
    uncertainty_mwh: int
    verdict: int

    @property
    def energy(self) -> Energy:
        """The energy as measurement has it."""
        if self.how <= HOW_UNMEASURED:
            return Energy(UNMEASURED)
        return Energy(_WORDS[self.how], self.energy_mwh, self.uncertainty_mwh)


NOTHING = Told(HOW_NOTHING, 0, 0, 0)


def of_interval(row: Interval, energy: Energy, metering: Metering) -> Told:
    """What is told of an interval with this energy."""
    gap = classes.GAP if has_gap(row, metering) else 0
    how = _WORDS.index(energy.how)
    return Told(how, energy.energy_mwh or 0, energy.uncertainty_mwh or 0, row.verdict | gap)


def stretch_ms(market: Market) -> int:
    """The length of a stretch: a UTC day, or less where it would have too many intervals. It is a
    multiple of the interval and a part of the day, so stretch `n` begins at n times this."""
    return min(DAY_MS, INTERVALS_A_STRETCH * market.interval_ms)


def interval(state: Rows, meter: bytes, device: int, begin_ms: int, length_ms: int) -> Interval:
    """The interval of a point (kid, device) that begins there; an empty one without a row."""
    value = state.get(key("usage", meter, device, begin_ms // _MS))
    if value is None:
        return Interval(begin_ms, length_ms)
    return decode_interval(value, begin_ms, length_ms)


def put_interval(state: State, meter: bytes, device: int, row: Interval) -> None:
    """Write an interval."""
    begin_ms = row.begin_ms
    value = [
        _registers_row(row.first, begin_ms),
        _registers_row(row.last, begin_ms),
        row.count,
        row.sum_dw,
        row.low_dw,
        row.high_dw,
        row.verdict,
        None if row.restarts is None else [at_ms - begin_ms for at_ms in row.restarts],
    ]
    state.put(key("usage", meter, device, begin_ms // _MS), cbor.encode(value))


def decode_interval(value: bytes, begin_ms: int, length_ms: int) -> Interval:
    """The interval in a state value; StateError if it is none."""
    try:
        row = structure.array(cbor.decode(value), 8, "usage")
        count, total, low, high, verdict = (structure.integer(n, "usage") for n in row[2:7])
        restarts = None
        if row[7] is not None:
            first, last = structure.array(row[7], 2, "restarts")
            restarts = (
                begin_ms + structure.uint(first, "restart"),
                begin_ms + structure.uint(last, "restart"),
            )
        return Interval(
            begin_ms,
            length_ms,
            _registers(row[0], begin_ms),
            _registers(row[1], begin_ms),
            count,
            total,
            low,
            high,
            verdict,
            restarts,
        )
    except WireError as error:
        raise StateError(f"usage from {begin_ms}: {error}") from error


class FineRows(Intervals):
    """The intervals of a point (kid, device) that have rows of their own, read when asked for."""

    def __init__(self, state: Source, meter: bytes, device: int, length_ms: int) -> None:
        super().__init__(length_ms)
        begin = prefix("usage", 3, meter, device)
        self._values = {
            structure.uint(cbor.decode(row[len(begin) :]), "begin_s") * _MS: value
            for row, value in rows_beginning(state, begin)
        }

    @property
    def begins(self) -> Collection[int]:
        """Where those begin that have a row, rising."""
        return self._values.keys()

    def known(self) -> list[int]:
        """Where those begin of which something is known, rising: they have a row, or both their
        neighbours have one, whose registers may be near enough."""
        length_ms, begins = self.length_ms, self._values.keys()
        between = {at + length_ms for at in begins if at + 2 * length_ms in begins}
        return sorted(between | begins)

    def get(self, begin_ms: int) -> Interval:
        """The interval that begins there, an empty one if nothing is known of it."""
        found = self._rows.get(begin_ms)
        if found is None:
            value = self._values.get(begin_ms)
            if value is None:
                return Interval(begin_ms, self.length_ms)
            found = decode_interval(value, begin_ms, self.length_ms)
            self._rows[begin_ms] = found
        return found


def delete_interval(state: State, meter: bytes, device: int, begin_ms: int) -> None:
    """Remove the row of an interval."""
    state.delete(key("usage", meter, device, begin_ms // _MS))


def stretch(
    state: Rows, meter: bytes, device: int, number: int, count: int
) -> Sequence[Told] | None:
    """The `count` intervals of a stretch that is settled; None if the state has it not, or no
    more. StateError for a damaged row."""
    value = state.get(key("day", meter, device, number))
    if value is None:
        return None
    try:
        columns = structure.array(cbor.decode(value), len(Told._fields), "day")
        rows = [structure.array(column, count, "day") for column in columns]
        if not all(type(item) is int for row in rows for item in row):
            raise MalformedError("day has something else than integers")
        found = [Told(*item) for item in zip(*rows, strict=True)]
        if not all(HOW_NOTHING <= one.how <= HOW_INTEGRATED for one in found):
            raise MalformedError("day has an unknown way of measurement")
        return found
    except WireError as error:
        raise StateError(f"day {number} of {meter.hex()}/{device}: {error}") from error


def put_stretch(
    state: State, meter: bytes, device: int, number: int, found: Sequence[Told]
) -> None:
    """Write the intervals of a stretch. In columns: those of a look-back are read often, and
    arrays in arrays are slow to read."""
    state.put(
        key("day", meter, device, number),
        cbor.encode([list(row) for row in zip(*found, strict=True)]),
    )


def delete_stretches(state: State, meter: bytes, device: int, before: int) -> None:
    """Remove the rows of the stretches below a number."""
    for row, _ in state.rows(prefix("day", 3, meter, device)):
        if _last_id(row) < before:
            state.delete(row)


def span(state: Rows, meter: bytes, device: int) -> Span | None:
    """Which stretches of a point are fine, None before its first reading."""
    value = state.get(key("span", meter, device))
    if value is None:
        return None
    try:
        row = structure.array(cbor.decode(value), 2, "span")
        return Span(structure.uint(row[0], "stretch"), structure.uint(row[1], "interval_s"))
    except WireError as error:
        raise StateError(f"span of {meter.hex()}/{device}: {error}") from error


def put_span(state: State, meter: bytes, device: int, found: Span) -> None:
    """Write which stretches of a point are fine."""
    state.put(key("span", meter, device), cbor.encode([found.fine, found.interval_s]))


def delete_all(state: State, meter: bytes, device: int) -> None:
    """Remove all intervals and stretches of a point."""
    for table in ("usage", "day"):
        for row, _ in state.rows(prefix(table, 3, meter, device)):
            state.delete(row)


def _last_id(row: bytes) -> int:
    return structure.uint(structure.array(cbor.decode(row), 4, "key")[3], "id")


def _registers_row(found: RegisterReading | None, begin_ms: int) -> list[int | None] | None:
    if found is None:
        return None
    return [found.time_ms - begin_ms, found.imported_wh, found.exported_wh]


def _registers(value: object, begin_ms: int) -> RegisterReading | None:
    if value is None:
        return None
    row = structure.array(value, 3, "registers")
    imported, exported = (
        None if number is None else structure.integer(number, "register") for number in row[1:]
    )
    return RegisterReading(begin_ms + structure.uint(row[0], "time"), imported, exported)
