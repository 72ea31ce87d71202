"""The market parameters that an event is judged by: those in force when it was published (D16)."""

from functools import lru_cache

from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.events.rows import EventRow
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.state import key
from wattle_gateway.ledger import market as market_format
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.market import Market


def market_of(state: Rows, event: EventRow) -> Market:
    """The parameters of an event. Raises StateError."""
    value = state.get(key("market", event.market))
    if value is None:
        raise StateError(f"market {event.market.hex()} is not there, and an event names it")
    try:
        return _decode(value)
    except LedgerError as error:
        raise StateError(f"market {event.market.hex()}: {error}") from error


# Parameters change seldom: the open events have one or two sets of them.
@lru_cache(maxsize=4)
def _decode(value: bytes) -> Market:
    return market_format.decode(value)
