"""How many declared quotas the state keeps, of all events together, those that are over among them:
they are the part of the state that buyers can make grow."""

from wattle_wire import cbor, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.state import State, key

# Ten thousand loads, called a hundred times in a look-back.
QUOTAS_MAX = 1_000_000
_ROW = key("quotas")


def kept(state: Rows) -> int:
    """How many there are. Raises StateError."""
    value = state.get(_ROW)
    if value is None:
        return 0
    try:
        return structure.uint(cbor.decode(value), "quotas")
    except WireError as error:
        raise StateError(f"quotas: {error}") from error


def room(state: Rows) -> int:
    """How many more there may be."""
    return max(0, QUOTAS_MAX - kept(state))


def change(state: State, by: int) -> None:
    """There are so many more, or less."""
    if by:
        state.put(_ROW, cbor.encode(kept(state) + by))
