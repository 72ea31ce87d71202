"""Bodies of `publish`, `declare`, `withdraw`, `dispatch`: demand response (SPEC section 10,
rules 3)."""

from dataclasses import dataclass

from wattle_wire import cbor, cose, structure
from wattle_wire.sample import DEVICE_MAX

from wattle_gateway.ledger import area as areas
from wattle_gateway.ledger.account_bodies import parse_asset
from wattle_gateway.ledger.errors import FormatError, LimitError, wire_errors_named
from wattle_gateway.ledger.offer_bodies import (
    DAY_MS,
    DIRECTION_NAMES,
    PRICE_MAX,
    RESPONSE_MS_MAX,
)
from wattle_gateway.ledger.transaction import DIGEST_BYTES, RATING_W_MAX

COST = 1
FIXED = 2
CONTRACT = 3
BID = 4
REALTIME = 5
METHOD_NAMES = {
    COST: "cost",
    FIXED: "fixed",
    CONTRACT: "contract",
    BID: "bid",
    REALTIME: "realtime",
}
# What a load asks counts only here; elsewhere the event or a contract says the price.
PRICED_METHODS = (COST, BID)

# As many as the ledger's parameter may ever allow: ten days of a quarter of an hour each.
INTERVALS_MAX = 1000
# A transaction and the order that it makes stay well inside an entry of 60,000 bytes.
NAMED_LOADS_MAX = 1000
TIME_MS_MAX = (1 << 53) - 1
RULE_BYTES_MAX = 256  # the longest rule there is has some 150


@dataclass(frozen=True)
class Publish:
    """Body of kind 15: a call for adjustable loads.

    `method` one of METHOD_NAMES; `emergency` whether gateways act on its orders before they are
    committed; `area` whose loads may answer and `near` where the need is, each empty for
    everywhere; `direction` DOWN or UP; the window begins at `begin_ms` and has `intervals` of the
    ledger's length; `quantity_w` asked in each; `notice_ms` between the selection at `select_ms`
    (0: at once, of method REALTIME) and the beginning; `within_ms` from order to reached. Prices in
    the smallest unit of `asset`: `availability_price` per MW and hour, `energy_price` and
    `penalty_price` per MWh; of every method but FIXED the most that is paid. `rule` the baseline
    rule, an encoded array (`contracts.baseline.rule_form`); `fund` digest of the fund that pays,
    or None.
    """

    method: int
    emergency: bool
    area: str
    near: str
    direction: int
    begin_ms: int
    intervals: int
    quantity_w: int
    notice_ms: int
    select_ms: int
    within_ms: int
    availability_price: int
    energy_price: int
    penalty_price: int
    rule: bytes
    asset: str
    fund: bytes | None = None

    @property
    def place(self) -> str:
        """Where the need is, from which distances count; empty: everywhere."""
        return self.near or self.area

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        return [
            self.method,
            int(self.emergency),
            self.area,
            self.near,
            self.direction,
            self.begin_ms,
            self.intervals,
            self.quantity_w,
            self.notice_ms,
            self.select_ms,
            self.within_ms,
            self.availability_price,
            self.energy_price,
            self.penalty_price,
            cbor.decode(self.rule),
            self.asset,
            self.fund,
        ]


@dataclass(frozen=True)
class Declare:
    """Body of kind 16: the load at point `device` of `meter` (kid) adjusts by `quotas_w` (W, one
    for each interval) in the event, for `price` (per MWh; 0 where the method asks none)."""

    event: bytes
    meter: bytes
    device: int
    price: int
    quotas_w: tuple[int, ...]

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        return [self.event, self.meter, self.device, self.price, list(self.quotas_w)]


@dataclass(frozen=True)
class Withdraw:
    """Body of kind 17: this load takes no part in the event, or no further part."""

    event: bytes
    meter: bytes
    device: int

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        return [self.event, self.meter, self.device]


@dataclass(frozen=True)
class Setpoint:
    """What the load at a point is to be set to (W)."""

    meter: bytes
    device: int
    setpoint_w: int


@dataclass(frozen=True)
class Dispatch:
    """Body of kind 18: an order to loads selected for the event, from `from_ms` on (0: at once).
    `loads` by rising point; None: all that are selected, each to the setpoint of its offer."""

    event: bytes
    from_ms: int
    loads: tuple[Setpoint, ...] | None

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        if self.loads is None:
            return [self.event, self.from_ms, None]
        named = [[load.meter, load.device, load.setpoint_w] for load in self.loads]
        return [self.event, self.from_ms, named]


