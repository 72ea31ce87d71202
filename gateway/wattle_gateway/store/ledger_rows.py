"""Blocks, commits and what their execution leaves behind, as rows; for the writer's connection.

Nothing here begins or ends a transaction: the driver puts a block, its commit and the pool's
loss into one.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from wattle_gateway.contracts.execute import Executed
from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import block, entry, leaf, merkle
from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock
from wattle_gateway.ledger.commit import Commit, CommitHead
from wattle_gateway.ledger.merkle import RightEdge
from wattle_gateway.store.schema import ENTRIES_A_BLOCK


@dataclass(frozen=True)
class SampleTimes:
    """Unix ms of the oldest and newest reading of a sample."""

    first_ms: int
    last_ms: int


@dataclass(frozen=True)
class StoredHead:
    """The newest executed commit: `leader` None and `edge` empty before the first."""

    commit: CommitHead
    leader: BlockRef | None
    edge: RightEdge


def load_head(connection: sqlite3.Connection, before_first: CommitHead) -> StoredHead:
    """Where the ledger stands. StoreError if the newest commit and the tree disagree."""
    (edge_raw,) = connection.execute("SELECT edge FROM ledger").fetchone()
    edge = merkle.decode_right_edge(edge_raw)
    row = connection.execute(
        "SELECT leaf, body FROM commits ORDER BY commit_index DESC LIMIT 1"
    ).fetchone()
    if row is None:
        if edge.size:
            raise StoreError(f"{edge.size} leaves without a commit; run `wattle-gateway audit`")
        return StoredHead(before_first, None, edge)
    last = leaf.decode(row[1])
    if not isinstance(last, leaf.CommitLeaf) or edge.size != row[0] + 1:
        raise StoreError("the newest commit does not end the log; run `wattle-gateway audit`")
    head = CommitHead(last.index, last.time_ms, leaf.commit_digest(row[1]), last.state_digest)
    return StoredHead(head, last.leader, edge)


def load_commit_digest(connection: sqlite3.Connection, index: int) -> bytes | None:
    """The digest of an executed commit, None if there is none of this index."""
    row = connection.execute("SELECT body FROM commits WHERE commit_index = ?", (index,)).fetchone()
    return None if row is None else leaf.commit_digest(row[0])


def load_state(connection: sqlite3.Connection) -> dict[bytes, bytes]:
    """The whole state after the newest commit."""
    return dict(connection.execute("SELECT key, value FROM state"))


def load_blocks(
    connection: sqlite3.Connection, ledger_id: bytes, epoch: int, above_round: int
) -> tuple[list[Block], frozenset[BlockRef]]:
    """The blocks of an epoch above a round or not committed, and which of them are committed."""
    blocks, committed = [], set()
    for header, commit_index in connection.execute(
        "SELECT header, commit_index FROM blocks "
        "WHERE epoch = ? AND (round > ? OR commit_index IS NULL) ORDER BY round, author",
        (epoch, above_round),
    ):
        found = block.parse(header, ledger_id)
        blocks.append(found)
        if commit_index is not None:
            committed.add(found.ref)
    return blocks, frozenset(committed)


def load_entries(connection: sqlite3.Connection, epoch: int, ref: BlockRef) -> list[bytes]:
    """The entries of a stored block, in its order."""
    first = _block_id(connection, epoch, ref) * ENTRIES_A_BLOCK
    return [
        body
        for (body,) in connection.execute(
            "SELECT body FROM entries WHERE id >= ? AND id < ? ORDER BY id",
            (first, first + ENTRIES_A_BLOCK),
        )
    ]


def insert_block(connection: sqlite3.Connection, verified: VerifiedBlock, own: int) -> None:
    """Store a block with its entries. `own` is this member's author index.

    Raises StoreError if it were our second block of a round: that must never leave the machine.
    """
    header = verified.block
    if header.author == own:
        row = connection.execute(
            "SELECT 1 FROM blocks WHERE epoch = ? AND round = ? AND author = ?",
            (header.epoch, header.round, own),
        ).fetchone()
        if row is not None:
            raise StoreError(f"a second own block of round {header.round} was about to be stored")
    cursor = connection.execute(
        "INSERT INTO blocks (epoch, round, author, digest, header) VALUES (?, ?, ?, ?, ?)",
        (header.epoch, header.round, header.author, header.digest, header.raw),
    )
    assert cursor.lastrowid is not None
    first = cursor.lastrowid * ENTRIES_A_BLOCK
    connection.executemany(
        "INSERT INTO entries (id, body) VALUES (?, ?)",
        [(first + position, body) for position, body in enumerate(verified.entries)],
    )


def insert_executed(
    connection: sqlite3.Connection,
    commit: Commit,
    executed: Executed,
    edge: RightEdge,
    times: dict[bytes, SampleTimes],
) -> RightEdge:
    """Store what a commit leaves behind and give the tree's new edge.

    `times` has the reading times of each recorded sample by its digest.
    """
    first_leaf = edge.size
    ids = {}
    for header in commit.blocks:
        block_id = _block_id(connection, header.epoch, header.ref)
        ids[header.round, header.author] = block_id
        connection.execute(
            "UPDATE blocks SET commit_index = ? WHERE id = ?", (commit.index, block_id)
        )
    recorded = [outcome for outcome in executed.outcomes if outcome.leaf is not None]
    connection.executemany(
        "INSERT INTO leaves (leaf, commit_index, entry, verdict) VALUES (?, ?, ?, ?)",
        [
            (
                first_leaf + (outcome.leaf or 0),
                commit.index,
                ids[outcome.round, outcome.author] * ENTRIES_A_BLOCK + outcome.position,
                outcome.verdict,
            )
            for outcome in recorded
        ],
    )
    samples = [outcome for outcome in recorded if outcome.kind == entry.SAMPLE]
    rows = []
    for outcome in samples:
        assert outcome.digest is not None
        found = times[outcome.digest]
        leaf_index = first_leaf + (outcome.leaf or 0)
        rows.append((outcome.meter, outcome.seq, leaf_index, found.first_ms, found.last_ms))
    connection.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", rows)
    connection.executemany(
        "INSERT INTO totals VALUES (?, 1, ?, ?) ON CONFLICT (meter) DO UPDATE SET "
        "samples = samples + 1, last_seq = max(last_seq, excluded.last_seq), "
        "last_ms = max(last_ms, excluded.last_ms)",
        [(meter, seq, last_ms) for meter, seq, _, _, last_ms in rows],
    )
    connection.executemany(
        "INSERT INTO classes VALUES (?, ?, 1) "
        "ON CONFLICT (meter, class) DO UPDATE SET count = count + 1",
        [(outcome.meter, bit) for outcome in samples for bit in class_bits(outcome.verdict)],
    )
    _insert_commit_leaf(connection, commit, executed, first_leaf)
    for row in executed.leaves:
        edge = edge.append(merkle.leaf_hash(row))
    connection.execute("UPDATE ledger SET edge = ?", (edge.encode(),))
    return edge


def class_bits(verdict: int) -> list[int]:
    """The classes in a sample's verdict, [0] for a valid one."""
    bits = [1 << place for place in range(verdict.bit_length()) if verdict >> place & 1]
    return bits or [0]


