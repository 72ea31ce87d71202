"""Rows of an older data key sealed anew under the newest, a few at a time.

New rows are under the newest key from the moment it exists, so one walk over each table in the
order of its key finds all that is left. How far it has come stands in the file, in the very
transaction that has resealed the rows: kill -9 costs nothing. When the walk ends no row is under
an older key, and the keyring may forget that.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from wattle_gateway.sealing import row_seal
from wattle_gateway.sealing.row_seal import RowSeal
from wattle_gateway.store import connection as database
from wattle_gateway.store import schema, sealed_file
from wattle_gateway.store.schema import Schema
from wattle_gateway.store.sealed_file import Mark

# Some milliseconds of the writer's thread: a round of the alliance waits no longer for it.
ROWS_A_STEP = 200


@dataclass(frozen=True)
class SealedTable:
    """A table with sealed columns. `key`: what it is walked by; `named_by`: the columns that name
    a row in the associated data; `columns` with the name of the table there."""

    name: str
    key: str
    named_by: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]


_LEDGER = (
    SealedTable("entries", "id", ("id",), (("body", "entries"),)),
    SealedTable("state", "key", ("key",), (("value", "state"),)),
    SealedTable("base_state", "key", ("key",), (("value", "base_state"),)),
    SealedTable("base_parts", "place", ("place",), (("body", "base_parts"),)),
    SealedTable("pool", "id", ("digest",), (("body", "pool"),)),
)
_OPERATION = (
    SealedTable("quarantine", "id", ("at_ms", "reason"), (("body", "quarantine"),)),
    SealedTable(
        "seen",
        "meter",
        ("meter",),
        (
            ("birth", "seen.birth"),
            ("health", "seen.health"),
            ("health_before", "seen.health_before"),
        ),
    ),
)
TABLES: dict[int, tuple[SealedTable, ...]] = {
    schema.LEDGER.application_id: _LEDGER,
    schema.OPERATION.application_id: _OPERATION,
}


def step(connection: sqlite3.Connection, kind: Schema, rows: int = ROWS_A_STEP) -> bool:
    """Reseal the next rows of a sealed file in one transaction; False if none is left to be.

    `connection` is the writer's, without an open transaction. Raises StoreError for a row that
    does not open, sqlite3.Error.
    """
    mark = sealed_file.load(connection)
    seal = row_seal.of(connection)
    if mark is None or not isinstance(seal, RowSeal) or mark.oldest >= seal.active:
        return False
    target = seal.active
    with database.transaction(connection):
        if mark.target != target:
            mark = Mark(
                mark.keyring, mark.oldest, target, TABLES[kind.application_id][0].name, None
            )
        sealed_file.save(connection, _walk(connection, seal, mark, kind, rows))
    return True


def _walk(
    connection: sqlite3.Connection, seal: RowSeal, mark: Mark, kind: Schema, rows: int
) -> Mark:
    """Reseal up to `rows` rows from where the mark says; gives where it stands then."""
    tables = TABLES[kind.application_id]
    at = next(place for place, table in enumerate(tables) if table.name == mark.in_table)
    found = _next_rows(connection, tables[at], mark.after, rows)
    for row in found:
        _reseal(connection, seal, tables[at], row, mark.target)
    if len(found) == rows:
        return Mark(mark.keyring, mark.oldest, mark.target, mark.in_table, found[-1][0])
    if at + 1 < len(tables):
        return Mark(mark.keyring, mark.oldest, mark.target, tables[at + 1].name, None)
    return Mark(mark.keyring, mark.target, 0, "", None)


def _next_rows(
    connection: sqlite3.Connection, table: SealedTable, after: int | bytes | None, rows: int
) -> Sequence[tuple[int | bytes, ...]]:
    columns = ", ".join((table.key, *table.named_by, *(name for name, _ in table.columns)))
    where = "" if after is None else f"WHERE {table.key} > ? "
    return connection.execute(
        f"SELECT {columns} FROM main.{table.name} {where}ORDER BY {table.key} LIMIT ?",
        (rows,) if after is None else (after, rows),
    ).fetchall()


def _reseal(
    connection: sqlite3.Connection,
    seal: RowSeal,
    table: SealedTable,
    row: Sequence[int | bytes | None],
    target: int,
) -> None:
    name = row_name(row[1 : 1 + len(table.named_by)])
    sealed = row[1 + len(table.named_by) :]
    changed = {}
    for (column, bound), value in zip(table.columns, sealed, strict=True):
        if isinstance(value, bytes) and row_seal.number_of(value) < target:
            changed[column] = seal.close(bound, name, seal.open(bound, name, value))
    if changed:
        settings = ", ".join(f"{column} = ?" for column in changed)
        connection.execute(
            f"UPDATE main.{table.name} SET {settings} WHERE {table.key} = ?",
            (*changed.values(), row[0]),
        )


def row_name(values: Sequence[int | bytes | None]) -> bytes:
    """What names a row in associated data, from the columns that do."""
    return b" ".join(row_seal.row_name(value) for value in values)
