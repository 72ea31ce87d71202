"""The orders that stand on the ledger, and those of emergencies that a block carries there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from wattle_wire import cbor, structure

from wattle_gateway.contracts import classes, parties, registry, transactions
from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.events.rows import EventRow, EventState, QuotaRow
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import Change, State, keys_beginning, prefix
from wattle_gateway.ledger import entry, event_bodies, transaction
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.transaction import DIGEST_BYTES, Transaction
from wattle_gateway.orders.book import PointOrder

_QUOTAS = prefix("quota", 3)


def standing(state: Mapping[bytes, bytes], time_ms: int) -> list[PointOrder]:
    """All orders that are not over at a time. Raises StateError."""
    open_events = {one.digest for one in rows.events(state) if one.end_ms > time_ms}
    if not open_events:
        return []
    found = _of_rows(keys_beginning(state, _QUOTAS), state)
    return [order for order in found if order.event in open_events]


def changed(changes: Sequence[Change], state: Rows) -> list[PointOrder]:
    """The orders among the changes of a commit, as they stand in the state after it."""
    return _of_rows((row for row, value in changes if value and row.startswith(_QUOTAS)), state)


def early(
    state: Mapping[bytes, bytes], entries: Iterable[bytes], setting: Setting
) -> list[PointOrder]:
    """The orders of emergencies that a block carries (D21): those that would be accepted if they
    were executed next, at the time of `setting`."""
    found: list[PointOrder] = []
    for raw in entries:
        if not entry.is_urgent(raw):
            continue
        try:
            decoded = entry.decode(raw)
            if decoded.kind == entry.TRANSACTION:
                tx = transaction.parse(decoded.body, setting.epoch.ledger_id)
                found += _accepted_orders(state, tx, setting)
        except LedgerError:
            continue  # execution says what is wrong with it
    return found


def _accepted_orders(
    state: Mapping[bytes, bytes], tx: Transaction, setting: Setting
) -> list[PointOrder]:
    """What a dispatch would do as the next transaction, tried on a view that is thrown away: so
    no rule of the ledger is told twice. Raises LedgerError."""
    if tx.kind != transaction.DISPATCH or not _is_emergency(state, tx):
        return []
    party = parties.party(state, setting.epoch, tx.kid)
    if party is None or tx.nonce != registry.next_nonce(state, tx.kid, tx.lane):
        return []
    setting.verify(party.key, tx.digest, tx.signature)
    view = State(state)
    effect = transactions.execute_transaction(view, tx, party, setting)
    if effect.verdict != classes.ACCEPTED:
        return []
    ordered = changed(view.changes(), view)
    return [replace(one, committed=False) for one in ordered if one.digest == tx.digest]


def _is_emergency(state: Rows, tx: Transaction) -> bool:
    """Whether it names loads of an event of which orders count at once."""
    body = event_bodies.parse_dispatch(tx.body)
    event = rows.event(state, body.event)
    if event is None or body.loads is None:
        return False
    return event.body.emergency and event.state == EventState.SELECTED


def _of_rows(keys: Iterable[bytes], state: Rows) -> list[PointOrder]:
    events: dict[bytes, EventRow | None] = {}
    found = []
    for row in keys:
        ids = structure.array(cbor.decode(row), 4, "quota")
        digest = structure.octets(ids[1], DIGEST_BYTES, "event")
        meter, device = event_bodies.parse_point(ids[2], ids[3], "quota")
        if digest not in events:
            events[digest] = rows.event(state, digest)
        event = events[digest]
        quota = None if event is None else rows.quota(state, event, meter, device)
        if event is not None and quota is not None and quota.order is not None:
            found.append(_point_order(event, quota))
    return found


def _point_order(event: EventRow, quota: QuotaRow) -> PointOrder:
    assert quota.order is not None
    assert quota.ordered_ms is not None
    assert quota.setpoint_w is not None
    until_ms = event.end_ms
    if quota.withdrawn_from is not None:
        until_ms = min(until_ms, event.interval_begin_ms(quota.withdrawn_from))
    return PointOrder(
        event.digest,
        quota.order,
        quota.meter,
        quota.device,
        quota.setpoint_w,
        quota.ordered_ms,
        until_ms,
        confirmed=quota.confirmed_ms is not None,
    )
