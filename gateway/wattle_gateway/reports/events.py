"""`dr events` and `dr event`: calls for adjustable loads, who answered, and why who was chosen."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from wattle_wire import topics

from wattle_gateway.contracts.accounts import Asset
from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.events.rows import EventRow, EventState, QuotaRow, QuotaStatus
from wattle_gateway.contracts.state import State
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import area as areas
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.event_bodies import METHOD_NAMES
from wattle_gateway.ledger.offer_bodies import DIRECTION_NAMES
from wattle_gateway.reports import event_settlement
from wattle_gateway.reports.accounts import Book, Holder

# Digits that a person copies; fewer might name another event tomorrow.
EVENT_DIGITS_LEAST = 4


@dataclass(frozen=True)
class EventLine:
    """An event and how far it has come at ledger time `time_ms`; `publisher` by name, `asset` None
    for one that is gone. `counts` of loads: declared, selected, called, confirmed, withdrawn."""

    row: EventRow
    publisher: Holder
    asset: Asset | None
    counts: Mapping[str, int]
    time_ms: int

    @property
    def phase(self) -> str:
        """Where it stands, in a word: its state, and within that what its time says."""
        row = self.row
        if row.state != EventState.SELECTED:
            return str(row.state)
        if self.time_ms >= row.end_ms:
            return "over"
        if self.counts["called"]:
            return "called"
        return "running, nothing called" if self.time_ms >= row.begin_ms else "selected"

    def as_json(self) -> dict[str, Any]:
        """The event as JSON; times Unix ms, prices in the smallest unit of the asset."""
        row, body = self.row, self.row.body
        return {
            "event": row.digest.hex(),
            "publisher": self.publisher.name,
            "publisher_kid": row.publisher.hex(),
            "state": str(row.state),
            "phase": self.phase,
            "method": METHOD_NAMES[body.method],
            "emergency": body.emergency,
            "area": body.area,
            "near": body.near,
            "direction": DIRECTION_NAMES[body.direction],
            "published_ms": row.published_ms,
            "select_ms": body.select_ms,
            "begin_ms": row.begin_ms,
            "end_ms": row.end_ms,
            "interval_s": row.interval_s,
            "intervals": body.intervals,
            "quantity_w": body.quantity_w,
            "reached_w": row.reached_w,
            "notice_ms": body.notice_ms,
            "within_ms": body.within_ms,
            "asset": body.asset,
            "decimals": None if self.asset is None else self.asset.decimals,
            "availability_price": body.availability_price,
            "energy_price": body.energy_price,
            "penalty_price": body.penalty_price,
            "uniform_price": row.uniform_price,
            "rule": row.rule.name,
            "fund": None if body.fund is None else body.fund.hex(),
            "market": row.market.hex(),
            "reserved": row.reserved,
            "version": row.version,
            "loads": dict(self.counts),
        }


@dataclass(frozen=True)
class PartLine:
    """What a load has to do with an event; `origin` who declared it, `owner` whose it is."""

    row: QuotaRow
    origin: Holder
    owner: Holder

    @property
    def point(self) -> str:
        """The load's point as people write it."""
        return f"{topics.meter_id(self.row.meter)}/{self.row.device}"

    @property
    def response_ms(self) -> int | None:
        """From the order to the reading that confirms it, None without both."""
        row = self.row
        if row.ordered_ms is None or row.confirmed_ms is None:
            return None
        return row.confirmed_ms - row.ordered_ms

    def as_json(self) -> dict[str, Any]:
        """The part as JSON."""
        row = self.row
        return {
            "point": self.point,
            "declaration": row.digest.hex(),
            "origin": self.origin.name,
            "origin_kid": row.origin.hex(),
            "owner": self.owner.name,
            "owner_kid": row.owner.hex(),
            "status": str(row.status),
            "why": row.why,
            "merit": row.merit,
            "rank": row.rank,
            "distance": row.distance,
            "quotas_w": list(row.quotas_w),
            "price": row.price,
            "price_mwh": row.price_mwh,
            "withdrawn_from": row.withdrawn_from,
            "order": None if row.order is None else row.order.hex(),
            "ordered_ms": row.ordered_ms,
            "setpoint_w": row.setpoint_w,
            "confirmed_ms": row.confirmed_ms,
            "confirmed_w": row.confirmed_w,
            "response_ms": self.response_ms,
        }


class Settlement(NamedTuple):
    """Fields of an event's JSON, and of its parts by point (see `event_settlement`)."""

    event: dict[str, Any]
    parts: dict[str, dict[str, Any]]


class EventBook:
    """The events of a state, read with names."""

    def __init__(self, state: Mapping[bytes, bytes], epoch: Epoch, time_ms: int) -> None:
        """`time_ms` of the ledger: of its newest commit."""
        self._state = State(state)
        self._all = rows.events(state)
        self._book = Book(state, epoch)
        self._time_ms = time_ms

    def lines(self, area: str | None, state: str | None) -> list[EventLine]:
        """The events by beginning; those that some load of one area may answer, or those in one
        state."""
        return [
            self.line(row)
            for row in self._all
            if area is None
            or areas.within(area, row.body.area)
            or areas.within(row.body.area, area)
            if state is None or row.state == state
        ]

    def find(self, word: str) -> EventRow:
        """The event whose digest begins so; UsageError unless there is exactly one."""
        found = [row for row in self._all if row.digest.hex().startswith(word.lower())]
        if len(word) < EVENT_DIGITS_LEAST or len(found) != 1:
            raise UsageError(
                f"{len(found)} events begin with {word!r}, expected the digest of one of"
                f" `wattle-gateway dr events`, or its first digits ({EVENT_DIGITS_LEAST} at least)"
            )
        return found[0]

    def line(self, row: EventRow) -> EventLine:
        """An event with what became of its loads."""
        counts: Counter[str] = Counter()
        for one in rows.quotas(self._state, row):
            counts["declared"] += 1
            counts["selected"] += one.was_selected
            counts["called"] += one.order is not None
            counts["confirmed"] += one.confirmed_ms is not None
            counts["withdrawn"] += one.status == QuotaStatus.WITHDRAWN
        names = ("declared", "selected", "called", "confirmed", "withdrawn")
        return EventLine(
            row,
            self._book.holder(row.publisher),
            self._book.asset(row.body.asset),
            {name: counts[name] for name in names},
            self._time_ms,
        )

    def parts(self, row: EventRow) -> list[PartLine]:
        """The loads of an event: the selected ones by rank, then the others by point."""
        found = rows.quotas(self._state, row)
        found.sort(key=lambda one: (not one.was_selected, one.rank is None, one.rank or 0))
        return [
            PartLine(one, self._book.holder(one.origin), self._book.holder(one.owner))
            for one in found
        ]

    def settlement(self, row: EventRow) -> Settlement:
        """What settlement says of an event and its loads, as JSON."""
        return Settlement(
            event_settlement.of_event(self._state, row),
            {
                f"{topics.meter_id(one.meter)}/{one.device}": event_settlement.of_part(
                    self._state, row, one
                )
                for one in rows.quotas(self._state, row)
            },
        )

    def part(self, row: EventRow, meter: bytes, device: int) -> QuotaRow | None:
        """What one load has to do with an event, None: nothing."""
        return rows.quota(self._state, row, meter, device)