def parse_publish(body: object) -> Publish:
    """The event in a transaction's body; FormatError for anything else. That `rule` is a rule is
    for `contracts` to say."""
    with wire_errors_named("publish"):
        row = structure.array(body, 17, "publish")
        method = _one_of(row[0], METHOD_NAMES, "method")
        select_ms = structure.uint(row[9], "select_ms", TIME_MS_MAX)
        if (select_ms == 0) != (method == REALTIME):
            raise FormatError(
                f"publish: select_ms {select_ms} of method {METHOD_NAMES[method]}, expected 0 of "
                "realtime and of no other"
            )
        fund = None if row[16] is None else structure.octets(row[16], DIGEST_BYTES, "fund")
        return Publish(
            method,
            structure.uint(row[1], "emergency", 1) == 1,
            *_places(row[2], row[3]),
            _one_of(row[4], DIRECTION_NAMES, "direction"),
            structure.uint(row[5], "begin_ms", TIME_MS_MAX),
            _positive(row[6], "intervals", INTERVALS_MAX),
            _positive(row[7], "quantity_w", RATING_W_MAX),
            structure.uint(row[8], "notice_ms", DAY_MS),
            select_ms,
            structure.uint(row[10], "within_ms", RESPONSE_MS_MAX),
            structure.uint(row[11], "availability_price", PRICE_MAX),
            structure.uint(row[12], "energy_price", PRICE_MAX),
            structure.uint(row[13], "penalty_price", PRICE_MAX),
            _rule(row[14]),
            parse_asset(row[15]),
            fund,
        )


def parse_declare(body: object) -> Declare:
    """The declaration in a transaction's body; FormatError for anything else."""
    with wire_errors_named("declare"):
        row = structure.array(body, 5, "declare")
        quotas_w = tuple(
            structure.uint(quota_w, "quota_w", RATING_W_MAX)
            for quota_w in structure.items(row[4], INTERVALS_MAX, "quotas")
        )
        if not any(quotas_w):
            raise FormatError("declare: no quota above 0, expected at least one")
        return Declare(
            structure.octets(row[0], DIGEST_BYTES, "event"),
            *parse_point(row[1], row[2], "declare"),
            structure.uint(row[3], "price", PRICE_MAX),
            quotas_w,
        )


def parse_withdraw(body: object) -> Withdraw:
    """The withdrawal in a transaction's body; FormatError for anything else."""
    with wire_errors_named("withdraw"):
        row = structure.array(body, 3, "withdraw")
        event = structure.octets(row[0], DIGEST_BYTES, "event")
        return Withdraw(event, *parse_point(row[1], row[2], "withdraw"))


def parse_dispatch(body: object) -> Dispatch:
    """The order in a transaction's body; FormatError for anything else."""
    with wire_errors_named("dispatch"):
        row = structure.array(body, 3, "dispatch")
        event = structure.octets(row[0], DIGEST_BYTES, "event")
        from_ms = structure.uint(row[1], "from_ms", TIME_MS_MAX)
        if row[2] is None:
            return Dispatch(event, from_ms, None)
        loads = tuple(_setpoint(item) for item in structure.items(row[2], NAMED_LOADS_MAX, "loads"))
    points = [(load.meter, load.device) for load in loads]
    if not points or points != sorted(set(points)):
        raise FormatError("dispatch: loads are not at least one, each once, by rising point")
    return Dispatch(event, from_ms, loads)


def parse_point(meter: object, device: object, what: str) -> tuple[bytes, int]:
    """A point: kid of a meter and device number 1 to 32; WireError or FormatError otherwise."""
    number = structure.uint(device, "device", DEVICE_MAX)
    if number == 0:
        raise FormatError(f"{what}: device 0, expected 1 to {DEVICE_MAX}")
    return structure.octets(meter, cose.KID_BYTES, "meter"), number


def _setpoint(value: object) -> Setpoint:
    row = structure.array(value, 3, "load")
    setpoint_w = structure.integer(row[2], "setpoint_w")
    if abs(setpoint_w) > RATING_W_MAX:
        raise FormatError(f"setpoint_w {setpoint_w}, expected at most {RATING_W_MAX} either way")
    return Setpoint(*parse_point(row[0], row[1], "load"), setpoint_w)


def _places(first: object, second: object) -> tuple[str, str]:
    area, near = areas.parse_place(first), areas.parse_place(second)
    if area and near and areas.distance(area, near) is None:
        raise FormatError(f"publish: no line joins area {area} and {near}, near which it is needed")
    return area, near


def _rule(value: object) -> bytes:
    if not isinstance(value, list):
        raise FormatError("rule is not an array")
    raw = cbor.encode(value)
    if len(raw) > RULE_BYTES_MAX:
        raise LimitError(f"rule of {len(raw)} bytes, expected at most {RULE_BYTES_MAX}")
    return raw


def _one_of(value: object, names: dict[int, str], what: str) -> int:
    number = structure.uint(value, what)
    if number not in names:
        raise FormatError(f"{what} {number}, expected one of {sorted(names)}")
    return number


def _positive(value: object, what: str, highest: int) -> int:
    number = structure.uint(value, what, highest)
    if number == 0:
        raise FormatError(f"{what} is 0, expected 1 to {highest}")
    return number
