"""Events, declared quotas and orders in the state (SPEC section 11): their rows, read and written
here."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Protocol

from wattle_wire import cbor, cose, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts.baseline import rule_form
from wattle_gateway.contracts.baseline.rule import Rule
from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.state import State, key, keys_beginning, prefix
from wattle_gateway.ledger.account_bodies import AMOUNT_MAX
from wattle_gateway.ledger.errors import FormatError
from wattle_gateway.ledger.event_bodies import INTERVALS_MAX, Publish, parse_point, parse_publish
from wattle_gateway.ledger.offer_bodies import PRICE_MAX
from wattle_gateway.ledger.transaction import DIGEST_BYTES, RATING_W_MAX

MARKET_DIGEST_BYTES = 16
CALLED_MAX = 64  # a look-back of sixty days with an event a day
WHY_CHARS_MAX = 32


class EventState(StrEnum):
    """How far an event has come."""

    OPEN = "open"  # loads may be declared
    SELECTED = "selected"
    SETTLED = "settled"  # there is a statement, it may still change
    FINAL = "final"
    FAILED = "failed"  # nobody was selected: nothing is called, measured or paid


class QuotaStatus(StrEnum):
    """What became of a declaration."""

    DECLARED = "declared"
    SELECTED = "selected"
    RELEASED = "released"  # not selected
    WITHDRAWN = "withdrawn"  # selected, and then opted out


@dataclass(frozen=True)
class EventRow:
    """An event. `digest` of the `publish` of `publisher` (kid), committed at `published_ms`;
    `market` names the parameters that it is judged by, `interval_s` is theirs; `reserved` what is
    locked for it; `uniform_price` (per MWh) of methods bid and realtime, once selected; `version`
    of its statements, 0 before the first; `reached_w` selected; `declared` number of quotas."""

    digest: bytes
    publisher: bytes
    published_ms: int
    market: bytes
    interval_s: int
    body: Publish
    state: EventState = EventState.OPEN
    reserved: int = 0
    uniform_price: int | None = None
    version: int = 0
    reached_w: int = 0
    declared: int = 0

    @property
    def interval_ms(self) -> int:
        """Length of an interval."""
        return self.interval_s * 1000

    @property
    def begin_ms(self) -> int:
        """Where the window begins."""
        return self.body.begin_ms

    @property
    def end_ms(self) -> int:
        """Where the window ends, exclusive."""
        return self.body.begin_ms + self.body.intervals * self.interval_ms

    @property
    def rule(self) -> Rule:
        """The baseline rule."""
        return rule_form.decode(self.body.rule)

    def interval_begin_ms(self, index: int) -> int:
        """Where an interval (0 .. intervals - 1) begins."""
        return self.body.begin_ms + index * self.interval_ms


@dataclass(frozen=True)
class QuotaRow:
    """The part of the load at point `device` of `meter` (kid) in an event.

    `digest` of the declaration, or of the standing offer that answered; `origin` who sent it,
    `owner` whose the point was (kids). `quotas_w` one for each interval. `price` what is asked and
    `price_mwh`, from the selection on, what counts (both per MWh). `withdrawn_from` index of the
    first interval for which it opted out. `setpoint_w` what it is set to when called, from the
    selection on; `order` digest of the order that called it, in force from `ordered_ms` on;
    confirmed by a reading at `confirmed_ms` at `confirmed_w`. `merit`, `rank`, `distance`
    (lines to where the need is) and `why` explain the selection.
    """

    event: bytes
    meter: bytes
    device: int
    digest: bytes
    origin: bytes
    owner: bytes
    quotas_w: tuple[int, ...]
    price: int
    status: QuotaStatus = QuotaStatus.DECLARED
    price_mwh: int | None = None
    withdrawn_from: int | None = None
    order: bytes | None = None
    ordered_ms: int | None = None
    setpoint_w: int | None = None
    confirmed_ms: int | None = None
    confirmed_w: int | None = None
    merit: int | None = None
    rank: int | None = None
    distance: int | None = None
    why: str = ""

    @property
    def was_selected(self) -> bool:
        """Whether it was selected, opted out since or not."""
        return self.status in (QuotaStatus.SELECTED, QuotaStatus.WITHDRAWN)

    def quota_w(self, index: int) -> int:
        """The quota that stands in an interval: none from where it opted out. What it opted out
        of is still in `quotas_w`."""
        if self.withdrawn_from is not None and index >= self.withdrawn_from:
            return 0
        return self.quotas_w[index]


@dataclass(frozen=True)
class OrderRow:
    """An order: of event `event` (digest), in force `[from_ms, until_ms)`, to `loads` loads. Which
    they are and their setpoints stand in their quotas."""

    digest: bytes
    event: bytes
    from_ms: int
    until_ms: int
    loads: int


@dataclass(frozen=True)
class Call:
    """A point was selected in `event` (digest), whose window this is."""

    event: bytes
    begin_ms: int
    end_ms: int


class ScannedRows(Rows, Protocol):
    """State rows that can be read by table, too."""

    def rows(self, begin: bytes, /) -> list[tuple[bytes, bytes]]:
        """The (key, value) of every row whose key begins so, by rising key."""


def event(state: Rows, digest: bytes) -> EventRow | None:
    """The event of this digest, None if there is none (any more). Raises StateError."""
    value = state.get(key("event", digest))
    return None if value is None else decode_event(digest, value)


def put_event(state: State, event: EventRow) -> None:
    """Write an event."""
    assert event.reserved >= 0, event
    row = [
        event.publisher,
        event.published_ms,
        event.market,
        event.interval_s,
        event.body.row(),
        str(event.state),
        event.reserved,
        event.uniform_price,
        event.version,
        event.reached_w,
        event.declared,
    ]
    state.put(key("event", event.digest), cbor.encode(row))


def delete_event(state: State, digest: bytes) -> None:
    """An event is forgotten."""
    state.delete(key("event", digest))


def events(state: Mapping[bytes, bytes]) -> list[EventRow]:
    """All events by beginning and digest."""
    begin = prefix("event", 1)
    found = [decode_event(row[-DIGEST_BYTES:], state[row]) for row in keys_beginning(state, begin)]
    return sorted(found, key=lambda one: (one.begin_ms, one.digest))


def quota(state: Rows, event: EventRow, meter: bytes, device: int) -> QuotaRow | None:
    """The part of a point in an event, None if it has none. Raises StateError."""
    value = state.get(key("quota", event.digest, meter, device))
    return None if value is None else _decode_quota(event, meter, device, value)


def quotas(state: ScannedRows, event: EventRow) -> list[QuotaRow]:
    """The parts of all points in an event, by rising (meter, device). Raises StateError."""
    found = []
    for row, value in state.rows(quota_prefix(event.digest)):
        meter, device = _point_of(row)
        found.append(_decode_quota(event, meter, device, value))
    return sorted(found, key=lambda one: (one.meter, one.device))


def ordered(state: ScannedRows, event: EventRow, order: bytes) -> list[QuotaRow]:
    """The parts of the points that an order (digest) of this event calls, likewise."""
    return [one for one in quotas(state, event) if one.order == order]


def quota_prefix(event: bytes) -> bytes:
    """What the keys of all quotas of an event (digest) begin with."""
    return prefix("quota", 3, event)


def put_quota(state: State, quota: QuotaRow) -> None:
    """Write a part in an event. Quotas that are all alike stand there once."""
    alike = len(set(quota.quotas_w)) == 1
    row = [
        quota.digest,
        quota.origin,
        quota.owner,
        list(quota.quotas_w[:1] if alike else quota.quotas_w),
        quota.price,
        str(quota.status),
        quota.price_mwh,
        quota.withdrawn_from,
        quota.setpoint_w,
        None if quota.order is None else [quota.order, quota.ordered_ms],
        None if quota.confirmed_ms is None else [quota.confirmed_ms, quota.confirmed_w],
        None if quota.merit is None else [quota.merit, quota.rank, quota.distance],
        quota.why,
    ]
    state.put(key("quota", quota.event, quota.meter, quota.device), cbor.encode(row))


def delete_quota(state: State, event: bytes, meter: bytes, device: int) -> None:
    """A point has no part in an event (any more)."""
    state.delete(key("quota", event, meter, device))


def order(state: Rows, digest: bytes) -> OrderRow | None:
    """The order of this digest, None if there is none. Raises StateError."""
    value = state.get(key("order", digest))
    if value is None:
        return None
    try:
        row = structure.array(cbor.decode(value), 4, "order")
        return OrderRow(
            digest,
            structure.octets(row[0], DIGEST_BYTES, "event"),
            structure.uint(row[1], "from_ms"),
            structure.uint(row[2], "until_ms"),
            structure.uint(row[3], "loads"),
        )
    except WireError as error:
        raise StateError(f"order {digest.hex()}: {error}") from error


def put_order(state: State, order: OrderRow) -> None:
    """Write an order."""
    row = [order.event, order.from_ms, order.until_ms, order.loads]
    state.put(key("order", order.digest), cbor.encode(row))


def delete_order(state: State, digest: bytes) -> None:
    """An order is forgotten."""
    state.delete(key("order", digest))


def calls(state: Rows, meter: bytes, device: int) -> tuple[Call, ...]:
    """The newest events in which a point was selected, by the time of the selection."""
    value = state.get(key("called", meter, device))
    if value is None:
        return ()
    try:
        found = structure.items(cbor.decode(value), CALLED_MAX, "called")
        return tuple(_call(item) for item in found)
    except WireError as error:
        raise StateError(f"called {meter.hex()}/{device}: {error}") from error


def put_call(state: State, meter: bytes, device: int, call: Call) -> None:
    """A point was selected; of more than CALLED_MAX the oldest goes."""
    kept = (*calls(state, meter, device), call)[-CALLED_MAX:]
    row = [[one.event, one.begin_ms, one.end_ms] for one in kept]
    state.put(key("called", meter, device), cbor.encode(row))


# Each sample that confirms an order asks for its event.
@lru_cache(maxsize=256)
def decode_event(digest: bytes, value: bytes) -> EventRow:
    """The event in a row's value. Raises StateError."""
    try:
        row = structure.array(cbor.decode(value), 11, "event")
        return EventRow(
            digest,
            structure.octets(row[0], cose.KID_BYTES, "publisher"),
            structure.uint(row[1], "published_ms"),
            structure.octets(row[2], MARKET_DIGEST_BYTES, "market"),
            structure.uint(row[3], "interval_s"),
            parse_publish(row[4]),
            EventState(structure.text(row[5], WHY_CHARS_MAX, "state")),
            structure.uint(row[6], "reserved", AMOUNT_MAX),
            None if row[7] is None else structure.uint(row[7], "uniform_price", PRICE_MAX),
            structure.uint(row[8], "version"),
            structure.uint(row[9], "reached_w"),
            structure.uint(row[10], "declared"),
        )
    except (WireError, FormatError, ValueError) as error:
        raise StateError(f"event {digest.hex()}: {error}") from error


