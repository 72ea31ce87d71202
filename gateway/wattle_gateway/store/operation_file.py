"""operation.db while the gateway runs: one writer, from any thread, one write at a time."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from wattle_gateway.store import connection as database
from wattle_gateway.store import operation_rows, resealing, schema
from wattle_gateway.store.connection import store_errors_named
from wattle_gateway.store.operation_rows import Seen

Write = Callable[[sqlite3.Connection], None]
_Result = TypeVar("_Result")


class OperationFile:
    """The open database of a gateway's operation."""

    def __init__(self, path: Path, ledger_id: bytes) -> None:
        """StoreError if it is missing, no such database, or of another ledger."""
        self._path = path
        self._connection = database.open_writer(path, schema.OPERATION, ledger_id)
        self._one_at_a_time = threading.Lock()

    def counters(self) -> dict[str, int]:
        """Every counter by its name."""
        with store_errors_named(self._path):
            return operation_rows.load_counters(self._connection)

    def seen(self) -> dict[bytes, Seen]:
        """What every meter last showed, by kid."""
        with store_errors_named(self._path):
            return operation_rows.load_seen(self._connection)

    def read(self, question: Callable[[sqlite3.Connection], _Result]) -> _Result:
        """What `question` finds; StoreError if it cannot be read."""
        with self._one_at_a_time, store_errors_named(self._path):
            return question(self._connection)

    def write(self, write: Write) -> None:
        """Do `write` durably, whole or not at all; StoreError if it is not taken."""
        with (
            self._one_at_a_time,
            store_errors_named(self._path),
            database.transaction(self._connection) as connection,
        ):
            write(connection)

    def reseal(self) -> bool:
        """Reseal the next rows that are under an older data key; False if there are none.
        StoreError if it is not taken."""
        with self._one_at_a_time, store_errors_named(self._path):
            return resealing.step(self._connection, schema.OPERATION)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()
