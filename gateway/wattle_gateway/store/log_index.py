"""Where committed entries stand, as rows say, in ledger.db or in what has left it."""

import sqlite3
from collections.abc import Sequence

from wattle_gateway.sealing import row_seal
from wattle_gateway.store import block_rows
from wattle_gateway.store.archived import archive_of


def leaf_rows(
    connection: sqlite3.Connection, first: int, end: int
) -> list[tuple[int, int, int, int]]:
    """(ledger index, id of its entry, verdict, commit) of each entry of first <= index < end,
    rising. Raises ArchiveError."""
    rows = connection.execute(
        "SELECT leaf, entry, verdict, commit_index FROM leaves WHERE leaf >= ? AND leaf < ?",
        (first, end),
    )
    found = {row[0]: row for row in rows.fetchall()}
    archive = archive_of(connection)
    if archive is not None:
        for leaf, one in archive.leaves(first, end).items():
            found.setdefault(leaf, (leaf, one.entry, one.verdict, one.commit))
    return [found[leaf] for leaf in sorted(found)]


def sample_row(
    connection: sqlite3.Connection, meter: bytes, seq: int, leaf: int
) -> tuple[int, int, int] | None:
    """(ledger index, oldest, newest reading in Unix ms) of a sample that stands, if anywhere, at
    `leaf`; None if it is not there. Raises ArchiveError."""
    row: tuple[int, int, int] | None = connection.execute(
        "SELECT leaf, first_ms, last_ms FROM main.samples AS samples "
        "WHERE samples.meter = ? AND seq = ?",
        (row_seal.of(connection).alias(meter), seq),
    ).fetchone()
    archive = archive_of(connection)
    if row is not None or archive is None:
        return row
    left = archive.leaves(leaf, leaf + 1).get(leaf)
    if left is None or left.sample is None or left.sample[:2] != (meter, seq):
        return None
    return leaf, left.sample[2], left.sample[3]


def samples_of(connection: sqlite3.Connection, meter: bytes) -> tuple[str, tuple[bytes, ...]]:
    """What to select the samples of a meter from: `leaf, seq, first_ms, last_ms, verdict`, and the
    parameters of that text. Of those that have left, the ones that were reached (see
    `store.archived`) are among them."""
    columns = "SELECT leaf, seq, first_ms, last_ms, verdict FROM"
    here = f"{columns} main.samples AS samples JOIN leaves USING (leaf) WHERE samples.meter = ?"
    alias = row_seal.of(connection).alias(meter)
    if archive_of(connection) is None:
        return f"({here})", (alias,)
    left = f"{columns} temp.archived_samples WHERE meter = ?"
    return f"({here} UNION ALL {left})", (alias, alias)


def headers_of(connection: sqlite3.Connection, commit: int, ids: Sequence[int]) -> list[bytes]:
    """The headers of the blocks that a commit took, by these ids in their order. Raises StoreError
    or ArchiveError if one is neither here nor there."""
    archive = archive_of(connection)
    left = {} if archive is None else archive.blocks_of(commit)
    if any(block_id not in left for block_id in ids):
        return block_rows.load_headers(connection, ids)
    return [left[block_id].header for block_id in ids]
