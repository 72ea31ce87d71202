"""The durable pool: entries on disk that no block carries yet."""

import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from wattle_gateway.ledger import entry
from wattle_gateway.sealing import row_seal


@dataclass(frozen=True)
class PoolEntry:
    """An entry that waits for a block.

    `id` its place in the queue; `meter` (kid) and `seq` of samples and evidence; `digest` of the
    sample or transaction, for evidence SHA-256 of its body; `first_ms`, `last_ms` of the readings.
    """

    id: int
    kind: int
    meter: bytes | None
    seq: int | None
    digest: bytes
    first_ms: int
    last_ms: int
    body: bytes


_COLUMNS = "id, kind, meter, seq, digest, first_ms, last_ms, body"


def insert(connection: sqlite3.Connection, row: PoolEntry) -> int:
    """Put an entry at the end of the queue and give its id there; its own `id` is ignored."""
    seal = row_seal.of(connection)
    cursor = connection.execute(
        "INSERT INTO main.pool (kind, meter, seq, digest, first_ms, last_ms, body) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            row.kind,
            _alias(connection, row.meter),
            row.seq,
            row.digest,
            row.first_ms,
            row.last_ms,
            seal.close("pool", row.digest, row.body),
        ),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def delete(connection: sqlite3.Connection, ids: Iterable[int]) -> None:
    """Take entries out of the queue."""
    connection.executemany("DELETE FROM main.pool WHERE id = ?", [(row,) for row in ids])


def find(connection: sqlite3.Connection, kind: int, meter: bytes, seq: int) -> PoolEntry | None:
    """The pooled entry of a kind for a meter and seq, None if there is none."""
    row = connection.execute(
        "SELECT id FROM main.pool WHERE meter = ? AND seq = ? AND kind = ?",
        (_alias(connection, meter), seq, kind),
    ).fetchone()
    return None if row is None else _get(connection, row[0])


def has_digest(connection: sqlite3.Connection, digest: bytes) -> bool:
    """Whether a transaction or evidence of this digest waits."""
    row = connection.execute(
        "SELECT 1 FROM main.pool WHERE meter IS NULL AND digest = ? LIMIT 1", (digest,)
    ).fetchone()
    return row is not None


def transactions(connection: sqlite3.Connection) -> list[PoolEntry]:
    """The transactions that wait, oldest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM pool WHERE kind = ? ORDER BY id", (entry.TRANSACTION,)
    )
    return [PoolEntry(*row) for row in rows]


def size(connection: sqlite3.Connection) -> int:
    """How many entries wait."""
    (count,) = connection.execute("SELECT count(*) FROM pool").fetchone()
    return int(count)


def seqs(connection: sqlite3.Connection) -> list[tuple[bytes, int]]:
    """(meter, seq) of every sample that waits."""
    return connection.execute(
        "SELECT meter, seq FROM pool WHERE kind = ?", (entry.SAMPLE,)
    ).fetchall()


def next_entries(
    connection: sqlite3.Connection, limit: int, taken: Collection[int]
) -> list[PoolEntry]:
    """The next `limit` entries, without those whose ids are in `taken`.

    Transactions and evidence first; then the oldest, so that no meter waits for another's
    backlog, but a meter's samples lowest seq first whatever order they arrived in (DESIGN
    section 4: then its runs cannot lock up).
    """
    places = connection.execute(
        "SELECT id, kind, meter FROM pool ORDER BY kind = ?, id LIMIT ?",
        (entry.SAMPLE, limit + len(taken)),
    ).fetchall()
    waiting = [place for place in places if place[0] not in taken][:limit]
    lowest: dict[bytes, list[int]] = {}
    chosen = []
    for place, kind, meter in waiting:
        if kind == entry.SAMPLE:
            if meter not in lowest:
                lowest[meter] = _falling(connection, meter, taken)
            chosen.append(lowest[meter].pop())
        else:
            chosen.append(place)
    return [_get(connection, place) for place in chosen]


def _falling(connection: sqlite3.Connection, meter: bytes, taken: Collection[int]) -> list[int]:
    rows = connection.execute(
        "SELECT id FROM main.pool WHERE meter = ? AND kind = ? ORDER BY seq DESC",
        (_alias(connection, meter), entry.SAMPLE),
    )
    return [place for (place,) in rows if place not in taken]


def _alias(connection: sqlite3.Connection, meter: bytes | None) -> bytes | None:
    return None if meter is None else row_seal.of(connection).alias(meter)


def _get(connection: sqlite3.Connection, place: int) -> PoolEntry:
    row = connection.execute(f"SELECT {_COLUMNS} FROM pool WHERE id = ?", (place,)).fetchone()
    return PoolEntry(*row)