def _decode_quota(event: EventRow, meter: bytes, device: int, value: bytes) -> QuotaRow:
    try:
        row = structure.array(cbor.decode(value), 13, "quota")
        ordered = _group(row[9], 2, "order")
        confirmed = _group(row[10], 2, "confirmation")
        ranked = _group(row[11], 3, "rank")
        return QuotaRow(
            event.digest,
            meter,
            device,
            structure.octets(row[0], DIGEST_BYTES, "digest"),
            structure.octets(row[1], cose.KID_BYTES, "originator"),
            structure.octets(row[2], cose.KID_BYTES, "owner"),
            _quotas_w(row[3], event.body.intervals),
            structure.uint(row[4], "price", PRICE_MAX),
            QuotaStatus(structure.text(row[5], WHY_CHARS_MAX, "status")),
            None if row[6] is None else structure.uint(row[6], "price_mwh", PRICE_MAX),
            None if row[7] is None else structure.uint(row[7], "withdrawn_from"),
            None if ordered is None else structure.octets(ordered[0], DIGEST_BYTES, "order"),
            None if ordered is None else structure.uint(ordered[1], "ordered_ms"),
            None if row[8] is None else structure.integer(row[8], "setpoint_w"),
            None if confirmed is None else structure.uint(confirmed[0], "confirmed_ms"),
            None if confirmed is None else structure.integer(confirmed[1], "confirmed_w"),
            None if ranked is None else structure.uint(ranked[0], "merit"),
            None if ranked is None else structure.uint(ranked[1], "rank"),
            None if ranked is None else structure.uint(ranked[2], "distance"),
            _why(row[12]),
        )
    except (WireError, ValueError) as error:
        raise StateError(f"quota {event.digest.hex()} {meter.hex()}/{device}: {error}") from error


def _quotas_w(value: object, intervals: int) -> tuple[int, ...]:
    found = structure.items(value, INTERVALS_MAX, "quotas")
    quotas_w = tuple(structure.uint(item, "quota_w", RATING_W_MAX) for item in found)
    if len(quotas_w) == 1:
        return quotas_w * intervals
    structure.array(found, intervals, "quotas")
    return quotas_w


def _group(value: object, length: int, what: str) -> list[object] | None:
    return None if value is None else structure.array(value, length, what)


def _why(value: object) -> str:
    return "" if value == "" else structure.text(value, WHY_CHARS_MAX, "why")


def _call(value: object) -> Call:
    row = structure.array(value, 3, "call")
    return Call(
        structure.octets(row[0], DIGEST_BYTES, "event"),
        structure.uint(row[1], "begin_ms"),
        structure.uint(row[2], "end_ms"),
    )


def _point_of(row: bytes) -> tuple[bytes, int]:
    """The point that the key of a quota names."""
    try:
        ids = structure.array(cbor.decode(row), 4, "quota")
        return parse_point(ids[2], ids[3], "quota")
    except (WireError, FormatError) as error:
        raise StateError(f"state key {row.hex()}: {error}") from error
