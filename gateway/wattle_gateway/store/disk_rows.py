"""What the gateway's folder has come to, by the hour: rows of operation.db."""

import sqlite3

from wattle_gateway.resources.growth import HISTORY_MS, DiskPoint


def add(connection: sqlite3.Connection, point: DiskPoint) -> None:
    """Keep a point; those older than HISTORY_MS go. A point of the same instant is replaced."""
    connection.execute(
        "INSERT OR REPLACE INTO disk_history VALUES (?, ?, ?)",
        (point.at_ms, point.used, point.free),
    )
    connection.execute("DELETE FROM disk_history WHERE at_ms < ?", (point.at_ms - HISTORY_MS,))


def load(connection: sqlite3.Connection) -> list[DiskPoint]:
    """Every point that is kept, by rising time."""
    rows = connection.execute("SELECT at_ms, used, free FROM disk_history ORDER BY at_ms")
    return [DiskPoint(*row) for row in rows]
