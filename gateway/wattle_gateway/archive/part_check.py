"""Whether an archived part is sound: its leaves those of this ledger's tree, its entries those of
their headers, its readings those that the meters signed."""

import sqlite3
from collections.abc import Iterable

from wattle_gateway.archive.rows import LogRow, PartRows, ReadingRow, reading_rows
from wattle_gateway.errors import ArchiveError
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import entry, merkle, signed_sample
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.merkle import RightEdge
from wattle_gateway.store import tree_rows
from wattle_gateway.store.schema import TILE_LEAVES


def check_leaves(
    connection: sqlite3.Connection, before: RightEdge, log: Iterable[LogRow], end_leaf: int
) -> RightEdge:
    """Hash every row that is on the log and hold it against the tree of ledger.db: against the
    root of each tile that is full thereby. The last, which has begun, is `check_following`'s.

    `before`: the edge behind the leaf before the first one. Gives the edge at `end_leaf`. Raises
    ArchiveError for a leaf that is missing or of another tile.
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


def check_following(connection: sqlite3.Connection, edge: RightEdge) -> None:
    """The tile that has begun at an edge is completed by what follows it in ledger.db; at the end
    of the log the whole edge must be the ledger's. Raises ArchiveError, or StoreError if ledger.db
    lacks rows."""
    (raw,) = connection.execute("SELECT edge FROM ledger").fetchone()
    whole = merkle.decode_right_edge(raw)
    following = min(whole.size, -(-edge.size // TILE_LEAVES) * TILE_LEAVES)
    for hashed in tree_rows.leaf_hashes(connection, edge.size, following):
        edge = _append(connection, edge, hashed)
    if edge.size == whole.size and edge != whole:
        raise ArchiveError("its leaves do not lead to the root of the ledger")


def check_payloads(rows: PartRows, ledger_id: bytes) -> None:
    """Every block has the entries that its header says. Raises ArchiveError, or LedgerError for a
    header that is none."""
    entries: dict[int, list[bytes]] = {}
    for row in rows.log:
        if row.block is not None:
            entries.setdefault(row.block, []).append(row.body)
    for one in rows.blocks:
        said = block_format.parse(one.header, ledger_id).payload
        if block_format.summary_of(entries.pop(one.block, [])) != said:
            raise ArchiveError(f"block {one.block} has other entries than its header says")
    if entries:
        raise ArchiveError(f"{len(entries)} blocks have entries and no header")


def check_readings(rows: PartRows, ledger_id: bytes) -> None:
    """The readings are those in the signed bytes. Raises ArchiveError."""
    found: list[ReadingRow] = []
    for row in rows.log:
        if row.meter is None:
            continue
        try:
            signed = signed_sample.parse(entry.decode(row.body).body, ledger_id)
        except LedgerError as error:
            raise ArchiveError(f"leaf {row.leaf} holds no sample: {error}") from error
        found += reading_rows(row, signed)
    if found != rows.readings:
        raise ArchiveError("its readings are not those that the meters signed")
