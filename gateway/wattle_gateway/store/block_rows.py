"""Blocks with their entries, as rows: written once, never changed.

A block's row does not have its digest: a reference is looked up by its place (epoch, round,
author) and told from its twins by hashing, which is cheaper than 32 bytes for each block.
"""

import heapq
import itertools
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock
from wattle_gateway.sealing import row_seal
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


def insert(
    connection: sqlite3.Connection, verified: VerifiedBlock, block_id: int | None = None
) -> int:
    """Store a block with its entries and give the id of its row: the given one, or the next."""
    header = verified.block
    cursor = connection.execute(
        "INSERT INTO blocks (id, epoch, round, author, header) VALUES (?, ?, ?, ?, ?)",
        (block_id, header.epoch, header.round, header.author, header.raw),
    )
    assert cursor.lastrowid is not None
    seal = row_seal.of(connection)
    connection.executemany(
        "INSERT INTO main.entries (id, body) VALUES (?, ?)",
        [
            (place, seal.close("entries", row_seal.row_name(place), body))
            for place, body in enumerate(verified.entries, start=cursor.lastrowid * ENTRIES_A_BLOCK)
        ],
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
    connection: sqlite3.Connection, ledger_id: bytes, ids: Sequence[int]
) -> list[StoredBlock]:
    """The blocks of these rows, in this order; StoreError if one is missing."""
    return [
        StoredBlock(block_id, block_format.parse(raw, ledger_id), entries_of(connection, block_id))
        for block_id, raw in zip(ids, load_headers(connection, ids), strict=True)
    ]


def load_headers(connection: sqlite3.Connection, ids: Sequence[int]) -> list[bytes]:
    """The headers of these rows, in this order; StoreError if one is missing."""
    found = []
    for block_id in ids:
        row = connection.execute("SELECT header FROM blocks WHERE id = ?", (block_id,)).fetchone()
        if row is None:
            raise StoreError(f"block {block_id} is not stored; run `wattle-gateway audit`")
        found.append(row[0])
    return found


def load_above(
    connection: sqlite3.Connection, ledger_id: bytes, epoch: int, rounds: Sequence[int]
) -> Iterator[StoredBlock]:
    """The blocks of an epoch above `rounds[author]`, by rising (round, author, digest).

    Read author by author, so that one who has been silent for a year costs nothing.
    """
    streams = [
        load_of_author(connection, ledger_id, epoch, author, above_round)
        for author, above_round in enumerate(rounds)
    ]
    return heapq.merge(*streams, key=lambda stored: stored.block.ref)


def load_of_author(
    connection: sqlite3.Connection, ledger_id: bytes, epoch: int, author: int, above_round: int
) -> Iterator[StoredBlock]:
    """The blocks of an author above a round, by rising (round, digest)."""
    rows = connection.execute(
        "SELECT id, header FROM blocks WHERE epoch = ? AND author = ? AND round > ? ORDER BY round",
        (epoch, author, above_round),
    )
    stored = _stored(connection, ledger_id, rows)
    for _, twins in itertools.groupby(stored, key=lambda found: found.block.round):
        yield from sorted(twins, key=lambda found: found.block.digest)


def load_round(
    connection: sqlite3.Connection,
    ledger_id: bytes,
    epoch: int,
    round_number: int,
    authors: Iterable[int],
) -> list[Block]:
    """The headers of a round by these authors, in their order."""
    return [
        block_format.parse(header, ledger_id)
        for author in authors
        for (header,) in connection.execute(
            "SELECT header FROM blocks WHERE epoch = ? AND author = ? AND round = ? ORDER BY id",
            (epoch, author, round_number),
        )
    ]


def load_newest(
    connection: sqlite3.Connection, ledger_id: bytes, epoch: int, author: int
) -> Block | None:
    """A block of the highest round by an author in an epoch, None if there is none."""
    row = connection.execute(
        "SELECT header FROM blocks WHERE epoch = ? AND author = ? ORDER BY round DESC LIMIT 1",
        (epoch, author),
    ).fetchone()
    return None if row is None else block_format.parse(row[0], ledger_id)


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
