"""Checkpoints that q members signed, as the notes that strangers are given."""

import sqlite3


def insert(connection: sqlite3.Connection, commit_index: int, note: bytes) -> None:
    """Keep the note of a commit; one that is kept already stays."""
    connection.execute("INSERT OR IGNORE INTO checkpoints VALUES (?, ?)", (commit_index, note))


def newest(connection: sqlite3.Connection) -> tuple[int, bytes] | None:
    """(commit index, note) of the newest checkpoint, None before the first."""
    row = connection.execute(
        "SELECT commit_index, note FROM checkpoints ORDER BY commit_index DESC LIMIT 1"
    ).fetchone()
    return None if row is None else (int(row[0]), bytes(row[1]))


def first_from(connection: sqlite3.Connection, commit_index: int) -> tuple[int, bytes] | None:
    """(commit index, note) of the first checkpoint at or after a commit, None if there is none."""
    row = connection.execute(
        "SELECT commit_index, note FROM checkpoints WHERE commit_index >= ? "
        "ORDER BY commit_index LIMIT 1",
        (commit_index,),
    ).fetchone()
    return None if row is None else (int(row[0]), bytes(row[1]))


def find(connection: sqlite3.Connection, commit_index: int) -> bytes | None:
    """The note of a commit, None if it has none."""
    row = connection.execute(
        "SELECT note FROM checkpoints WHERE commit_index = ?", (commit_index,)
    ).fetchone()
    return None if row is None else bytes(row[0])
