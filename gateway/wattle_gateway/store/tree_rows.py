"""The log's tree from the store: leaves, tiles, and proofs that read only what they need.

A tile is the root over 256 leaves, kept when the last of them is written (RFC 6962 section 2.1:
every full subtree on a boundary of its size is a node of the tree for ever).

Of a ledger that begins with a snapshot the leaves before are not here, but the roots of the full
subtrees that they make (the right edge at the base): enough for every proof of what came later.
"""

import sqlite3
from collections.abc import Iterable, Iterator

from wattle_gateway.errors import BeforeBaseError, StoreError
from wattle_gateway.ledger import merkle
from wattle_gateway.ledger.leaf import EntryLeaf
from wattle_gateway.ledger.merkle import RightEdge
from wattle_gateway.store import archive_rows, base_rows
from wattle_gateway.store.archived import archive_of
from wattle_gateway.store.schema import ENTRIES_A_BLOCK, TILE_LEAVES


def append(connection: sqlite3.Connection, edge: RightEdge, leaves: Iterable[bytes]) -> RightEdge:
    """Add the bytes of further leaves to the tree; keeps the tiles that become full."""
    tiles = []
    for raw in leaves:
        hashed = merkle.leaf_hash(raw)
        if (edge.size + 1) % TILE_LEAVES == 0:
            tiles.append((edge.size // TILE_LEAVES, _tile_root(edge, hashed)))
        edge = edge.append(hashed)
    connection.executemany("INSERT INTO tiles VALUES (?, ?)", tiles)
    return edge


def _tile_root(edge: RightEdge, last: bytes) -> bytes:
    """The root over the 255 newest leaves and one more: the peaks of 128, 64 .. 1 leaves."""
    for peak in reversed(edge.peaks[-(TILE_LEAVES.bit_length() - 1) :]):
        last = merkle.node_hash(peak, last)
    return last


def leaf_hashes(connection: sqlite3.Connection, first: int, end: int) -> list[bytes]:
    """The hashes of the leaves first <= index < end. StoreError if one is missing."""
    return [merkle.leaf_hash(raw) for raw in leaves(connection, first, end)]


def leaves(connection: sqlite3.Connection, first: int, end: int) -> Iterator[bytes]:
    """The bytes of the leaves first <= index < end, in order. StoreError if one is missing."""
    places: dict[int, tuple[int, int]] = {}
    found: dict[int, bytes] = {}
    for leaf, entry, verdict, body in connection.execute(
        "SELECT leaf, entry, verdict, body FROM leaves JOIN entries ON entries.id = entry "
        "WHERE leaf >= ? AND leaf < ?",
        (first, end),
    ):
        block_id = entry // ENTRIES_A_BLOCK
        if block_id not in places:
            places[block_id] = _place(connection, block_id)
        author, round_number = places[block_id]
        kind = body[1]  # an entry is [kind, body] and kinds are small
        found[leaf] = EntryLeaf(kind, verdict, author, round_number, body).encode()
    for leaf, body in connection.execute(
        "SELECT leaf, body FROM commits WHERE commit_index >= ? AND leaf < ? ORDER BY commit_index",
        (commit_of(connection, first), end),
    ):
        found[leaf] = body
    archive = archive_of(connection)
    if archive is not None and len(found) < end - first:
        for leaf, archived in archive.leaves(first, end).items():
            found.setdefault(leaf, archived.leaf_bytes)
    for index in range(first, end):
        if index not in found:
            raise _not_stored(connection, index)
        yield found[index]


def consistency_proof(connection: sqlite3.Connection, old: int, new: int) -> list[bytes]:
    """PROOF(old, first `new` leaves) of RFC 6962 section 2.1.2; `new` at most the leaves.

    Raises ProofError unless 0 <= old <= new.
    """
    stretches = merkle.consistency_stretches(old, new)
    return [root(connection, first, end) for first, end in stretches]


def head_root(connection: sqlite3.Connection, size: int) -> bytes:
    """The root of the log when it had `size` leaves; 0 <= size <= leaves."""
    edge: list[bytes] = []
    first = 0
    while first < size:
        part = 1 << ((size - first).bit_length() - 1)
        edge.append(root(connection, first, first + part))
        first += part
    return RightEdge(size, tuple(edge)).root()


def root(connection: sqlite3.Connection, first: int, end: int) -> bytes:
    """The root over the leaves first <= index < end, which are a subtree of the log's tree:
    `first` is a multiple of the smallest power of two that is not below their number."""
    if first < base_rows.leaves_before(connection):
        return _root_over_base(connection, first, end)
    if end - first < TILE_LEAVES:
        return merkle.root(leaf_hashes(connection, first, end))
    full_end = end - end % TILE_LEAVES
    rows = connection.execute(
        "SELECT root FROM tiles WHERE tile >= ? AND tile < ? ORDER BY tile",
        (first // TILE_LEAVES, full_end // TILE_LEAVES),
    )
    nodes = [value for (value,) in rows]
    if len(nodes) != (full_end - first) // TILE_LEAVES:
        raise StoreError("a tile is not stored; run `wattle-gateway audit`")
    if full_end < end:
        nodes.append(merkle.root(leaf_hashes(connection, full_end, end)))
    return merkle.root(nodes)


def _root_over_base(connection: sqlite3.Connection, first: int, end: int) -> bytes:
    """The same for a subtree with leaves before the base: out of the full ones that are kept."""
    base = base_rows.load(connection)
    assert base is not None
    begin = 0
    for peak in base.edge.peaks:
        size = 1 << ((base.edge.size - begin).bit_length() - 1)
        if (first, end) == (begin, begin + size):
            return peak
        begin += size
    if end <= base.edge.size and end - first == 1 << ((end - first).bit_length() - 1):
        raise _not_stored(connection, first)
    middle = first + (1 << ((end - first - 1).bit_length() - 1))
    return merkle.node_hash(root(connection, first, middle), root(connection, middle, end))


def _not_stored(connection: sqlite3.Connection, index: int) -> StoreError:
    if index < base_rows.leaves_before(connection):
        begins = base_rows.first_index(connection) - 1
        return BeforeBaseError(
            f"leaf {index} is not on this gateway: its ledger begins after commit {begins} with "
            f"leaf {base_rows.leaves_before(connection)}; ask a gateway that has it"
        )
    if archive_rows.has_left(connection, index):
        return StoreError(f"leaf {index} has left for the archive, which is not read here")
    return StoreError(f"leaf {index} is not stored; run `wattle-gateway audit`")


def _place(connection: sqlite3.Connection, block_id: int) -> tuple[int, int]:
    row = connection.execute(
        "SELECT author, round FROM blocks WHERE id = ?", (block_id,)
    ).fetchone()
    if row is None:
        raise StoreError(f"block {block_id} is not stored; run `wattle-gateway audit`")
    return int(row[0]), int(row[1])


def commit_of(connection: sqlite3.Connection, leaf: int) -> int:
    """The commit that a leaf belongs to. Leaves rise with commits: a binary search by key, which a
    row that is missing does not lead astray."""
    low = base_rows.first_index(connection)
    (high,) = connection.execute("SELECT coalesce(max(commit_index), 0) FROM commits").fetchone()
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(
            "SELECT commit_index, leaf FROM commits WHERE commit_index >= ? "
            "ORDER BY commit_index LIMIT 1",
            (middle,),
        ).fetchone()
        if row is not None and row[1] < leaf:
            low = int(row[0]) + 1
        else:
            high = middle
    return low
