"""How much memory an open database keeps pages in."""

import sqlite3

from wattle_gateway.store.connection import CACHE_KIB, store_errors_named

# Some hundred pages: what one step of the ledger touches. More than that is only speed.
SPARE_CACHE_KIB = 1_024


def spare(connection: sqlite3.Connection) -> None:
    """Keep few pages and give back the memory of the others, until `use`. StoreError if the
    database fails."""
    with store_errors_named("a database's cache"):
        connection.execute(f"PRAGMA cache_size = -{SPARE_CACHE_KIB}")
        connection.execute("PRAGMA shrink_memory")


def use(connection: sqlite3.Connection) -> None:
    """Keep as many pages as a database has when it is opened. StoreError as `spare`."""
    with store_errors_named("a database's cache"):
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
