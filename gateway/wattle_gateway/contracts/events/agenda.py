"""What the ledger will do by itself, and when: one row of the state (SPEC section 11; D23).

The commands of parties only publish, declare, dispatch and dispute. Everything else of an event
stands here until a commit's time reaches it.
"""

from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from wattle_wire import cbor, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.state import State, key
from wattle_gateway.ledger.transaction import DIGEST_BYTES

# An entry has at most 45 bytes: the row stays below what one CBOR value may have.
ENTRIES_MAX = 1200
# What parties may plan; the rest is for what follows from events that are there.
PLANNED_MAX = 800
_ROW = key("agenda")


class Step(IntEnum):
    """What is done, in the order in which the steps of one commit are."""

    RELEASE = 1  # a fund is over
    EXPIRE = 2  # the oldest event that is over is forgotten
    SELECT = 3
    SETTLE = 4  # verify, score and settle, in this order
    FINALISE = 5


class Due(NamedTuple):
    """At `time_ms` do `step` for what `digest` (of an event, a fund ...) names."""

    time_ms: int
    step: Step
    digest: bytes


def entries(state: Rows) -> tuple[Due, ...]:
    """Everything that is planned, rising. Raises StateError."""
    value = state.get(_ROW)
    return () if value is None else _decode(value)


def next_ms(state: Rows) -> int | None:
    """The earliest time at which something is to be done, None if nothing is."""
    planned = entries(state)
    return planned[0].time_ms if planned else None


def has_room(state: Rows, count: int) -> bool:
    """Whether a party may plan this many more."""
    return len(entries(state)) + count <= PLANNED_MAX


def add(state: State, *planned: Due) -> bool:
    """Plan something; what is planned already stays once. False, and nothing is planned, if the
    agenda is full."""
    found = sorted({*entries(state), *planned})
    if len(found) > ENTRIES_MAX:
        return False
    _put(state, found)
    return True


def drop(state: State, digest: bytes) -> None:
    """Nothing of this is done any more."""
    _put(state, [due for due in entries(state) if due.digest != digest])


def take(state: State, time_ms: int) -> list[Due]:
    """What a commit at this time has to do, taken off the agenda, in the order of D23. What is
    planned for several times that it has reached is done once."""
    planned = entries(state)
    reached = [due for due in planned if due.time_ms <= time_ms]
    if reached:
        _put(state, list(planned[len(reached) :]))
    once = {(due.step, due.digest): due for due in reversed(reached)}
    return sorted(once.values(), key=lambda due: (due.step, due.time_ms, due.digest))


def _put(state: State, planned: list[Due]) -> None:
    if not planned:
        state.delete(_ROW)
        return
    row = [[due.time_ms, int(due.step), due.digest] for due in planned]
    state.put(_ROW, cbor.encode(row))


# Each commit asks for the first entry of a row that seldom changes.
@lru_cache(maxsize=8)
def _decode(value: bytes) -> tuple[Due, ...]:
    try:
        rows = structure.items(cbor.decode(value), ENTRIES_MAX, "agenda")
        return tuple(_due(row) for row in rows)
    except (WireError, ValueError) as error:
        raise StateError(f"agenda: {error}") from error


def _due(value: object) -> Due:
    row = structure.array(value, 3, "agenda entry")
    return Due(
        structure.uint(row[0], "time_ms"),
        Step(structure.uint(row[1], "step")),
        structure.octets(row[2], DIGEST_BYTES, "digest"),
    )
