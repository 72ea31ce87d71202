"""Whether a reading can be true, given what its energy registers showed before (SPEC section 12).

A counter that only rises and a rating in watts are all that is used; both checks are products of
integers, so every gateway comes to the same class.
"""

from typing import NamedTuple

from wattle_wire import cbor, quantity, structure
from wattle_wire.errors import WireError
from wattle_wire.sample import Reading

from wattle_gateway.contracts import classes
from wattle_gateway.contracts.errors import StateError
from wattle_gateway.ledger import genesis
from wattle_gateway.ledger.transaction import Point

# Each of two register values is a whole number of Wh: their difference is off by less than 2.
ROUNDING_WH = 2
_MS_PER_H = 3600000
_P_PER_W = 10  # `p` counts in 0.1 W (SPEC section 4)


class Counter(NamedTuple):
    """The newest value of one energy counter and the time of its reading."""

    time_ms: int
    energy_wh: int


class Register(NamedTuple):
    """The energy counters of a point: `imported` (`ei`) and `exported` (`ee`); `since_ms` time of
    the reading with which they began anew, None if they never did."""

    imported: Counter | None = None
    exported: Counter | None = None
    since_ms: int | None = None

    @property
    def newest_ms(self) -> int | None:
        """Time of the newest of the counters."""
        times = [one.time_ms for one in (self.imported, self.exported) if one is not None]
        return max(times, default=None)


def judge(
    register: Register,
    reading: Reading,
    point: Point,
    margin_permille: int,
    *,
    timed: bool,
    rules: int,
) -> tuple[int, Register]:
    """(classes, register after the reading).

    `timed` False if the meter's clock was unsynchronised: then the order of the reading and the
    register is not known, they are not compared and the register stays. `rules` in force: from 2
    on the rating is that of the primary side, and a counter may begin anew.
    """
    numerator, denominator = (1, 1) if rules < genesis.RESTART_RULES else _ratio(point)
    # In mW as the device shows them, times the numerator, as far as the margin goes.
    limit = point.rating_w * margin_permille * denominator
    power = reading.values.get("p")
    found = 0
    if isinstance(power, int) and abs(power) * numerator * 1000 > limit * _P_PER_W:
        found = classes.ABOVE_RATING
    if not timed:
        return found, register
    if rules >= genesis.RESTART_RULES:
        if register.since_ms is not None and reading.time_ms < register.since_ms:
            return found, register  # of the counter before
        if _begins_anew(register, reading):
            return found | classes.EXCHANGED, _anew(reading)
    imported, exported, since_ms = register
    if "ei" in reading.values:
        imported, bits = _judge_counter(imported, reading, "ei", limit, numerator)
        found |= bits
    if "ee" in reading.values:
        exported, bits = _judge_counter(exported, reading, "ee", limit, numerator)
        found |= bits
    return found, Register(imported, exported, since_ms)


def _ratio(point: Point) -> tuple[int, int]:
    return point.ct[0] * point.vt[0], point.ct[1] * point.vt[1]


def _begins_anew(register: Register, reading: Reading) -> bool:
    """Whether the meter marks the reading as another counter's, and it is news."""
    if reading.status not in (quantity.EXCHANGED, quantity.OUT_OF_RANGE):
        return False
    newest_ms = register.newest_ms
    return newest_ms is not None and reading.time_ms > newest_ms


def _anew(reading: Reading) -> Register:
    counters = [
        Counter(reading.time_ms, value) if isinstance(value, int) else None
        for value in (reading.values.get("ei"), reading.values.get("ee"))
    ]
    return Register(counters[0], counters[1], reading.time_ms)


def _judge_counter(
    newest: Counter | None, reading: Reading, name: str, limit: int, numerator: int
) -> tuple[Counter | None, int]:
    energy_wh = reading.values.get(name)
    if not isinstance(energy_wh, int):
        return newest, 0
    if newest is None:
        return Counter(reading.time_ms, energy_wh), 0
    passed_ms = reading.time_ms - newest.time_ms
    grown_wh = energy_wh - newest.energy_wh
    if (passed_ms >= 0 and grown_wh < 0) or (passed_ms <= 0 and grown_wh > 0):
        return newest, classes.DECREASING
    if passed_ms <= 0:
        return newest, 0
    if (grown_wh - ROUNDING_WH) * numerator * _MS_PER_H * 1000 > limit * passed_ms:
        return newest, classes.ABOVE_RATING
    return Counter(reading.time_ms, energy_wh), 0


def encode(register: Register) -> bytes:
    """The register as a state value: `[ei, ee]`, each null or `[time_ms, Wh]`; once it has begun
    anew `[ei, ee, since_ms]`."""
    since = [] if register.since_ms is None else [register.since_ms]
    return cbor.encode([_row(register.imported), _row(register.exported), *since])


def decode(value: bytes) -> Register:
    """The register in a state value; StateError if it is none."""
    try:
        row = structure.items(cbor.decode(value), 3, "register")
        if len(row) == 2:
            return Register(_counter(row[0]), _counter(row[1]))
        row = structure.array(row, 3, "register")
        return Register(_counter(row[0]), _counter(row[1]), structure.uint(row[2], "since"))
    except WireError as error:
        raise StateError(f"register: {error}") from error


def _row(counter: Counter | None) -> list[int] | None:
    return None if counter is None else [counter.time_ms, counter.energy_wh]


def _counter(value: object) -> Counter | None:
    if value is None:
        return None
    row = structure.array(value, 2, "counter")
    return Counter(structure.uint(row[0], "time"), structure.integer(row[1], "energy"))
