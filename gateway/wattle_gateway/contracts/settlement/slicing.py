"""A statement of thousands of loads takes minutes: it is made in parts, one a commit, so that
nothing else of the ledger waits for it (SPEC section 12).

What is stated so far stands aside in the state until all is; then it is judged and written in one
piece. What has to be done next is due at once, so the next commit does not let it wait.
"""

from collections.abc import Callable, Sequence

from wattle_wire import cbor, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.events.rows import QuotaRow
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.settlement import results
from wattle_gateway.contracts.settlement.results import ResultRow
from wattle_gateway.contracts.state import State, key

# With a look-back of sixty days one takes some 10 ms.
LOADS_A_COMMIT = 250

Stated = list[tuple[QuotaRow, ResultRow]]


def next_part(state: State, event: bytes, wanted: Sequence[QuotaRow]) -> Sequence[QuotaRow] | None:
    """Of all that is `wanted` of an event (digest) the part that is this commit's to do; None when
    there was none left before. Each call moves on by one part."""
    done = position(state, event)
    if done >= len(wanted):
        state.delete(key("stating", event))
        return None
    part = wanted[done : done + LOADS_A_COMMIT]
    state.put(key("stating", event), cbor.encode(done + len(part)))
    return part


def stated(
    state: State,
    event: bytes,
    wanted: Sequence[QuotaRow],
    state_one: Callable[[QuotaRow], ResultRow],
) -> Stated | None:
    """The statements of all that is `wanted` of an event (digest), once they are all made; None
    while the next commit has to go on. The same `wanted` each time."""
    part = next_part(state, event, wanted)
    if part is not None:
        for quota in part:
            results.put_result(state, state_one(quota), results.ASIDE)
        if position(state, event) < len(wanted):
            return None
    state.delete(key("stating", event))
    found = []
    for quota in wanted:
        row = results.result(state, event, quota.meter, quota.device, results.ASIDE)
        assert row is not None, "each part was put aside"
        results.delete_result(state, event, quota.meter, quota.device, results.ASIDE)
        found.append((quota, row))
    return found


def drop(state: State, event: bytes, wanted: Sequence[QuotaRow]) -> None:
    """What was made of a statement is not wanted any more."""
    state.delete(key("stating", event))
    for quota in wanted:
        results.delete_result(state, event, quota.meter, quota.device, results.ASIDE)


def position(state: Rows, event: bytes) -> int:
    """How many loads of an event (digest) have been done, 0 while nothing is in progress."""
    value = state.get(key("stating", event))
    if value is None:
        return 0
    try:
        return structure.uint(cbor.decode(value), "position")
    except WireError as error:
        raise StateError(f"stating {event.hex()}: {error}") from error
