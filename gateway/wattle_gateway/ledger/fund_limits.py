"""What a fund pays: the limits of its purpose, a part of the body of `fund` (SPEC section 10).

The purpose is a word that nobody can check; the limits are what `publish` holds an event against.
"""

from dataclasses import dataclass

from wattle_wire import structure

from wattle_gateway.ledger import area as areas
from wattle_gateway.ledger.account_bodies import AMOUNT_MAX
from wattle_gateway.ledger.errors import FormatError
from wattle_gateway.ledger.event_bodies import METHOD_NAMES, TIME_MS_MAX
from wattle_gateway.ledger.offer_bodies import DIRECTION_NAMES, PRICE_MAX

EITHER_WAY = 0


@dataclass(frozen=True)
class FundLimits:
    """Which events a fund pays; the default is all of them.

    `methods` rising, empty for all; `area` that an event's area lies within; `direction` DOWN, UP
    or EITHER_WAY; events that begin at `from_ms` at the earliest and end at `to_ms` at the latest;
    the highest `availability_price` (per MW and hour) and `energy_price` (per MWh), and the most
    that one event may take, in the asset's smallest unit. None: no limit.
    """

    methods: tuple[int, ...] = ()
    area: str = areas.EVERYWHERE
    direction: int = EITHER_WAY
    from_ms: int = 0
    to_ms: int | None = None
    availability_price: int | None = None
    energy_price: int | None = None
    event_amount: int | None = None

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        return [
            list(self.methods),
            self.area,
            self.direction,
            self.from_ms,
            self.to_ms,
            self.availability_price,
            self.energy_price,
            self.event_amount,
        ]


def parse(value: object) -> FundLimits:
    """The limits in decoded CBOR. Raises WireError or FormatError."""
    row = structure.array(value, 8, "limits")
    limits = FundLimits(
        _methods(row[0]),
        areas.parse_place(row[1]),
        structure.uint(row[2], "direction", max(DIRECTION_NAMES)),
        structure.uint(row[3], "from_ms", TIME_MS_MAX),
        _optional(row[4], "to_ms", TIME_MS_MAX),
        _optional(row[5], "availability_price", PRICE_MAX),
        _optional(row[6], "energy_price", PRICE_MAX),
        _optional(row[7], "event_amount", AMOUNT_MAX),
    )
    if limits.to_ms is not None and limits.to_ms <= limits.from_ms:
        raise FormatError(f"fund: for events from {limits.from_ms} to {limits.to_ms} ms, no time")
    if limits.event_amount == 0:
        raise FormatError("fund: 0 for an event, expected 1 or more")
    return limits


def _methods(value: object) -> tuple[int, ...]:
    found = structure.items(value, len(METHOD_NAMES), "methods")
    methods = tuple(structure.uint(method, "method") for method in found)
    if list(methods) != sorted(set(methods) & set(METHOD_NAMES)):
        raise FormatError(
            f"fund: methods {list(methods)}, expected some of {sorted(METHOD_NAMES)}, rising"
        )
    return methods


def _optional(value: object, what: str, highest: int) -> int | None:
    return None if value is None else structure.uint(value, what, highest)
