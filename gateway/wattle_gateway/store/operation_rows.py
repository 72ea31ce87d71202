"""What the gateway remembers about its own work: counters, quarantine, when meters were seen.

None of it is part of the ledger, and it stands in a database of its own, so that neither can
harm the other.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wattle_gateway.sealing import row_seal


@dataclass(frozen=True)
class Quarantined:
    """A refused message: `reason` of SPEC section 13, `topic` it came by, its bytes."""

    at_ms: int
    reason: int
    topic: str
    body: bytes


@dataclass(frozen=True)
class Seen:
    """What a meter last showed of itself; `clock` "" and `boot` 0 before its first sample.

    `health` is its newest health record (SPEC section 7), encoded, `health_before` an earlier one
    to compare it with; `health_ms` and `before_ms` when they came.
    """

    meter: bytes
    at_ms: int = 0
    clock: str = ""
    boot: int = 0
    connections: int = 0
    flaps: int = 0
    repeats: int = 0
    birth: bytes | None = None
    health_ms: int = 0
    health: bytes | None = None
    before_ms: int = 0
    health_before: bytes | None = None


def load_counters(connection: sqlite3.Connection) -> dict[str, int]:
    """Every counter by its name."""
    return dict(connection.execute("SELECT name, value FROM counters"))


def save_counters(connection: sqlite3.Connection, counters: Mapping[str, int]) -> None:
    """Set counters to these values."""
    connection.executemany(
        "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value=excluded.value",
        list(counters.items()),
    )


def add_quarantine(
    connection: sqlite3.Connection, rows: Iterable[Quarantined], entries_max: int, bytes_max: int
) -> None:
    """Keep refused messages; the oldest go until both limits hold."""
    seal = row_seal.of(connection)
    connection.executemany(
        "INSERT INTO main.quarantine (at_ms, reason, topic, body) VALUES (?, ?, ?, ?)",
        [
            (row.at_ms, row.reason, *seal.message(row.at_ms, row.reason, row.topic, row.body))
            for row in rows
        ],
    )
    # Newest first, running totals: everything behind the row that passes a limit goes.
    connection.execute(
        "DELETE FROM main.quarantine WHERE id <= ("
        "SELECT max(id) FROM (SELECT id, row_number() OVER newest AS entries, "
        "sum(length(body) + length(topic)) OVER newest AS bytes FROM main.quarantine "
        "WINDOW newest AS (ORDER BY id DESC)) WHERE entries > ? OR bytes > ?)",
        (entries_max, bytes_max),
    )


def quarantine_fill(connection: sqlite3.Connection) -> tuple[int, int]:
    """(messages, bytes) in quarantine."""
    row = connection.execute(
        "SELECT count(*), coalesce(sum(length(body) + length(topic)), 0) FROM main.quarantine"
    ).fetchone()
    return int(row[0]), int(row[1])


def load_seen(connection: sqlite3.Connection) -> dict[bytes, Seen]:
    """What every meter last showed, by kid."""
    rows = connection.execute(
        "SELECT meter, at_ms, clock, boot, connections, flaps, repeats, birth, "
        "health_ms, health, before_ms, health_before FROM seen"
    )
    return {row[0]: Seen(*row) for row in rows}


def save_seen(connection: sqlite3.Connection, rows: Iterable[Seen]) -> None:
    """Set what meters last showed."""
    seal = row_seal.of(connection)
    connection.executemany(
        "INSERT OR REPLACE INTO main.seen VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                seal.alias(row.meter),
                row.at_ms,
                row.clock,
                row.boot,
                row.connections,
                row.flaps,
                row.repeats,
                seal.record("birth", row.meter, row.birth),
                row.health_ms,
                seal.record("health", row.meter, row.health),
                row.before_ms,
                seal.record("health_before", row.meter, row.health_before),
            )
            for row in rows
        ],
    )
