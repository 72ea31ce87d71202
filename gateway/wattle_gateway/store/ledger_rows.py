"""Commits and what their execution leaves behind, as rows; for the writer's connection.

Nothing here begins or ends a transaction: the driver puts blocks, commits and the pool's loss
into one.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wattle_gateway.contracts.execute import Executed, Outcome
from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import entry, leaf, merkle
from wattle_gateway.ledger.block import BlockRef
from wattle_gateway.ledger.commit import Commit, CommitHead
from wattle_gateway.ledger.leaf import CommitLeaf
from wattle_gateway.ledger.merkle import RightEdge
from wattle_gateway.sealing import row_seal
from wattle_gateway.store import base_rows, block_ids, tree_rows
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
        return _first_head(connection, before_first, edge)
    last = leaf.decode(row[1])
    if not isinstance(last, leaf.CommitLeaf) or edge.size != row[0] + 1:
        raise StoreError("the newest commit does not end the log; run `wattle-gateway audit`")
    head = CommitHead(last.index, last.time_ms, leaf.commit_digest(row[1]), last.state_digest)
    return StoredHead(head, last.leader, edge)


def _first_head(
    connection: sqlite3.Connection, before_first: CommitHead, edge: RightEdge
) -> StoredHead:
    """Where a ledger stands that has executed nothing: at its base, if it has one."""
    base = base_rows.load(connection)
    if (RightEdge() if base is None else base.edge) != edge:
        raise StoreError(f"{edge.size} leaves without a commit; run `wattle-gateway audit`")
    if base is None:
        return StoredHead(before_first, None, edge)
    return StoredHead(base.head, base.leader, edge)


def load_commit_digest(connection: sqlite3.Connection, index: int) -> bytes | None:
    """The digest of an executed commit, None if there is none of this index, or it is one before
    the base that is not kept."""
    body = load_commit_leaf(connection, index)
    return None if body is None else leaf.commit_digest(body)


def load_commit_leaf(connection: sqlite3.Connection, index: int) -> bytes | None:
    """The leaf of an executed commit, None as `load_commit_digest`."""
    row = connection.execute("SELECT body FROM commits WHERE commit_index = ?", (index,)).fetchone()
    return base_rows.load_leaf(connection, index) if row is None else bytes(row[0])


def load_state(connection: sqlite3.Connection) -> dict[bytes, bytes]:
    """The whole state after the newest commit."""
    seal = row_seal.of(connection)
    rows = connection.execute("SELECT key, value FROM main.state")
    return dict(seal.open_pair("state", key, value) for key, value in rows)


@dataclass(frozen=True)
class StoredCommit:
    """A commit as it stands in the store: `body` the bytes of its leaf, which is number `at` of
    the log, `blocks` the ids of the blocks that it took, in its order."""

    leaf: CommitLeaf
    body: bytes
    at: int
    blocks: tuple[int, ...]


def load_commit(connection: sqlite3.Connection, index: int) -> StoredCommit | None:
    """A commit, None if there is none of this index. StoreError if its row is damaged."""
    row = connection.execute(
        "SELECT body, leaf, blocks FROM commits WHERE commit_index = ?", (index,)
    ).fetchone()
    if row is None:
        return None
    found = leaf.decode(row[0])
    if not isinstance(found, CommitLeaf):
        raise StoreError(f"commit {index} has another leaf; run `wattle-gateway audit`")
    return StoredCommit(found, row[0], row[1], block_ids.decode(row[2]))


def count_leaves(connection: sqlite3.Connection, index: int) -> int:
    """How many entries a commit has put on the ledger."""
    (end, before) = connection.execute(
        "SELECT (SELECT leaf FROM commits WHERE commit_index = ?), "
        "(SELECT max(leaf) FROM commits WHERE commit_index < ? AND commit_index >= ? - 1)",
        (index, index, index),
    ).fetchone()
    if before is None:
        before = base_rows.leaves_before(connection) - 1
    return 0 if end is None else int(end - before - 1)


def taken_above(connection: sqlite3.Connection, epoch: int, floor: int) -> set[int]:
    """The ids of the blocks above round `floor` of an epoch that commits took, and of some below:
    a commit takes nothing above its leader."""
    taken: set[int] = set()
    (index,) = connection.execute("SELECT coalesce(max(commit_index), 0) FROM commits").fetchone()
    while (stored := load_commit(connection, index)) is not None:
        if stored.leaf.epoch != epoch or stored.leaf.leader.round <= floor:
            break
        taken.update(stored.blocks)
        index -= 1
    return taken


def insert_executed(
    connection: sqlite3.Connection,
    commit: Commit,
    executed: Executed,
    edge: RightEdge,
    ids: Mapping[BlockRef, int],
    times: Mapping[bytes, SampleTimes],
) -> RightEdge:
    """Store what a commit leaves behind and give the tree's new edge.

    `ids` has the row of each of its blocks, `times` the reading times of each recorded sample by
    its digest.
    """
    first_leaf = edge.size
    recorded = [outcome for outcome in executed.outcomes if outcome.leaf is not None]
    connection.executemany(
        "INSERT INTO leaves (leaf, commit_index, entry, verdict) VALUES (?, ?, ?, ?)",
        [
            (
                first_leaf + (outcome.leaf or 0),
                commit.index,
                ids[outcome.block] * ENTRIES_A_BLOCK + outcome.position,
                outcome.verdict,
            )
            for outcome in recorded
        ],
    )
    _insert_samples(connection, recorded, first_leaf, times)
    connection.execute(
        "INSERT INTO commits (commit_index, leaf, time_ms, blocks, body) VALUES (?, ?, ?, ?, ?)",
        (
            commit.index,
            first_leaf + len(executed.leaves) - 1,
            commit.time_ms,
            block_ids.encode(ids[header.ref] for header in commit.blocks),
            executed.leaves[-1],
        ),
    )
    _apply(connection, executed.changes)
    edge = tree_rows.append(connection, edge, executed.leaves)
    connection.execute("UPDATE ledger SET edge = ?", (edge.encode(),))
    return edge


def _insert_samples(
    connection: sqlite3.Connection,
    recorded: Sequence[Outcome],
    first_leaf: int,
    times: Mapping[bytes, SampleTimes],
) -> None:
    samples = [outcome for outcome in recorded if outcome.kind == entry.SAMPLE]
    seal = row_seal.of(connection)
    rows = []
    for outcome in samples:
        assert outcome.digest is not None
        found = times[outcome.digest]
        leaf_index = first_leaf + (outcome.leaf or 0)
        assert outcome.meter is not None
        rows.append(
            (seal.alias(outcome.meter), outcome.seq, leaf_index, found.first_ms, found.last_ms)
        )
    connection.executemany("INSERT INTO main.samples VALUES (?, ?, ?, ?, ?)", rows)
    connection.executemany(
        "INSERT INTO main.totals VALUES (?, 1, ?, ?) ON CONFLICT (meter) DO UPDATE SET "
        "samples = samples + 1, last_seq = max(last_seq, excluded.last_seq), "
        "last_ms = max(last_ms, excluded.last_ms)",
        [(meter, seq, last_ms) for meter, seq, _, _, last_ms in rows],
    )
    connection.executemany(
        "INSERT INTO main.classes VALUES (?, ?, 1) "
        "ON CONFLICT (meter, class) DO UPDATE SET count = count + 1",
        [
            (row[0], bit)
            for row, outcome in zip(rows, samples, strict=True)
            for bit in class_bits(outcome.verdict)
        ],
    )


def class_bits(verdict: int) -> list[int]:
    """The classes in a sample's verdict, [0] for a valid one."""
    bits = [1 << place for place in range(verdict.bit_length()) if verdict >> place & 1]
    return bits or [0]


def _apply(connection: sqlite3.Connection, changes: Sequence[tuple[bytes, bytes | None]]) -> None:
    seal = row_seal.of(connection)
    connection.executemany(
        "DELETE FROM main.state WHERE key = ?",
        [(seal.hidden("state", key),) for key, value in changes if value is None],
    )
    connection.executemany(
        "INSERT INTO main.state VALUES (?, ?) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        [seal.pair("state", key, value) for key, value in changes if value is not None],
    )


def find_sample(connection: sqlite3.Connection, meter: bytes, seq: int) -> bytes | None:
    """The entry of a committed sample, None if the ledger has none of this meter and seq."""
    row = connection.execute(
        "SELECT entries.body FROM main.samples AS samples JOIN leaves USING (leaf) "
        "JOIN entries ON entries.id = leaves.entry WHERE meter = ? AND seq = ?",
        (row_seal.of(connection).alias(meter), seq),
    ).fetchone()
    return None if row is None else bytes(row[0])
