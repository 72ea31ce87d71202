"""The stored blocks, each verified before it is given on."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from wattle_gateway.audit.commit_replay import CommitReplay
from wattle_gateway.audit.findings import Difference, DifferenceError
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.block import Block, VerifiedBlock
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.store.schema import ENTRIES_A_BLOCK


@dataclass(frozen=True)
class StoredBlock:
    """A verified block with the id of its row."""

    id: int
    verified: VerifiedBlock


def stored_blocks(
    connection: sqlite3.Connection, epoch: Epoch, replay: CommitReplay
) -> Iterator[StoredBlock]:
    """Every block by (round, author, digest): bytes, signature, parents, time, payload checked.

    The caller adds each to `replay` before it asks for the next. Raises DifferenceError.
    """
    rows = connection.execute(
        "SELECT id, epoch, round, author, header FROM blocks ORDER BY epoch, round, author, id"
    )
    for block_id, number, round_number, author, header in rows:
        place = f"{round_number}/{author}"
        try:
            block = block_format.parse(header, epoch.ledger_id)
        except LedgerError as error:
            raise DifferenceError(Difference(str(error), "blocks", block=place)) from error
        if (number, round_number, author) != (block.epoch, block.round, block.author):
            raise DifferenceError(
                Difference("the row names another block than its bytes", "blocks", block=place)
            )
        verified = _verified(connection, block_id, block, epoch, replay)
        yield StoredBlock(block_id, verified)


def _verified(
    connection: sqlite3.Connection,
    block_id: int,
    block: Block,
    epoch: Epoch,
    replay: CommitReplay,
) -> VerifiedBlock:
    place = f"{block.round}/{block.author}"
    missing = replay.missing(block)
    if missing:
        raise DifferenceError(
            Difference(f"its parent of round {missing[0].round} is not stored", block=place)
        )
    entries = _entries(connection, block_id, place)
    try:
        return block_format.check(block, entries, epoch, crypto.verify)
    except LedgerError as error:
        raise DifferenceError(Difference(str(error), block=place)) from error


def _entries(connection: sqlite3.Connection, block_id: int, place: str) -> list[bytes]:
    first = block_id * ENTRIES_A_BLOCK
    rows = connection.execute(
        "SELECT id, body FROM entries WHERE id >= ? AND id < ? ORDER BY id",
        (first, first + ENTRIES_A_BLOCK),
    ).fetchall()
    if [row[0] for row in rows] != list(range(first, first + len(rows))):
        raise DifferenceError(Difference("an entry is missing", "entries", block=place))
    return [row[1] for row in rows]
