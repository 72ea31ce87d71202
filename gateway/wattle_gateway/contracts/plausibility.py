"""Whether a reading can be true, given what its energy registers showed before (SPEC section 12).

A counter that only rises and a rating in watts are all that is used; both checks are products of
integers, so every gateway comes to the same class.
"""

from dataclasses import dataclass

from wattle_wire import cbor, structure
from wattle_wire.errors import WireError
from wattle_wire.sample import Reading

from wattle_gateway.contracts import classes
from wattle_gateway.contracts.errors import StateError
from wattle_gateway.ledger.transaction import Point

# Each of two register values is a whole number of Wh: their difference is off by less than 2.
ROUNDING_WH = 2
_MS_PER_H = 3600000
_P_PER_W = 10  # `p` counts in 0.1 W (SPEC section 4)


@dataclass(frozen=True)
class Counter:
    """The newest value of one energy counter and the time of its reading."""

    time_ms: int
    energy_wh: int


@dataclass(frozen=True)
class Register:
    """The energy counters of a point: `imported` (`ei`) and `exported` (`ee`)."""

    imported: Counter | None = None
    exported: Counter | None = None


def judge(
    register: Register, reading: Reading, point: Point, margin_permille: int, *, timed: bool
) -> tuple[int, Register]:
    """(classes, register after the reading).

    `timed` False if the meter's clock was unsynchronised: then the order of the reading and the
    register is not known, they are not compared and the register stays.
    """
    limit = point.rating_w * margin_permille  # in mW, as far as the margin goes
    power = reading.values.get("p")
    found = 0
    if isinstance(power, int) and abs(power) * 1000 > limit * _P_PER_W:
        found = classes.ABOVE_RATING
    if not timed:
        return found, register
    imported, bits = _judge_counter(register.imported, reading, "ei", limit)
    found |= bits
    exported, bits = _judge_counter(register.exported, reading, "ee", limit)
    return found | bits, Register(imported, exported)


def _judge_counter(
    newest: Counter | None, reading: Reading, quantity: str, limit_mw: int
) -> tuple[Counter | None, int]:
    energy_wh = reading.values.get(quantity)
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
    if (grown_wh - ROUNDING_WH) * _MS_PER_H * 1000 > limit_mw * passed_ms:
        return newest, classes.ABOVE_RATING
    return Counter(reading.time_ms, energy_wh), 0


def encode(register: Register) -> bytes:
    """The register as a state value: `[ei, ee]`, each null or `[time_ms, Wh]`."""
    return cbor.encode([_row(register.imported), _row(register.exported)])


def decode(value: bytes) -> Register:
    """The register in a state value; StateError if it is none."""
    try:
        row = structure.array(cbor.decode(value), 2, "register")
        return Register(_counter(row[0]), _counter(row[1]))
    except WireError as error:
        raise StateError(f"register: {error}") from error


def _row(counter: Counter | None) -> list[int] | None:
    return None if counter is None else [counter.time_ms, counter.energy_wh]


def _counter(value: object) -> Counter | None:
    if value is None:
        return None
    row = structure.array(value, 2, "counter")
    return Counter(structure.uint(row[0], "time"), structure.integer(row[1], "energy"))
