"""Whether a database is sealed, and under which data keys: its table `seal`.

The mark stands in the file itself. A keyring beside it does not make a file sealed, and a file
that is sealed is never read as a plain one because its keyring is gone.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from wattle_gateway.errors import StorageKeyError
from wattle_gateway.sealing import ring as rings
from wattle_gateway.sealing import row_seal
from wattle_gateway.sealing.row_seal import SealedConnection


@dataclass(frozen=True)
class Mark:
    """What a file says of how it is sealed: `keyring` id; `oldest` data key that a row may be
    sealed under; `target`: key that rows are being resealed up to, 0 for none, and how far that
    has come: table and key of its last row that is done."""

    keyring: bytes
    oldest: int
    target: int
    in_table: str
    after: int | bytes | None


def load(connection: sqlite3.Connection) -> Mark | None:
    """The mark, None for a plain file, or one from before files could be sealed."""
    tables = connection.execute("SELECT count(*) FROM main.sqlite_master WHERE name = 'seal'")
    if tables.fetchone() == (0,):
        return None
    row = connection.execute("SELECT keyring, oldest, target, in_table, after FROM seal").fetchone()
    return None if row is None else Mark(*row)


def save(connection: sqlite3.Connection, mark: Mark) -> None:
    """Set the mark."""
    connection.execute(
        "INSERT OR REPLACE INTO seal VALUES (1, ?, ?, ?, ?, ?)",
        (mark.keyring, mark.oldest, mark.target, mark.in_table, mark.after),
    )


def mark(connection: sqlite3.Connection, path: Path) -> None:
    """Of a new file: it is sealed if its folder has a keyring. Raises StorageKeyError."""
    ring = rings.beside(path)
    if ring is not None:
        save(connection, Mark(ring.keyring.id, ring.active, 0, "", None))


def factory_for(path: Path, factory: type[sqlite3.Connection]) -> type[sqlite3.Connection]:
    """What makes a connection to this file: of a sealed one it must be able to carry keys."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as reader:
        if load(reader) is None or issubclass(factory, SealedConnection):
            return factory
    return SealedConnection


def attach(connection: sqlite3.Connection, beside: Path) -> None:
    """Make a connection to a sealed file read opened rows; on a plain one nothing changes.

    `beside`: a file of the folder that has the keyring. Raises StorageKeyError if that is missing,
    another one, or does not open.
    """
    found = load(connection)
    if found is None:
        return
    ring = rings.beside(beside)
    if ring is None:
        raise StorageKeyError(
            f"{beside}: sealed, and there is no {rings.NAME} beside it; restore it from a backup: "
            "without it nothing can be opened"
        )
    if ring.keyring.id != found.keyring:
        raise StorageKeyError(
            f"{beside}: sealed with keyring {found.keyring.hex()}, {rings.NAME} beside it is "
            f"{ring.keyring.id.hex()}"
        )
    assert isinstance(connection, SealedConnection)
    row_seal.attach(connection, ring.seal)
