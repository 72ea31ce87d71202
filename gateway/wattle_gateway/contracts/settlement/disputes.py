"""Lines of statements that somebody disputes: execution of `dispute`, `answer`, `decide` (D40; SPEC
sections 11 and 12)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from wattle_wire import cbor, cose, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts import classes
from wattle_gateway.contracts.errors import RefusedError, StateError
from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.events.rows import EventRow, EventState, QuotaRow
from wattle_gateway.contracts.parties import Party
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.settlement import funds, lines, parameters, results
from wattle_gateway.contracts.settlement.lines import Tariff
from wattle_gateway.contracts.settlement.results import DISPUTES_MAX
from wattle_gateway.contracts.state import State, key, keys_beginning, prefix
from wattle_gateway.ledger.account_bodies import AMOUNT_MAX
from wattle_gateway.ledger.errors import FormatError
from wattle_gateway.ledger.event_bodies import INTERVALS_MAX, parse_point
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.settlement_bodies import (
    TEXT_CHARS_MAX,
    Answer,
    Decide,
    Dispute,
)
from wattle_gateway.ledger.transaction import DIGEST_BYTES


@dataclass(frozen=True)
class Said:
    """`text` of `kid`, committed at `time_ms`."""

    kid: bytes
    text: str
    time_ms: int


@dataclass(frozen=True)
class Decision:
    """The resource gets `amount` more (less where it is below 0), by decision of `said.kid`."""

    amount: int
    said: Said


@dataclass(frozen=True)
class DisputeRow:
    """Interval `index` of point `device` of `meter` (kid) in `event` (digest) is disputed. `digest`
    of the transaction that opened it."""

    digest: bytes
    event: bytes
    meter: bytes
    device: int
    index: int
    opened: Said
    answer: Said | None = None
    decision: Decision | None = None

    def is_open(self, market: Market, time_ms: int) -> bool:
        """Whether it can still be answered and decided."""
        return self.decision is None and time_ms <= self.opened.time_ms + market.decide_ms


def dispute(state: Rows, digest: bytes) -> DisputeRow | None:
    """A dispute by the digest of its transaction, None if there is none. Raises StateError."""
    value = state.get(key("dispute", digest))
    return None if value is None else _decode(digest, value)


def of(state: Rows, digests: Iterable[bytes]) -> list[DisputeRow]:
    """The disputes with these digests, in their order. Raises StateError."""
    return [found for digest in digests if (found := dispute(state, digest)) is not None]


def everything(state: Mapping[bytes, bytes]) -> list[DisputeRow]:
    """All disputes by time and digest. Raises StateError."""
    begin = prefix("dispute", 1)
    found = [_decode(row[-DIGEST_BYTES:], state[row]) for row in keys_beginning(state, begin)]
    return sorted(found, key=lambda one: (one.opened.time_ms, one.digest))


def decided(state: Rows, digests: Iterable[bytes]) -> int:
    """What all decisions of these disputes add to a resource."""
    return sum(one.decision.amount for one in of(state, digests) if one.decision is not None)


def delete_dispute(state: State, digest: bytes) -> None:
    """A dispute is forgotten."""
    state.delete(key("dispute", digest))


def open_dispute(state: State, body: Dispute, digest: bytes, party: Party, time_ms: int) -> None:
    """Execute a `dispute`. RefusedError for the first clause that fails."""
    event = _event(state, body.event)
    if event.state is not EventState.SETTLED:
        raise RefusedError(classes.NOT_SETTLED)
    quota = rows.quota(state, event, body.meter, body.device)
    result = results.result(state, body.event, body.meter, body.device)
    if quota is None or result is None:
        raise RefusedError(classes.NOT_SELECTED)
    if body.index >= event.body.intervals:
        raise RefusedError(classes.INTERVAL_UNKNOWN)
    if party.kid not in (event.publisher, quota.origin, quota.owner):
        raise RefusedError(classes.NOT_A_SIDE)
    if time_ms > event.end_ms + parameters.market_of(state, event).dispute_ms:
        raise RefusedError(classes.DISPUTE_CLOSED)
    if len(result.disputes) >= DISPUTES_MAX:
        raise RefusedError(classes.DISPUTES_FULL)
    said = Said(party.kid, body.reason, time_ms)
    put_dispute(state, DisputeRow(digest, body.event, body.meter, body.device, body.index, said))
    results.put_result(state, replace(result, disputes=(*result.disputes, digest)))


def answer(state: State, body: Answer, party: Party, time_ms: int) -> None:
    """Execute an `answer`. RefusedError for the first clause that fails."""
    found, event, quota = _open(state, body.dispute, time_ms)
    sellers = (quota.origin, quota.owner)
    others = sellers if found.opened.kid == event.publisher else (event.publisher,)
    if party.kid not in others:
        raise RefusedError(classes.NOT_A_SIDE)
    if found.answer is not None:
        raise RefusedError(classes.ANSWERED_ALREADY)
    put_dispute(state, replace(found, answer=Said(party.kid, body.text, time_ms)))


def decide(state: State, body: Decide, party: Party, time_ms: int) -> EventRow:
    """Execute a `decide`; the event that it is about. RefusedError for the first clause that
    fails."""
    found, event, quota = _open(state, body.dispute, time_ms)
    if party.kid in (event.publisher, quota.origin, quota.owner, _filler(state, event)):
        raise RefusedError(classes.SIDE_DECIDES)
    if abs(body.amount) > _most(state, found, event, quota):
        raise RefusedError(classes.DECISION_OVER)
    decision = Decision(body.amount, Said(party.kid, body.text, time_ms))
    put_dispute(state, replace(found, decision=decision))
    return event


def _most(state: State, found: DisputeRow, event: EventRow, quota: QuotaRow) -> int:
    """Who decides about a line may turn it round and no more."""
    result = results.result(state, found.event, found.meter, found.device)
    assert result is not None, "what is disputed has a statement"
    market = parameters.market_of(state, event)
    tariff = Tariff(
        result.availability_price,
        result.energy_price,
        result.penalty_price,
        market.credit_max_permille,
        market.deadband_permille,
        event.body.direction,
        event.interval_s,
    )
    return lines.most(quota.quotas_w[found.index], tariff)


def _filler(state: State, event: EventRow) -> bytes | None:
    """Whose money pays an event (kid), if it is a fund's: what is not paid returns to it."""
    held = None if event.body.fund is None else funds.fund(state, event.body.fund)
    return None if held is None else held.filler