def _insert_commit_leaf(
    connection: sqlite3.Connection, commit: Commit, executed: Executed, first_leaf: int
) -> None:
    last_leaf = first_leaf + len(executed.leaves) - 1
    connection.execute(
        "INSERT INTO leaves (leaf, commit_index, entry, verdict) VALUES (?, ?, NULL, 0)",
        (last_leaf, commit.index),
    )
    connection.execute(
        "INSERT INTO commits (commit_index, time_ms, leaf, body) VALUES (?, ?, ?, ?)",
        (commit.index, commit.time_ms, last_leaf, executed.leaves[-1]),
    )
    _apply(connection, executed.changes)


def _apply(connection: sqlite3.Connection, changes: Sequence[tuple[bytes, bytes | None]]) -> None:
    connection.executemany(
        "DELETE FROM state WHERE key = ?", [(key,) for key, value in changes if value is None]
    )
    connection.executemany(
        "INSERT INTO state VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        [(key, value) for key, value in changes if value is not None],
    )


def _block_id(connection: sqlite3.Connection, epoch: int, ref: BlockRef) -> int:
    row = connection.execute(
        "SELECT id FROM blocks WHERE epoch = ? AND round = ? AND author = ? AND digest = ?",
        (epoch, ref.round, ref.author, ref.digest),
    ).fetchone()
    if row is None:
        raise StoreError(f"block {ref.digest.hex()[:16]} of round {ref.round} is not stored")
    return int(row[0])


def find_sample(connection: sqlite3.Connection, meter: bytes, seq: int) -> bytes | None:
    """The entry of a committed sample, None if the ledger has none of this meter and seq."""
    row = connection.execute(
        "SELECT entries.body FROM samples JOIN leaves USING (leaf) "
        "JOIN entries ON entries.id = leaves.entry WHERE meter = ? AND seq = ?",
        (meter, seq),
    ).fetchone()
    return None if row is None else bytes(row[0])
