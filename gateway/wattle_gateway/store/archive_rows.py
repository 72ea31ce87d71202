"""What has left ledger.db for the archive: stretches of commits ("parts"), their files, and the
removal of their rows.

A part is planned, its files are stored and checked, then its rows are taken out commit by commit;
each of these is a write of its own, so that a power cut is followed by the very next step.
Nothing here begins or ends a transaction.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wattle_gateway.sealing import row_seal
from wattle_gateway.store.schema import ENTRIES_A_BLOCK


@dataclass(frozen=True)
class StoredFile:
    """A file of a part: `name` below the archive's target, `rows` in it."""

    dataset: str
    name: str
    size_bytes: int
    rows: int
    sha256: bytes


@dataclass(frozen=True)
class Contents:
    """What a part has in it. `edge`: `RightEdge` of the log behind its last leaf, encoded;
    `first_round` the lowest of its blocks; `first_ms`, `last_ms` of its readings, None: none."""

    first_leaf: int
    end_leaf: int
    edge: bytes
    epoch: int
    first_round: int
    first_ms: int | None
    last_ms: int | None
    blocks: int
    entries: int
    samples: int


@dataclass(frozen=True)
class Part:
    """A stretch of commits of one UTC day and one epoch. `contents`: None while it is planned.

    `gone_commit`: rows of commits up to it are not in ledger.db any more, 0: all are.
    """

    number: int
    day: str
    first_commit: int
    last_commit: int
    contents: Contents | None
    gone_commit: int

    @property
    def begun(self) -> bool:
        """Whether rows of it are gone."""
        return self.gone_commit >= self.first_commit

    @property
    def done(self) -> bool:
        """Whether all rows are gone that go."""
        return self.gone_commit == self.last_commit


@dataclass(frozen=True)
class Gone:
    """Rows that are not in ledger.db any more, by table."""

    blocks: int
    entries: int
    leaves: int
    samples: int


@dataclass(frozen=True)
class Removal:
    """The rows of commits up to `commit` of a part that are to go: ids of blocks (with all their
    entries), leaves, and (meter, seq) of samples."""

    commit: int
    blocks: Sequence[int]
    leaves: Sequence[int]
    samples: Sequence[tuple[bytes, int]]


_CONTENTS = (
    "first_leaf, end_leaf, edge, epoch, first_round, first_ms, last_ms, blocks, entries, samples"
)


def load(connection: sqlite3.Connection) -> list[Part]:
    """All parts, in the ledger's order."""
    rows = connection.execute(
        f"SELECT part, day, first_commit, last_commit, stored, gone_commit, {_CONTENTS} "
        "FROM archive_parts ORDER BY part"
    )
    return [
        Part(number, day, first, last, Contents(*more) if stored else None, gone_commit)
        for number, day, first, last, stored, gone_commit, *more in rows
    ]


def files_of(connection: sqlite3.Connection, part: int) -> dict[str, StoredFile]:
    """The files of a part by dataset, none while it is planned."""
    rows = connection.execute(
        "SELECT dataset, name, bytes, rows, sha256 FROM archive_files WHERE part = ?", (part,)
    )
    return {row[0]: StoredFile(*row) for row in rows}


def plan(
    connection: sqlite3.Connection, number: int, day: str, first_commit: int, last_commit: int
) -> None:
    """Part `number` is to be these commits: whatever was stored of it before is written anew."""
    connection.execute(
        "INSERT INTO archive_parts VALUES "
        "(?, ?, ?, ?, 0, 0, 0, NULL, 0, 0, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, 0)",
        (number, day, first_commit, last_commit),
    )


def mark_stored(
    connection: sqlite3.Connection, number: int, contents: Contents, files: Iterable[StoredFile]
) -> None:
    """The files of a planned part are in the archive, read back and checked."""
    names = _CONTENTS.split(", ")
    settings = ", ".join(f"{name} = ?" for name in names)
    connection.execute(
        f"UPDATE archive_parts SET stored = 1, {settings} WHERE part = ? AND stored = 0",
        (*(getattr(contents, name) for name in names), number),
    )
    connection.executemany(
        "INSERT INTO archive_files VALUES (?, ?, ?, ?, ?, ?)",
        [(number, one.dataset, one.name, one.size_bytes, one.rows, one.sha256) for one in files],
    )


def remove(connection: sqlite3.Connection, number: int, removal: Removal) -> None:
    """Take rows of a stored part out."""
    counts = Gone(
        blocks=_delete(connection, "blocks WHERE id = ?", [(one,) for one in removal.blocks]),
        entries=_delete(
            connection,
            "entries WHERE id >= ? AND id < ?",
            [(one * ENTRIES_A_BLOCK, (one + 1) * ENTRIES_A_BLOCK) for one in removal.blocks],
        ),
        leaves=_delete(connection, "leaves WHERE leaf = ?", [(one,) for one in removal.leaves]),
        samples=_delete(
            connection,
            "samples WHERE meter = ? AND seq = ?",
            [(row_seal.of(connection).alias(meter), seq) for meter, seq in removal.samples],
        ),
    )
    connection.execute(
        "UPDATE archive_parts SET gone_commit = ?, gone_blocks = gone_blocks + ?, "
        "gone_entries = gone_entries + ?, gone_leaves = gone_leaves + ?, "
        "gone_samples = gone_samples + ? WHERE part = ? AND stored = 1",
        (removal.commit, counts.blocks, counts.entries, counts.leaves, counts.samples, number),
    )


def _delete(
    connection: sqlite3.Connection, what: str, rows: Sequence[tuple[bytes, int] | tuple[int, ...]]
) -> int:
    return max(0, connection.executemany(f"DELETE FROM main.{what}", rows).rowcount)


def gone(connection: sqlite3.Connection) -> Gone:
    """How many rows have left, all parts together."""
    row = connection.execute(
        "SELECT coalesce(sum(gone_blocks), 0), coalesce(sum(gone_entries), 0), "
        "coalesce(sum(gone_leaves), 0), coalesce(sum(gone_samples), 0) FROM archive_parts"
    ).fetchone()
    return Gone(*row)


def gone_through(connection: sqlite3.Connection, epoch: int | None = None) -> int:
    """The newest commit, or the newest of an epoch, whose blocks may not be in ledger.db any more,
    0: all are."""
    (found,) = connection.execute(
        "SELECT coalesce(max(gone_commit), 0) FROM archive_parts WHERE ?1 IS NULL OR epoch = ?1",
        (epoch,),
    ).fetchone()
    return int(found)


def leaves_gone(connection: sqlite3.Connection) -> int:
    """How many leaves of the log stand before the first one that has surely not left."""
    (end,) = connection.execute(
        "SELECT coalesce(max(end_leaf), 0) FROM archive_parts WHERE gone_commit > 0"
    ).fetchone()
    return int(end)


def has_left(connection: sqlite3.Connection, leaf: int) -> bool:
    """Whether a ledger index lies in a part of which rows have left."""
    row = connection.execute(
        "SELECT 1 FROM archive_parts WHERE first_leaf <= ? AND end_leaf > ? AND gone_commit > 0",
        (leaf, leaf),
    ).fetchone()
    return row is not None


def free_bytes(connection: sqlite3.Connection) -> int:
    """The size of the pages of the file that are empty: SQLite fills them before it grows."""
    (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages * page_bytes)
