"""Events that are over are kept for a while, then forgotten, oldest first (SPEC section 11).

They stand in a queue of rows, so that neither the agenda nor any row grows with their number.
"""

from wattle_wire import cbor, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.events import agenda, quota_count, rows
from wattle_gateway.contracts.events.agenda import Due, Step
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.settlement import forgetting
from wattle_gateway.contracts.state import State, key
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.transaction import DIGEST_BYTES

_DAY_MS = 86_400_000
_QUEUE = key("over")


def plan(state: State, event: bytes, time_ms: int, market: Market) -> None:
    """An event (digest) is over: it is kept `keep_days` from now, and not shorter than those that
    were over before. Nothing else is planned of it any more."""
    agenda.drop(state, event)
    first, end = _ends(state)
    expires_ms = time_ms + market.keep_days * _DAY_MS
    state.put(key("over", end), cbor.encode([expires_ms, event]))
    _put_ends(state, first, end + 1)
    if first == end:
        agenda.add(state, Due(expires_ms, Step.EXPIRE, event))


def expire(state: State) -> None:
    """Forget the oldest event that is over; the next one's turn is planned."""
    first, end = _ends(state)
    assert first < end, "an expiry is planned for an event that waits"
    _, digest = _entry(state, first)
    state.delete(key("over", first))
    _put_ends(state, first + 1, end)
    _forget(state, digest)
    if first + 1 < end:
        expires_ms, following = _entry(state, first + 1)
        agenda.add(state, Due(expires_ms, Step.EXPIRE, following))


def kept(state: Rows) -> int:
    """How many events that are over are kept. Raises StateError."""
    first, end = _ends(state)
    return end - first


def forgotten(state: Rows) -> int:
    """How many events have been forgotten so far. Raises StateError."""
    return _ends(state)[0]


def _forget(state: State, digest: bytes) -> None:
    event = rows.event(state, digest)
    assert event is not None, "events are forgotten once"
    forgetting.forget(state, event)
    orders = set()
    quotas = rows.quotas(state, event)
    quota_count.change(state, -len(quotas))
    for quota in quotas:
        if quota.order is not None:
            orders.add(quota.order)
        rows.delete_quota(state, digest, quota.meter, quota.device)
    for order in sorted(orders):
        rows.delete_order(state, order)
    rows.delete_event(state, digest)


def _ends(state: Rows) -> tuple[int, int]:
    """Number of the first event in the queue, and of the next that will come."""
    value = state.get(_QUEUE)
    if value is None:
        return (0, 0)
    try:
        row = structure.array(cbor.decode(value), 2, "queue")
        return structure.uint(row[0], "first"), structure.uint(row[1], "end")
    except WireError as error:
        raise StateError(f"events that are over: {error}") from error


def _put_ends(state: State, first: int, end: int) -> None:
    state.put(_QUEUE, cbor.encode([first, end]))


def _entry(state: State, number: int) -> tuple[int, bytes]:
    value = state.get(key("over", number))
    assert value is not None, "each number of the queue has its row"
    try:
        row = structure.array(cbor.decode(value), 2, "event that is over")
        return (
            structure.uint(row[0], "expires_ms"),
            structure.octets(row[1], DIGEST_BYTES, "event"),
        )
    except WireError as error:
        raise StateError(f"event {number} that is over: {error}") from error
