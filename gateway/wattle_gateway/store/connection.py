"""Opening ledger.db: one writer, any number of readers in other processes."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wattle_gateway.errors import StoreError
from wattle_gateway.ledger.merkle import RightEdge
from wattle_gateway.store import schema

# A reader may meet the moment in which the writer resets the log; nothing waits longer.
BUSY_DEADLINE_S = 5.0
# The log is cut back to this after a long read (an audit) has kept it from being folded in.
LOG_BYTES_KEPT = 64 << 20
CACHE_KIB = 16_384


@contextmanager
def store_errors_named(path: Path | str) -> Iterator[None]:
    """Turn sqlite3's errors into a StoreError that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from error


def create(path: Path, ledger_id: bytes) -> None:
    """Make an empty database for a ledger; StoreError if the file exists or cannot be written."""
    if path.exists():
        raise StoreError(f"{path} exists, expected no database yet")
    with store_errors_named(path):
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {schema.VERSION}")
            connection.executescript(f"BEGIN; {schema.TABLES} COMMIT;")
            connection.execute(
                "INSERT INTO ledger VALUES (1, ?, ?)", (ledger_id, RightEdge().encode())
            )
        finally:
            connection.close()


def open_writer(path: Path, ledger_id: bytes) -> sqlite3.Connection:
    """The connection of the one process that writes, durable at every COMMIT.

    Raises StoreError if the file is missing, no such database, or of another ledger.
    """
    connection = _open(path, "rw", ledger_id)
    with store_errors_named(path):
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES_KEPT}")
    return connection


def open_reader(path: Path, ledger_id: bytes) -> sqlite3.Connection:
    """A connection that can only read, beside a running gateway or without one.

    Raises StoreError as `open_writer`.
    """
    return _open(path, "ro", ledger_id)


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Everything read inside the block is of one moment, whatever the writer does."""
    connection.execute("BEGIN")
    try:
        yield connection
    finally:
        connection.execute("ROLLBACK")


def _open(path: Path, mode: str, ledger_id: bytes) -> sqlite3.Connection:
    if not path.is_file():
        raise StoreError(f"{path}: no such database")
    with store_errors_named(path):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=BUSY_DEADLINE_S,
            check_same_thread=False,
        )
        try:
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            _check(connection, path, ledger_id)
        except BaseException:
            connection.close()
            raise
    return connection


def _check(connection: sqlite3.Connection, path: Path, ledger_id: bytes) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != schema.APPLICATION_ID:
        raise StoreError(f"{path}: not a ledger's database")
    if version != schema.VERSION:
        raise StoreError(f"{path}: schema version {version}, expected {schema.VERSION}")
    row = connection.execute("SELECT ledger_id FROM ledger").fetchone()
    if row is None or row[0] != ledger_id:
        found = "none" if row is None else row[0].hex()
        raise StoreError(f"{path}: of ledger {found}, expected {ledger_id.hex()}")
