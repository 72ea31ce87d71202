"""What a gateway cannot tell because its ledger begins with a snapshot: said, never left out."""

import sqlite3
from datetime import UTC, datetime

from wattle_gateway.errors import BeforeBaseError
from wattle_gateway.store import base_rows
from wattle_gateway.store.base_rows import Base


def check(connection: sqlite3.Connection, from_ms: int | None) -> None:
    """BeforeBaseError if what was asked for, from `from_ms` on (Unix ms; None: from the beginning),
    begins before this gateway's ledger does."""
    base = base_rows.load(connection)
    if base is not None and (from_ms is None or from_ms < base.leaf.time_ms):
        raise BeforeBaseError(
            f"{_begins(base)}; ask for a later time, or a gateway that has the history"
        )


def note(connection: sqlite3.Connection) -> str | None:
    """What is to be said beside an answer that has everything there is here; None if that is all
    there ever was."""
    base = base_rows.load(connection)
    return None if base is None else f"{_begins(base)}; what was committed before is not shown"


def _begins(base: Base) -> str:
    at = datetime.fromtimestamp(base.leaf.time_ms / 1000, UTC)
    return (
        f"this gateway's ledger begins with commit {base.index} of {at:%Y-%m-%d %H:%M:%S} UTC, "
        "out of a snapshot"
    )
