"""The parameters of the market: constants of an epoch from rules 3 on (SPEC section 9).

What an event is measured, scored, paid and judged by. It is one map in the constants, so that
parameters change as members do, by a `change` that a quorum approves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from typing import NamedTuple

from wattle_wire import cbor, structure

from wattle_gateway.ledger.errors import FormatError, LimitError, wire_errors_named

MARKET_DIGEST_BYTES = 16
HOUR_S = 3_600
DAY_S = 86_400
# The transitions of a zone over a century, the holidays of one too.
TRANSITIONS_MAX = 256
HOLIDAYS_MAX = 1024
PERMILLE = 1000
_OFFSET_MAX_S = DAY_S - 1
_DAY_MS = DAY_S * 1000
_MONTH_MS = 31 * _DAY_MS
_YEAR_MS = 366 * _DAY_MS
_DAY_NUMBER_MAX = 2_932_896  # 9999-12-31


class Weights(NamedTuple):
    """What a class counts for in each use, permille (DEMAND_RESPONSE.md, D15).

    Of data each multiplies, and 1000 counts fully. Of a fault `reputation` is what is taken off,
    `selection` what a merit is multiplied with while the fault is on record; the others rest.
    """

    baseline: int
    score: int
    reputation: int
    selection: int


class ZoneRow(NamedTuple):
    """Local time: the offset from UTC (s) before the first transition, and `(Unix s, offset from
    then on)`, rising."""

    first_offset_s: int = 0
    transitions: tuple[tuple[int, int], ...] = ()


UTC = ZoneRow()

DATA_CLASSES: Mapping[str, Weights] = {
    "late": Weights(1000, 1000, 1000, 1000),
    "forked": Weights(0, 0, 0, 0),
    "decreasing": Weights(0, 500, 500, 500),
    "above_rating": Weights(0, 500, 500, 500),
    "clock_unsure": Weights(0, 500, 1000, 1000),
    "future": Weights(0, 500, 500, 500),
    "failed": Weights(1000, 1000, 1000, 1000),
    "unknown_point": Weights(1000, 1000, 1000, 1000),
    "misnamed": Weights(0, 0, 0, 0),
    "gap": Weights(1000, 1000, 1000, 1000),
    "exchanged": Weights(1000, 1000, 1000, 1000),
    "integrated": Weights(1000, 900, 1000, 1000),
    "unmeasured": Weights(0, 0, 0, 0),
    "revised": Weights(1000, 1000, 1000, 1000),
    "substituted": Weights(0, 0, 0, 0),
}
"""Classes of what was measured, with their weights for a new ledger."""

FAULTS: Mapping[str, Weights] = {
    "error": Weights(0, 0, 5, 1000),
    "silence": Weights(0, 0, 50, 900),
    "gateway_silence": Weights(0, 0, 5, 1000),
    "false_declaration": Weights(0, 0, 100, 800),
    "declared_above_rating": Weights(0, 0, 20, 950),
    "withdrawal": Weights(0, 0, 50, 900),
    "no_delivery": Weights(0, 0, 50, 900),
    "underbid": Weights(0, 0, 200, 600),
    "self_dealing": Weights(0, 0, 1000, 0),
    "uncommanded": Weights(0, 0, 100, 800),
    "double_signing": Weights(0, 0, 1000, 0),
}
"""What a party or gateway is charged with, with the weights for a new ledger."""

DEFAULT_WEIGHTS: Mapping[str, Weights] = {**DATA_CLASSES, **FAULTS}


@dataclass(frozen=True)
class Market:
    """The market parameters of SPEC section 9, at their values for a new ledger.

    `weights` by rising class name; `holidays` in days since 1970-01-01, rising. Make one of
    foreign values with `parse` or `checked`, which refuse what SPEC refuses.
    """

    coverage_permille: int = 900
    credit_max_permille: int = 1200
    deadband_permille: int = 50
    decay_permille: int = 900
    decide_ms: int = 604_800_000
    declarations_max: int = 10_000
    delivery_floor_permille: int = 500
    dispute_ms: int = 172_800_000
    events_open_max: int = 64
    fine_ms: int = 259_200_000
    history_events: int = 10
    interval_s: int = 900
    intervals_max: int = 96
    k_accuracy: int = 600
    k_availability: int = 200
    k_speed: int = 200
    keep_days: int = 60
    m_absolute: int = 600
    m_horizontal: int = 200
    m_vertical: int = 200
    mad_floor: int = 50
    probation_ms: int = 2_592_000_000
    rate_permille: int = 200
    reputation_start: int = 500
    select_far: int = 10
    select_nearness: int = 1
    select_reputation: int = 2
    select_rest: int = 1
    select_rested_ms: int = 604_800_000
    select_score: int = 4
    select_speed: int = 2
    settle_ms: int = 900_000
    silent_permille: int = 250
    suspend_permille: int = 300
    holidays: tuple[int, ...] = ()
    weights: tuple[tuple[str, Weights], ...] = tuple(sorted(DEFAULT_WEIGHTS.items()))
    zone: ZoneRow = UTC

    @cached_property
    def raw(self) -> bytes:
        """The encoded market map."""
        return cbor.encode(market_map(self))

    @cached_property
    def digest(self) -> bytes:
        """First 16 bytes of SHA-256(encoded market map): by it an event names its parameters."""
        return sha256(self.raw).digest()[:MARKET_DIGEST_BYTES]

    @cached_property
    def weight_of(self) -> Mapping[str, Weights]:
        """The weights by class name."""
        return dict(self.weights)

    @property
    def interval_ms(self) -> int:
        """Length of an interval."""
        return self.interval_s * 1000


# (lowest, highest) of each number. Shares end at 1000, counts where a state row or the work of
# one commit would grow too large, times at a year.
MARKET_BOUNDS: Mapping[str, tuple[int, int]] = {
    "coverage_permille": (1, PERMILLE),
    "credit_max_permille": (PERMILLE, 10 * PERMILLE),
    "deadband_permille": (0, PERMILLE),
    "decay_permille": (0, PERMILLE),
    "decide_ms": (1, _YEAR_MS),
    "declarations_max": (1, 100_000),
    "delivery_floor_permille": (0, PERMILLE),
    "dispute_ms": (1, _YEAR_MS),
    "events_open_max": (1, 256),  # the agenda is one state row
    "fine_ms": (1, _YEAR_MS),
    "history_events": (1, 64),
    "interval_s": (1, HOUR_S),
    "intervals_max": (1, 1000),
    "k_accuracy": (0, PERMILLE),
    "k_availability": (0, PERMILLE),
    "k_speed": (0, PERMILLE),
    "keep_days": (1, 800),
    "m_absolute": (0, PERMILLE),
    "m_horizontal": (0, PERMILLE),
    "m_vertical": (0, PERMILLE),
    "mad_floor": (1, PERMILLE),
    "probation_ms": (0, 10 * _YEAR_MS),
    "rate_permille": (0, PERMILLE),
    "reputation_start": (0, PERMILLE),
    "select_far": (1, PERMILLE),
    "select_nearness": (0, PERMILLE),
    "select_reputation": (0, PERMILLE),
    "select_rest": (0, PERMILLE),
    "select_rested_ms": (1, _YEAR_MS),
    "select_score": (0, PERMILLE),
    "select_speed": (0, PERMILLE),
    "settle_ms": (1, _MONTH_MS),
    "silent_permille": (0, PERMILLE),
    "suspend_permille": (0, PERMILLE),
}
_NAMES = tuple(field.name for field in fields(Market))
# Weighted means of which at least one weight counts.
_MEANS = (
    ("k_accuracy", "k_availability", "k_speed"),
    ("m_absolute", "m_horizontal", "m_vertical"),
    ("select_nearness", "select_reputation", "select_rest", "select_score", "select_speed"),
)


def market_map(market: Market) -> dict[str, object]:
    """The parameters as they stand in CBOR."""
    return {
        **{name: getattr(market, name) for name in MARKET_BOUNDS},
        "holidays": list(market.holidays),
        "weights": {name: list(weights) for name, weights in market.weights},
        "zone": [market.zone.first_offset_s, [list(pair) for pair in market.zone.transitions]],
    }


def checked(market: Market) -> Market:
    """The same parameters; LedgerError if a ledger cannot have them."""
    return parse(market_map(market))


def decode(raw: bytes) -> Market:
    """The parameters in an encoded market map. Raises LedgerError as `parse` does."""
    with wire_errors_named("market"):
        return parse(cbor.decode(raw))


def parse(value: object) -> Market:
    """The parameters in a decoded market map: each there, within its bounds, fitting the others.

    Raises FormatError or LimitError that name what does not.
    """
    if not isinstance(value, dict) or set(value) != set(_NAMES):
        raise FormatError(f"market is not a map with the keys {', '.join(_NAMES)}")
    with wire_errors_named("market"):
        numbers = {name: _number(name, value[name]) for name in MARKET_BOUNDS}
        holidays = _holidays(value["holidays"])
        weights = _weights(value["weights"])
        zone = _zone(value["zone"])
    market = Market(**numbers, holidays=holidays, weights=weights, zone=zone)
    _check_together(market)
    return market


def _number(name: str, value: object) -> int:
    low, high = MARKET_BOUNDS[name]
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise LimitError(f"market {name} is {value!r}, expected {low} to {high}")
    return value


def _check_together(market: Market) -> None:
    interval_s = market.interval_s
    if HOUR_S % interval_s or (interval_s < 60 and 60 % interval_s):
        raise LimitError(
            f"market interval_s is {interval_s}, expected a part of an hour, below 60 of a minute"
        )
    if market.dispute_ms < market.settle_ms:
        raise LimitError(
            f"market dispute_ms is {market.dispute_ms}, expected at least settle_ms,"
            f" {market.settle_ms}: final comes after initial"
        )
    if market.fine_ms < market.settle_ms + market.dispute_ms:
        raise LimitError(
            f"market fine_ms is {market.fine_ms}, expected at least settle_ms + dispute_ms,"
            f" {market.settle_ms + market.dispute_ms}: intervals stay fine until they are final"
        )
    for names in _MEANS:
        if not any(getattr(market, name) for name in names):
            raise LimitError(f"market {', '.join(names)} are all 0, expected one above")


def _holidays(value: object) -> tuple[int, ...]:
    days = tuple(
        structure.uint(day, "holiday", _DAY_NUMBER_MAX)
        for day in structure.items(value, HOLIDAYS_MAX, "holidays")
    )
    if any(day >= later for day, later in pairwise(days)):
        raise FormatError("market holidays are not rising, each once")
    return days


def _weights(value: object) -> tuple[tuple[str, Weights], ...]:
    if not isinstance(value, dict) or set(value) != set(DEFAULT_WEIGHTS):
        raise FormatError(f"market weights are not a map with {', '.join(sorted(DEFAULT_WEIGHTS))}")
    return tuple((name, _row(name, value[name])) for name in sorted(value))


def _row(name: str, value: object) -> Weights:
    row = structure.array(value, len(Weights._fields), f"weights of {name}")
    return Weights(*(structure.uint(weight, f"weight of {name}", PERMILLE) for weight in row))


def _zone(value: object) -> ZoneRow:
    row = structure.array(value, 2, "zone")
    pairs = [
        structure.array(pair, 2, "transition")
        for pair in structure.items(row[1], TRANSITIONS_MAX, "transitions")
    ]
    transitions = tuple(
        (structure.integer(at_s, "transition time"), _offset_s(offset_s))
        for at_s, offset_s in pairs
    )
    if any(one[0] >= later[0] for one, later in pairwise(transitions)):
        raise FormatError("market zone: the times of its transitions are not rising")
    return ZoneRow(_offset_s(row[0]), transitions)


def _offset_s(value: object) -> int:
    offset_s = structure.integer(value, "offset")
    if abs(offset_s) > _OFFSET_MAX_S:
        raise LimitError(f"market zone has an offset of {offset_s} s, expected less than a day")
    return offset_s
