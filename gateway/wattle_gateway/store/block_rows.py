"""Blocks with their entries, as rows: written once, never changed.

A block's row does not have its digest: a reference is looked up by its place (epoch, round,
author) and told from its twins by hashing, which is cheaper than 32 bytes for each block.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock
from wattle_gateway.store.schema import ENTRIES_A_BLOCK


@dataclass(frozen=True)
class StoredBlock:
    """A block as it stands in the store; `id` of its row."""

    id: int
    block: Block
    entries: tuple[bytes, ...]

    def verified(self) -> VerifiedBlock:
        """It was verified before it was stored: only those are."""
        return VerifiedBlock(self.block, self.entries)


def insert(connection: sqlite3.Connection, verified: VerifiedBlock) -> int:
    """Store a block with its entries and give the id of its row."""
    header = verified.block
    cursor = connection.execute(
        "INSERT INTO blocks (epoch, round, author, header) VALUES (?, ?, ?, ?)",
        (header.epoch, header.round, header.author, header.raw),
    )
    assert cursor.lastrowid is not None
    first = cursor.lastrowid * ENTRIES_A_BLOCK
    connection.executemany(
        "INSERT INTO entries (id, body) VALUES (?, ?)",
        [(first + position, body) for position, body in enumerate(verified.entries)],
    )
    return cursor.lastrowid


def find(
    connection: sqlite3.Connection, ledger_id: bytes, epoch: int, ref: BlockRef
) -> StoredBlock | None:
    """The block of a name, None if it is not stored."""
    rows = connection.execute(
        "SELECT id, header FROM blocks WHERE epoch = ? AND round = ? AND author = ?",
        (epoch, ref.round, ref.author),
    )
    for block_id, header in rows.fetchall():
        found = block_format.parse(header, ledger_id)
        if found.digest == ref.digest:
            return StoredBlock(block_id, found, entries_of(connection, block_id))
    return None


def load_ids(
    connection: sqlite3.Connection, ledger_id: bytes, ids: Iterable[int]
) -> list[StoredBlock]:
    """The blocks of these rows, in this order; StoreError if one is missing."""
    found = []
    for block_id in ids:
        row = connection.execute("SELECT header FROM blocks WHERE id = ?", (block_id,)).fetchone()
        if row is None:
            raise StoreError(f"block {block_id} is not stored; run `wattle-gateway audit`")
        header = block_format.parse(row[0], ledger_id)
        found.append(StoredBlock(block_id, header, entries_of(connection, block_id)))
    return found


def load_above(
    connection: sqlite3.Connection, ledger_id: bytes, epoch: int, above_round: int
) -> Iterator[StoredBlock]:
    """The blocks of an epoch above a round, by rising (round, author)."""
    rows = connection.execute(
        "SELECT id, header FROM blocks WHERE epoch = ? AND round > ? ORDER BY round, author, id",
        (epoch, above_round),
    )
    return _stored(connection, ledger_id, rows)


def load_of_author(
    connection: sqlite3.Connection,
    ledger_id: bytes,
    epoch: int,
    author: int,
    above_round: int,
    count: int,
) -> list[StoredBlock]:
    """At most `count` blocks of an author above a round, by rising round."""
    # The planner would sort by author first; the places themselves are few.
    rows = connection.execute(
        "SELECT id, header FROM blocks INDEXED BY blocks_by_round "
        "WHERE epoch = ? AND round > ? AND author = ? ORDER BY round, id LIMIT ?",
        (epoch, above_round, author, count),
    )
    return list(_stored(connection, ledger_id, rows))


def load_newest(
    connection: sqlite3.Connection, ledger_id: bytes, epoch: int, authors: Collection[int]
) -> dict[int, Block]:
    """The highest block of each of these authors in an epoch, as far as there is one."""
    wanted, found = set(authors), {}
    rows = connection.execute(
        "SELECT author, id, round FROM blocks WHERE epoch = ? ORDER BY round DESC", (epoch,)
    )
    for author, block_id, _ in rows:
        if author in wanted:
            wanted.discard(author)
            found[author] = block_id
            if not wanted:
                break
    return {
        author: stored.block
        for author, place in found.items()
        for stored in load_ids(connection, ledger_id, [place])
    }


def highest_round(connection: sqlite3.Connection, epoch: int) -> int:
    """The highest round of an epoch of which a block is stored, 0 for none."""
    (found,) = connection.execute(
        "SELECT coalesce(max(round), 0) FROM blocks WHERE epoch = ?", (epoch,)
    ).fetchone()
    return int(found)


def entries_of(connection: sqlite3.Connection, block_id: int) -> tuple[bytes, ...]:
    """The entries of a stored block, in its order."""
    first = block_id * ENTRIES_A_BLOCK
    rows = connection.execute(
        "SELECT body FROM entries WHERE id >= ? AND id < ? ORDER BY id",
        (first, first + ENTRIES_A_BLOCK),
    )
    return tuple(body for (body,) in rows)


def _stored(
    connection: sqlite3.Connection, ledger_id: bytes, rows: Iterable[tuple[int, bytes]]
) -> Iterator[StoredBlock]:
    for block_id, header in rows:
        found = block_format.parse(header, ledger_id)
        entries = entries_of(connection, block_id) if found.carries else ()
        yield StoredBlock(block_id, found, entries)
