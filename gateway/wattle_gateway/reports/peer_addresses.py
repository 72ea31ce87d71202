"""Where the other gateways say that they are: the peer cards in operation.db, read only."""

import sqlite3

from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import peer_card
from wattle_gateway.ledger.errors import LedgerError


def load(operation: sqlite3.Connection, ledger_id: bytes) -> dict[bytes, str]:
    """`host:port` by kid. StoreError if a card is damaged."""
    found = {}
    for (raw,) in operation.execute("SELECT raw FROM cards ORDER BY kid"):
        try:
            card = peer_card.parse(raw, ledger_id)
        except LedgerError as error:
            raise StoreError(f"operation.db has a damaged peer card: {error}") from error
        found[card.kid] = f"{card.host}:{card.port}"
    return found
