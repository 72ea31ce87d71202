"""Opening a database: one writer, any number of readers in other processes."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from wattle_gateway.errors import StoreError
from wattle_gateway.ledger.merkle import RightEdge
from wattle_gateway.sealing import row_seal
from wattle_gateway.store import migration, schema, sealed_file
from wattle_gateway.store.migration import Plan
from wattle_gateway.store.schema import Schema

# A reader may meet the moment in which the writer resets the log; nothing waits longer.
BUSY_DEADLINE_S = 5.0
# The log is cut back to this after a long read (an audit) has kept it from being folded in.
LOG_BYTES_KEPT = 64 << 20
CACHE_KIB = 16_384
# A writer's page, the size of the index of the log, which every opening of it may have to make.
_NO_ROOM = (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)


@contextmanager
def store_errors_named(path: Path | str) -> Iterator[None]:
    """Turn sqlite3's errors into a StoreError that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {row_seal.told(error)}{_room(error)}") from error


def _room(error: sqlite3.Error) -> str:
    """For what SQLite calls an I/O error: where a full disk keeps it from opening what is sound."""
    code = getattr(error, "sqlite_errorcode", None)
    return ", is its disk full?" if code in _NO_ROOM else ""


def create_ledger(path: Path, ledger_id: bytes, *, lost: bool = False) -> None:
    """Make the empty database of a ledger; StoreError if the file exists or cannot be written.

    It appears whole or not at all. `lost`: it takes the place of one that is gone, so that nobody
    knows any more what the gateway's keys have signed (consensus rule 32).
    """
    with _creating(path, schema.LEDGER) as connection:
        connection.execute("INSERT INTO ledger VALUES (1, ?, ?)", (ledger_id, RightEdge().encode()))
        connection.execute("INSERT INTO own VALUES (1, 0, 0, ?, NULL, NULL)", (int(lost),))


def create_operation(path: Path, ledger_id: bytes) -> None:
    """Make the empty database of a gateway's operation; StoreError as `create_ledger`."""
    with _creating(path, schema.OPERATION) as connection:
        connection.execute("INSERT INTO ledger VALUES (1, ?)", (ledger_id,))


def open_writer(
    path: Path,
    kind: Schema,
    ledger_id: bytes,
    factory: type[sqlite3.Connection] = sqlite3.Connection,
) -> sqlite3.Connection:
    """The connection of the one process that writes, durable at every COMMIT.

    A database of an older version gets the tables of this one. `factory` makes the connection: the
    simulator's fails on purpose.
    Raises StoreError if the file is missing, no such database, of another ledger or of a version
    that this program cannot migrate.
    """
    connection = _open(path, "rw", kind, ledger_id, factory)
    with store_errors_named(path):
        try:
            migration.migrate(connection, path, kind)
            sealed_file.attach(connection, path)
        except BaseException:
            connection.close()
            raise
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES_KEPT}")
    return connection


def open_reader(
    path: Path, kind: Schema, ledger_id: bytes, *, keys_beside: Path | None = None
) -> sqlite3.Connection:
    """A connection that can only read, beside a running gateway or without one.

    `keys_beside`: a file of the folder that has the keys, if it is not the database's own folder.
    Raises StoreError as `open_writer`, and for an older version, which a reader cannot migrate.
    """
    connection = _open(path, "ro", kind, ledger_id)
    try:
        with store_errors_named(path):
            migration.check_version(connection, path, kind)
            sealed_file.attach(connection, keys_beside or path)
    except BaseException:
        connection.close()
        raise
    return connection


def planned_migration(path: Path, kind: Schema, ledger_id: bytes) -> Plan:
    """What opening a database to write would migrate; changes nothing. StoreError as
    `open_writer`."""
    with (
        closing(_open(path, "ro", kind, ledger_id)) as connection,
        store_errors_named(path),
    ):
        return migration.plan(connection, path, kind)


def ledger_of(path: Path, kind: Schema) -> bytes:
    """The ledger id that a database says it belongs to; StoreError if it says none."""
    if not path.is_file():
        raise StoreError(f"{path}: no such database")
    with store_errors_named(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            row = connection.execute("SELECT ledger_id FROM ledger").fetchone()
        finally:
            connection.close()
    if row is None or not isinstance(row[0], bytes):
        raise StoreError(f"{path}: not the database of {kind.what}")
    return row[0]


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """One durable write: on disk when the block is left, or none of it.

    There is one writer, so the lock is not taken before something is written: most steps of a
    driver write nothing.
    """
    connection.execute("BEGIN")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Everything read inside the block is of one moment, whatever the writer does."""
    connection.execute("BEGIN")
    try:
        yield connection
    finally:
        connection.execute("ROLLBACK")


@contextmanager
def _creating(path: Path, kind: Schema) -> Iterator[sqlite3.Connection]:
    if path.exists():
        raise StoreError(f"{path} exists, expected no database yet")
    draft = path.with_name(f"{path.name}.new")
    try:
        # What a power cut left of a draft, or the log of a database that somebody has removed:
        # it would be read into the new one.
        for left in (draft, *_beside(draft), *_beside(path)):
            left.unlink(missing_ok=True)
        with store_errors_named(path), closing(sqlite3.connect(draft)) as connection:
            connection.isolation_level = None
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA application_id = {kind.application_id}")
            connection.execute(f"PRAGMA user_version = {kind.version}")
            connection.executescript(f"BEGIN; {kind.tables} COMMIT;")
            with transaction(connection):
                sealed_file.mark(connection, path)
                yield connection
        draft.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be made: {error.strerror}") from error


def _beside(path: Path) -> tuple[Path, Path]:
    """What SQLite keeps beside a database in WAL mode."""
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def _open(
    path: Path,
    mode: str,
    kind: Schema,
    ledger_id: bytes,
    factory: type[sqlite3.Connection] = sqlite3.Connection,
) -> sqlite3.Connection:
    if not path.is_file():
        raise StoreError(f"{path}: no such database")
    with store_errors_named(path):
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            timeout=BUSY_DEADLINE_S,
            check_same_thread=False,
            factory=sealed_file.factory_for(path, factory),
        )
        try:
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            _check(connection, path, kind, ledger_id)
        except BaseException:
            connection.close()
            raise
    return connection


def _check(connection: sqlite3.Connection, path: Path, kind: Schema, ledger_id: bytes) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application != kind.application_id:
        raise StoreError(f"{path}: not the database of {kind.what}")
    row = connection.execute("SELECT ledger_id FROM ledger").fetchone()
    if row is None or row[0] != ledger_id:
        found = "none" if row is None else row[0].hex()
        raise StoreError(f"{path}: of ledger {found}, expected {ledger_id.hex()}")
