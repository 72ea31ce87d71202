"""Whether the leaves of an archived part are those of this ledger's tree."""

import sqlite3
from collections.abc import Iterable

from wattle_gateway.archive.rows import LogRow
from wattle_gateway.errors import ArchiveError
from wattle_gateway.ledger import merkle
from wattle_gateway.ledger.merkle import RightEdge
from wattle_gateway.store import tree_rows
from wattle_gateway.store.schema import TILE_LEAVES


def check(
    connection: sqlite3.Connection, before: RightEdge, log: Iterable[LogRow], end_leaf: int
) -> RightEdge:
    """Hash every row that is on the log and hold it against the tree of ledger.db: against the
    root of each tile, and of the last, that has begun, with the leaves that follow.

    `before`: the edge behind the leaf before the first one. Gives the edge at `end_leaf`. Raises
    ArchiveError for a leaf that is missing or of another tile, StoreError if ledger.db lacks rows.
    """
    edge = before
    for row in log:
        if row.leaf is None:
            continue
        if row.leaf != edge.size:
            raise ArchiveError(f"leaf {row.leaf} where leaf {edge.size} was expected")
        edge = _append(connection, edge, merkle.leaf_hash(row.leaf_bytes()))
    if edge.size != end_leaf:
        raise ArchiveError(f"it ends before leaf {edge.size}, expected {end_leaf}")
    _check_last(connection, edge)
    return edge


def _append(connection: sqlite3.Connection, edge: RightEdge, hashed: bytes) -> RightEdge:
    if (edge.size + 1) % TILE_LEAVES == 0:
        tile = edge.size // TILE_LEAVES
        stored = connection.execute("SELECT root FROM tiles WHERE tile = ?", (tile,)).fetchone()
        if stored != (_completed(edge, hashed),):
            first = tile * TILE_LEAVES
            raise ArchiveError(
                f"the leaves {first} to {first + TILE_LEAVES - 1} are not those of the tree"
            )
    return edge.append(hashed)


def _completed(edge: RightEdge, last: bytes) -> bytes:
    """The root of the tile that a leaf completes: over the peaks of 128, 64 .. 1 leaves."""
    for peak in reversed(edge.peaks[-(TILE_LEAVES.bit_length() - 1) :]):
        last = merkle.node_hash(peak, last)
    return last


def _check_last(connection: sqlite3.Connection, edge: RightEdge) -> None:
    """The tile that has begun is completed by what follows in ledger.db; at the end of the log
    the whole edge must be the ledger's."""
    (raw,) = connection.execute("SELECT edge FROM ledger").fetchone()
    whole = merkle.decode_right_edge(raw)
    following = min(whole.size, -(-edge.size // TILE_LEAVES) * TILE_LEAVES)
    for hashed in tree_rows.leaf_hashes(connection, edge.size, following):
        edge = _append(connection, edge, hashed)
    if edge.size == whole.size and edge != whole:
        raise ArchiveError("its leaves do not lead to the root of the ledger")
