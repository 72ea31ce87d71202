"""A plain database written anew as a sealed one, for a folder that is sealed later.

Row by row into a new file: what SQLite updates in place it leaves behind in free pages and in its
log. The old file is overwritten before it goes; what a flash disk keeps of it all the same,
nobody can say from here (`gateway/THREATS.md`).
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from wattle_gateway.errors import StoreError
from wattle_gateway.home import durable_file
from wattle_gateway.sealing.ring import Ring
from wattle_gateway.sealing.row_seal import RowSeal
from wattle_gateway.store import connection as database
from wattle_gateway.store import resealing, sealed_file
from wattle_gateway.store.connection import store_errors_named
from wattle_gateway.store.resealing import SealedTable
from wattle_gateway.store.schema import Schema
from wattle_gateway.store.sealed_file import Mark

_ALIASED = ("samples", "totals", "classes", "pool", "seen")
_PAIRS = ("state", "base_state")
_CHUNK_BYTES = 1 << 20
_ROWS_AT_ONCE = 1_000


def seal_database(path: Path, kind: Schema, ledger_id: bytes, ring: Ring) -> bool:
    """Put a sealed copy in the place of a stopped gateway's plain database; False if it is sealed
    already.

    Whole or not at all; a run that the power cut is done again. Raises StoreError.
    """
    draft = path.with_name(f"{path.name}.sealing")
    with store_errors_named(path):
        # As a writer: it has today's tables then, and nothing in its log.
        with closing(database.open_writer(path, kind, ledger_id)) as plain:
            if sealed_file.load(plain) is not None:
                wipe(_aside(path))
                return False
            plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        try:
            draft.unlink(missing_ok=True)
            _write(path, draft, kind, ring)
            replace_wiped(path, draft)
        except OSError as error:
            raise StoreError(f"{path}: cannot be sealed: {error.strerror}") from error
    return True


def replace_wiped(path: Path, draft: Path) -> None:
    """Put `draft` in the place of `path`, whose bytes are overwritten. Raises OSError."""
    aside = _aside(path)
    aside.unlink(missing_ok=True)
    os.link(path, aside)
    draft.replace(path)
    durable_file.sync_folder(path.parent)
    wipe(aside)


def wipe(path: Path) -> None:
    """Overwrite a file with zeros and remove it; nothing if there is none. Raises OSError."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        left = os.fstat(file.fileno()).st_size
        while left > 0:
            left -= file.write(bytes(min(left, _CHUNK_BYTES)))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    durable_file.sync_folder(path.parent)


def _aside(path: Path) -> Path:
    return path.with_name(f"{path.name}.plain")


def _write(path: Path, draft: Path, kind: Schema, ring: Ring) -> None:
    with closing(sqlite3.connect(draft, isolation_level=None)) as target:
        # Nobody relies on the new file before it is whole; it is synced at the end.
        target.execute("PRAGMA synchronous = OFF")
        target.execute("PRAGMA journal_mode = OFF")
        target.execute(f"PRAGMA application_id = {kind.application_id}")
        target.execute(f"PRAGMA user_version = {kind.version}")
        target.executescript(kind.tables)
        target.execute("ATTACH ? AS plain", (f"{path}",))
        target.execute("BEGIN")
        sealed = {table.name: table for table in resealing.TABLES[kind.application_id]}
        query = "SELECT name FROM plain.sqlite_master WHERE type = 'table' ORDER BY name"
        for (name,) in target.execute(query).fetchall():
            if name == "sqlite_sequence":
                target.execute("DELETE FROM main.sqlite_sequence")
                target.execute(
                    "INSERT INTO main.sqlite_sequence SELECT * FROM plain.sqlite_sequence"
                )
            elif name in sealed or name in _ALIASED:
                _copy(target, name, sealed.get(name), ring.seal)
            else:
                target.execute(f"INSERT INTO main.{name} SELECT * FROM plain.{name}")
        sealed_file.save(target, Mark(ring.keyring.id, ring.active, 0, "", None))
        target.execute("COMMIT")
        target.execute("DETACH plain")
        target.execute("PRAGMA journal_mode = WAL")
    with draft.open("r+b") as file:
        os.fsync(file.fileno())


def _copy(target: sqlite3.Connection, name: str, table: SealedTable | None, seal: RowSeal) -> None:
    names = [row[1] for row in target.execute(f"PRAGMA main.table_info({name})")]
    marks = ", ".join("?" * len(names))
    rows = target.execute(f"SELECT {', '.join(names)} FROM plain.{name}")
    while batch := rows.fetchmany(_ROWS_AT_ONCE):
        target.executemany(
            f"INSERT INTO main.{name} VALUES ({marks})",
            [
                tuple(_sealed(name, dict(zip(names, row, strict=True)), table, seal))
                for row in batch
            ],
        )


def _sealed(
    name: str, row: dict[str, object], table: SealedTable | None, seal: RowSeal
) -> list[object]:
    """The values of a row as they stand in a sealed file."""
    if name in _PAIRS:
        return list(seal.pair(name, _bytes(row["key"]), _bytes(row["value"])))
    if name == "quarantine":
        at_ms, reason = row["at_ms"], row["reason"]
        assert isinstance(at_ms, int)
        assert isinstance(reason, int)
        body = _bytes(row["body"])
        row["topic"], row["body"] = seal.message(at_ms, reason, str(row["topic"]), body)
        return list(row.values())
    if name in _ALIASED and row["meter"] is not None:
        row["meter"] = seal.alias(_bytes(row["meter"]))
    if table is not None:
        named = resealing.row_name([row[column] for column in table.named_by])  # type: ignore[misc]
        for column, bound in table.columns:
            if row[column] is not None:
                row[column] = seal.close(bound, named, _bytes(row[column]))
    return list(row.values())


def _bytes(value: object) -> bytes:
    assert isinstance(value, bytes)
    return value
