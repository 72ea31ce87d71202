"""A database copied while its writer goes on."""

import sqlite3
from contextlib import closing
from pathlib import Path

from wattle_gateway.errors import StoreError
from wattle_gateway.store import connection as database
from wattle_gateway.store.connection import store_errors_named
from wattle_gateway.store.schema import Schema


def copy(source: Path, kind: Schema, ledger_id: bytes, target: Path) -> None:
    """Write the database at `source`, as it is at one moment, into the new file `target`.

    By SQLite's online backup (https://sqlite.org/backup.html) in a single step: that is one read
    transaction, which in WAL mode keeps no writer waiting. In several steps the copy would begin
    anew at every write. What was read is checked page by page before it counts.

    Raises StoreError if the source is missing, damaged or of another ledger, or cannot be copied.
    """
    if target.exists():
        raise StoreError(f"{target} exists, expected no file yet")
    with (
        closing(database.open_reader(source, kind, ledger_id)) as reader,
        store_errors_named(source),
        closing(sqlite3.connect(target)) as copied,
    ):
        reader.backup(copied)
        (found,) = copied.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise StoreError(f"{source}: damaged ({found}); `wattle-gateway repair` mends it")
