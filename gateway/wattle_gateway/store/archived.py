"""What of a ledger is not in ledger.db any more, for whoever reads it: an archive beside a
connection.

Only readers have one. The ledger's own thread never waits for a disk or a store elsewhere: to it,
what has left is not here.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class ArchivedBlock:
    """A block that has left: `id` of the row that it had, `commit` the one that took it (None:
    none did)."""

    round: int
    author: int
    id: int
    commit: int | None
    header: bytes
    entries: tuple[bytes, ...]


@dataclass(frozen=True)
class ArchivedLeaf:
    """A leaf of an entry that has left, as its rows were: `entry` the id, `sample` None or
    (meter, seq, first_ms, last_ms); `leaf_bytes` what the log's tree is over."""

    leaf: int
    entry: int
    verdict: int
    commit: int
    sample: tuple[bytes, int, int, int] | None
    leaf_bytes: bytes


class Archive(Protocol):
    """Gives back what has left, checked against the hashes of ledger.db. Each raises ArchiveError
    that names the file which is missing or altered, or the store that does not answer."""

    def leaves(self, first: int, end: int) -> Mapping[int, ArchivedLeaf]:
        """The leaves of entries that have left, of first <= ledger index < end."""

    def reach(self, meter: bytes | None, from_ms: int | None, to_ms: int | None) -> None:
        """Make the samples that have left and have readings in [from_ms, to_ms), of one meter or
        all, stand in the temporary table `archived_samples` (see ARCHIVED_SAMPLES), perhaps with
        others."""

    def blocks(self, epoch: int) -> Iterator[ArchivedBlock]:
        """The blocks of an epoch that have left, by rising (round, author, id). Some may be in
        ledger.db still."""

    def blocks_of(self, commit: int) -> Mapping[int, ArchivedBlock]:
        """The blocks by id that a commit took, if it has left."""

    def around(self, commit: int) -> Mapping[int, ArchivedBlock]:
        """The blocks by id of the parts of a commit and of the one after it: those that voted for
        it are among them, as far as they have left. Their epochs their headers say."""


# Samples that are in ledger.db are not in it.
ARCHIVED_SAMPLES = """
CREATE TEMP TABLE archived_samples (
    leaf INTEGER PRIMARY KEY,
    meter BLOB NOT NULL,
    seq INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    verdict INTEGER NOT NULL,
    commit_index INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,       -- of the commit
    body BLOB NOT NULL
);
CREATE INDEX temp.archived_samples_of_meter ON archived_samples (meter, seq);
"""

# By id of the connection, as long as `attached` lasts: a plain connection can carry nothing.
_archives: dict[int, Archive] = {}


@contextmanager
def attached(connection: sqlite3.Connection, archive: Archive) -> Iterator[None]:
    """Reading over `connection` goes on in `archive` where rows have left. Inside the block the
    connection stays open; no transaction is open at its beginning."""
    connection.executescript(ARCHIVED_SAMPLES)
    _archives[id(connection)] = archive
    try:
        yield
    finally:
        del _archives[id(connection)]


def archive_of(connection: sqlite3.Connection) -> Archive | None:
    """The archive beside a connection, None: nothing has left, or this is no reader."""
    return _archives.get(id(connection))
