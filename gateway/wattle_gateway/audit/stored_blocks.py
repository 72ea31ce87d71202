"""The stored blocks of an epoch, each verified before it is given on."""

import heapq
import sqlite3
from collections.abc import Callable, Generator, Iterator

from wattle_gateway.audit.findings import Difference
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.store.archived import archive_of
from wattle_gateway.store.block_rows import StoredBlock
from wattle_gateway.store.schema import ENTRIES_A_BLOCK

__all__ = ["Found", "StoredBlock", "stored_blocks"]

Found = Callable[[Difference], None]
"""Told of what is wrong; raises to end there, or returns to leave the row out."""

_Row = tuple[int, int, int, bytes]
_Found = tuple[int, int, int, bytes, tuple[bytes, ...] | None]
"""A row, and the entries that the archive has of it, None: it is of ledger.db."""


def stored_blocks(
    connection: sqlite3.Connection, epoch: Epoch, found: Found, *, archive_first: bool = False
) -> Generator[StoredBlock, None, None]:
    """Every sound block of an epoch by (round, author): bytes, signature, rules, payload. One that
    is in ledger.db and in the archive is taken from ledger.db, or from the `archive_first`.

    Rows of authors that the epoch does not have are not given: the caller counts.
    """
    for round_number, author, block_id, header, archived in _in_order(
        connection, epoch, archive_first=archive_first
    ):
        place = f"{round_number}/{author}"
        try:
            block = block_format.parse(header, epoch.ledger_id)
        except LedgerError as error:
            found(Difference(str(error), "blocks", block=place))
            continue
        if (epoch.number, round_number, author) != (block.epoch, block.round, block.author):
            text = "the row names another block than its bytes"
            found(Difference(text, "blocks", block=place))
            continue
        entries, whole = _entries(connection, block_id) if archived is None else (archived, True)
        if not whole:
            found(Difference("an entry is missing", "entries", block=place))
            continue
        try:
            block_format.check(block, entries, epoch, crypto.verify)
        except LedgerError as error:
            found(Difference(str(error), block=place))
            continue
        yield StoredBlock(block_id, block, entries)


def _in_order(
    connection: sqlite3.Connection, epoch: Epoch, *, archive_first: bool
) -> Iterator[_Found]:
    """The blocks of ledger.db and of the archive; one that is in both once."""
    streams = [_rows(connection, epoch.number, author) for author in range(epoch.size)]
    here = ((*row, None) for row in heapq.merge(*streams))
    archive = archive_of(connection)
    if archive is None:
        yield from here
        return
    left = (
        (block.round, block.author, block.id, block.header, block.entries)
        for block in archive.blocks(epoch.number)
    )
    newest = 0
    both = (left, here) if archive_first else (here, left)
    for row in heapq.merge(*both, key=lambda row: row[:3]):
        if row[2] != newest:
            yield row
        newest = row[2]


def _rows(connection: sqlite3.Connection, epoch: int, author: int) -> Iterator[_Row]:
    return connection.execute(
        "SELECT round, author, id, header FROM blocks WHERE epoch = ? AND author = ? "
        "ORDER BY round, id",
        (epoch, author),
    )


def _entries(connection: sqlite3.Connection, block_id: int) -> tuple[tuple[bytes, ...], bool]:
    """The entries of a block, and whether they stand at the first places without a hole."""
    first = block_id * ENTRIES_A_BLOCK
    rows = connection.execute(
        "SELECT id, body FROM entries WHERE id >= ? AND id < ? ORDER BY id",
        (first, first + ENTRIES_A_BLOCK),
    ).fetchall()
    whole = [row[0] for row in rows] == list(range(first, first + len(rows)))
    return tuple(row[1] for row in rows), whole
