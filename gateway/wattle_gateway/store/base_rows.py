"""The snapshot that a ledger begins with, as rows: none for one that has all its history.

Leaves, entries, blocks and samples up to this commit are not here. What is: the state after it,
the commit leaves that execution and consensus still read, and everything that proved the snapshot,
so that an audit proves it again and others can be given one.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import leaf, merkle
from wattle_gateway.ledger.block import BlockRef
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.leaf import CommitLeaf
from wattle_gateway.ledger.merkle import RightEdge
from wattle_gateway.sealing import row_seal

# A state of gigabytes is written in as many steps of memory as it takes.
ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Base:
    """The commit that a ledger begins with: its `leaf`, number `at` of the log, as `body`; `edge`
    of the log's tree up to it; `header` the snapshot's first part."""

    leaf: CommitLeaf
    body: bytes
    at: int
    edge: RightEdge
    header: bytes

    @property
    def index(self) -> int:
        """Its commit index."""
        return self.leaf.index

    @property
    def head(self) -> CommitHead:
        """What the next commit is built on."""
        found = self.leaf
        digest = leaf.commit_digest(self.body)
        return CommitHead(found.index, found.time_ms, digest, found.state_digest)

    @property
    def leader(self) -> BlockRef:
        """The leader of the commit."""
        return self.leaf.leader


def load(connection: sqlite3.Connection) -> Base | None:
    """What the ledger begins with, None if that is its genesis. StoreError for damaged rows."""
    row = connection.execute("SELECT commit_index, leaf, edge, header FROM base").fetchone()
    if row is None:
        return None
    index, at, edge, header = row
    body = load_leaf(connection, index)
    found = None if body is None else leaf.decode(body)
    if body is None or not isinstance(found, CommitLeaf) or found.index != index:
        raise StoreError(f"the leaf of commit {index}, with which the ledger begins, is damaged")
    return Base(found, body, at, merkle.decode_right_edge(edge), header)


def first_index(connection: sqlite3.Connection) -> int:
    """The index of the first commit that may be stored: 1, or the one after the base."""
    (index,) = connection.execute("SELECT coalesce(max(commit_index), 0) FROM base").fetchone()
    return int(index) + 1


def leaves_before(connection: sqlite3.Connection) -> int:
    """How many leaves of the log stand before the first one that is stored: 0, or all up to the
    base's."""
    (at,) = connection.execute("SELECT coalesce(max(leaf), -1) FROM base").fetchone()
    return int(at) + 1


def load_leaf(connection: sqlite3.Connection, index: int) -> bytes | None:
    """The leaf of a commit up to the base, None if it is not kept."""
    row = connection.execute(
        "SELECT body FROM base_leaves WHERE commit_index = ?", (index,)
    ).fetchone()
    return None if row is None else bytes(row[0])


def load_leaves(connection: sqlite3.Connection, first: int, end: int) -> list[bytes]:
    """The leaves of the commits first <= index < end that are kept, rising."""
    rows = connection.execute(
        "SELECT body FROM base_leaves WHERE commit_index >= ? AND commit_index < ? "
        "ORDER BY commit_index",
        (first, end),
    )
    return [body for (body,) in rows]


def load_parts(connection: sqlite3.Connection) -> list[bytes]:
    """The parts of the trail without its leaves, in their order."""
    return [body for (body,) in connection.execute("SELECT body FROM base_parts ORDER BY place")]


def state_rows(connection: sqlite3.Connection) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of the state after the base, by rising key."""
    return connection.execute("SELECT key, value FROM base_state ORDER BY key")


def insert_state(connection: sqlite3.Connection, rows: Iterable[tuple[bytes, bytes]]) -> None:
    """Rows of the state after the base, which is that of the ledger so far."""
    waiting: list[tuple[bytes, bytes]] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == ROWS_AT_ONCE:
            _insert_rows(connection, waiting)
            waiting.clear()
    _insert_rows(connection, waiting)


def insert(
    connection: sqlite3.Connection,
    base: Base,
    leaves: Iterable[tuple[int, bytes]],
    parts: Iterable[bytes],
) -> None:
    """Write what the ledger begins with: the commit `leaves` (index, bytes) that are kept, its own
    among them, and the `parts` of the trail without its leaves. The state is `insert_state`'s."""
    connection.execute(
        "INSERT INTO base VALUES (1, ?, ?, ?, ?)",
        (base.index, base.at, base.edge.encode(), base.header),
    )
    connection.executemany("INSERT INTO base_leaves VALUES (?, ?)", leaves)
    _insert_parts(connection, parts)
    connection.execute("UPDATE ledger SET edge = ?", (base.edge.encode(),))


def copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Take over what another ledger begins with, state and all; nothing if it has all history."""
    for row in source.execute("SELECT * FROM base"):
        target.execute("INSERT INTO base VALUES (?, ?, ?, ?, ?)", row)
        target.execute("UPDATE ledger SET edge = ?", (row[3],))
    rows = source.execute("SELECT * FROM base_leaves")
    target.executemany("INSERT INTO base_leaves VALUES (?, ?)", rows)
    _insert_parts(target, load_parts(source))
    insert_state(target, state_rows(source))


def _insert_rows(connection: sqlite3.Connection, rows: list[tuple[bytes, bytes]]) -> None:
    seal = row_seal.of(connection)
    for table in ("base_state", "state"):
        connection.executemany(
            f"INSERT INTO main.{table} VALUES (?, ?)", [seal.pair(table, *row) for row in rows]
        )


def _insert_parts(connection: sqlite3.Connection, parts: Iterable[bytes]) -> None:
    seal = row_seal.of(connection)
    connection.executemany(
        "INSERT INTO main.base_parts VALUES (?, ?)",
        [
            (place, seal.close("base_parts", row_seal.row_name(place), part))
            for place, part in enumerate(parts)
        ],
    )