def _event(state: State, digest: bytes) -> EventRow:
    event = rows.event(state, digest)
    if event is None:
        raise RefusedError(classes.EVENT_UNKNOWN)
    return event


def _open(state: State, digest: bytes, time_ms: int) -> tuple[DisputeRow, EventRow, QuotaRow]:
    found = dispute(state, digest)
    if found is None:
        raise RefusedError(classes.DISPUTE_UNKNOWN)
    event = _event(state, found.event)
    quota = rows.quota(state, event, found.meter, found.device)
    assert quota is not None, "a disputed quota stays as long as its event"
    market = parameters.market_of(state, event)
    if event.state is not EventState.SETTLED or not found.is_open(market, time_ms):
        raise RefusedError(classes.DISPUTE_CLOSED)
    return found, event, quota


def put_dispute(state: State, row: DisputeRow) -> None:
    """Write a dispute."""
    decision = row.decision
    value = [
        row.event,
        row.meter,
        row.device,
        row.index,
        _said_row(row.opened),
        None if row.answer is None else _said_row(row.answer),
        None if decision is None else [decision.amount, *_said_row(decision.said)],
    ]
    state.put(key("dispute", row.digest), cbor.encode(value))


def _said_row(said: Said) -> list[object]:
    return [said.kid, said.text, said.time_ms]


def _decode(digest: bytes, value: bytes) -> DisputeRow:
    try:
        row = structure.array(cbor.decode(value), 7, "dispute")
        return DisputeRow(
            digest,
            structure.octets(row[0], DIGEST_BYTES, "event"),
            *parse_point(row[1], row[2], "dispute"),
            structure.uint(row[3], "interval", INTERVALS_MAX),
            _said(row[4]),
            None if row[5] is None else _said(row[5]),
            None if row[6] is None else _decision(row[6]),
        )
    except (WireError, FormatError) as error:
        raise StateError(f"dispute {digest.hex()}: {error}") from error


def _said(value: object) -> Said:
    row = structure.array(value, 3, "words")
    return Said(
        structure.octets(row[0], cose.KID_BYTES, "kid"),
        structure.text(row[1], TEXT_CHARS_MAX, "text"),
        structure.uint(row[2], "time_ms"),
    )


def _decision(value: object) -> Decision:
    row = structure.array(value, 4, "decision")
    amount = structure.integer(row[0], "amount")
    if abs(amount) > AMOUNT_MAX:
        raise FormatError(f"decision of {amount}")
    return Decision(amount, _said(row[1:]))
