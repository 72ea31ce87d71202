"""What one party owes another from earlier statements, and goes into their next one (D37)."""

from wattle_wire import cbor, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.state import State, key


def carried(state: Rows, payer: bytes, payee: bytes, asset: str) -> int:
    """What `payer` (kid of who paid an event, or digest of the fund) owes `payee` (kid); below 0
    what the payee owes. Raises StateError."""
    value = state.get(key("carried", payer, payee, asset))
    if value is None:
        return 0
    try:
        return structure.integer(cbor.decode(value), "carried")
    except WireError as error:
        raise StateError(f"carried {payer.hex()} {payee.hex()} {asset}: {error}") from error


def put_carried(state: State, payer: bytes, payee: bytes, asset: str, amount: int) -> None:
    """Write what is carried; nothing is no row."""
    row = key("carried", payer, payee, asset)
    if amount:
        state.put(row, cbor.encode(amount))
    else:
        state.delete(row)
