"""Bodies of `offer` and `retract`: adjustable loads on the market (SPEC section 10, rules 2)."""

from dataclasses import dataclass

from wattle_wire import cose, structure
from wattle_wire.sample import DEVICE_MAX

from wattle_gateway.ledger import area as areas
from wattle_gateway.ledger.account_bodies import parse_asset
from wattle_gateway.ledger.errors import FormatError, wire_errors_named
from wattle_gateway.ledger.transaction import RATING_W_MAX

DOWN = 1
UP = 2
DIRECTION_NAMES = {DOWN: "down", UP: "up"}
PRICE_MAX = 10**12  # per MWh: times a rating it stays far inside what integers of a cost need
NODE_MAX = (1 << 32) - 1
DAY_MS = 86_400_000
RESPONSE_MS_MAX = 3_600_000
RESOLUTION_WH_MAX = 10**6


@dataclass(frozen=True)
class OfferTerms:
    """What a load can do, and for how much.

    `area` where in the grid it hangs; `node` a number that its grid company has for it (0: none),
    which no rule reads; `direction` DOWN (uses less when called) or UP; `capacity_w` by how much;
    `asset` and `price` (its smallest unit, per MWh); `response_ms` from dispatch to reached,
    `holds_ms` how long it can, `rest_ms` it needs between two calls; `period_ms` between readings
    of its meter, `resolution_wh` step of its register as shown; `called_w` the setpoint that is
    sent when it is called.
    """

    area: str
    node: int
    direction: int
    capacity_w: int
    asset: str
    price: int
    response_ms: int
    holds_ms: int
    rest_ms: int
    period_ms: int
    resolution_wh: int
    called_w: int

    def row(self) -> list[object]:
        """As they stand in CBOR."""
        return [
            self.area,
            self.node,
            self.direction,
            self.capacity_w,
            self.asset,
            self.price,
            self.response_ms,
            self.holds_ms,
            self.rest_ms,
            self.period_ms,
            self.resolution_wh,
            self.called_w,
        ]


@dataclass(frozen=True)
class OfferBody:
    """Body of kind 13: the load at point `device` of `meter` (kid) may be called on these terms."""

    meter: bytes
    device: int
    terms: OfferTerms

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        return [self.meter, self.device, self.terms.row()]


@dataclass(frozen=True)
class Retract:
    """Body of kind 14: the load at this point is not to be called any more."""

    meter: bytes
    device: int

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        return [self.meter, self.device]


def parse_offer(body: object) -> OfferBody:
    """The offer in a transaction's body; FormatError for anything else."""
    with wire_errors_named("offer"):
        row = structure.array(body, 3, "offer")
        meter, device = _point(row[0], row[1], "offer")
        return OfferBody(meter, device, parse_terms(row[2]))


def parse_retract(body: object) -> Retract:
    """The retract in a transaction's body; FormatError for anything else."""
    with wire_errors_named("retract"):
        row = structure.array(body, 2, "retract")
        return Retract(*_point(row[0], row[1], "retract"))


def parse_terms(value: object) -> OfferTerms:
    """Terms in decoded CBOR; raises FormatError or WireError."""
    row = structure.array(value, 12, "terms")
    direction = structure.uint(row[2], "direction")
    if direction not in DIRECTION_NAMES:
        raise FormatError(f"direction {direction}, expected one of {sorted(DIRECTION_NAMES)}")
    called_w = structure.integer(row[11], "called_w")
    if abs(called_w) > RATING_W_MAX:
        raise FormatError(f"called_w {called_w}, expected at most {RATING_W_MAX} either way")
    return OfferTerms(
        areas.parse(row[0]),
        structure.uint(row[1], "node", NODE_MAX),
        direction,
        _positive(row[3], "capacity_w", RATING_W_MAX),
        parse_asset(row[4]),
        structure.uint(row[5], "price", PRICE_MAX),
        structure.uint(row[6], "response_ms", RESPONSE_MS_MAX),
        _positive(row[7], "holds_ms", DAY_MS),
        structure.uint(row[8], "rest_ms", DAY_MS),
        _positive(row[9], "period_ms", DAY_MS),
        _positive(row[10], "resolution_wh", RESOLUTION_WH_MAX),
        called_w,
    )


def _point(meter: object, device: object, what: str) -> tuple[bytes, int]:
    number = structure.uint(device, "device", DEVICE_MAX)
    if number == 0:
        raise FormatError(f"{what}: device 0, expected 1 to {DEVICE_MAX}")
    return structure.octets(meter, cose.KID_BYTES, "meter"), number


def _positive(value: object, what: str, highest: int) -> int:
    number = structure.uint(value, what, highest)
    if number == 0:
        raise FormatError(f"{what} is 0, expected 1 to {highest}")
    return number
