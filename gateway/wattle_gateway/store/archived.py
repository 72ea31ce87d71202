"""What of a ledger is not in ledger.db any more, for whoever reads it: an archive beside a
connection.

Only readers have one. The ledger's own thread never waits for a disk or a store elsewhere: to it,
what has left is not here.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wattle_gateway.errors import StoreError
from wattle_gateway.sealing import row_seal
from wattle_gateway.sealing.row_seal import SealedConnection


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
        all, stand in the temporary table `archived_samples` (see `keep`), perhaps with
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
_COLUMNS = """(
    leaf INTEGER PRIMARY KEY,
    meter BLOB NOT NULL,            -- as ledger.db has it: of a sealed one, its alias
    seq INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    verdict INTEGER NOT NULL,
    commit_index INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,       -- of the commit
    body BLOB NOT NULL
)"""
ARCHIVED_SAMPLES = f"""
CREATE TEMP TABLE archived_samples {_COLUMNS};
CREATE INDEX temp.archived_samples_of_meter ON archived_samples (meter, seq);
"""
# A sealed connection's temporary tables stay in memory, and a year of samples would not fit there:
# they lie in a file, as a plain one's do, but sealed, under a key that dies with the connection.
SPILLED_SAMPLES = f"""
PRAGMA spill.journal_mode = OFF;
PRAGMA spill.synchronous = OFF;
CREATE TABLE spill.archived_samples {_COLUMNS};
CREATE INDEX spill.archived_samples_of_meter ON archived_samples (meter, seq);
CREATE TEMP VIEW archived_samples AS SELECT leaf, meter, seq, first_ms, last_ms, verdict,
    commit_index, time_ms, unspilled(leaf, body) AS body FROM spill.archived_samples;
"""
SPILL_FOLDERS = ("/var/tmp", "/tmp")
_NONCE_BYTES = 12


@dataclass(frozen=True)
class ArchivedSample:
    """A sample that has left: `body` its entry, `time_ms` of its commit."""

    leaf: int
    meter: bytes
    seq: int
    first_ms: int
    last_ms: int
    verdict: int
    commit_index: int
    time_ms: int
    body: bytes


@dataclass(frozen=True)
class _Beside:
    """What a connection has beside it; `close_body` seals what is spilled: (leaf, body)."""

    archive: Archive
    table: str
    close_body: Callable[[int, bytes], bytes]


# By id of the connection, as long as `attached` lasts: a plain connection can carry nothing.
_beside: dict[int, _Beside] = {}


@contextmanager
def attached(
    connection: sqlite3.Connection, archive: Archive, *, samples: bool = True
) -> Iterator[None]:
    """Reading over `connection` goes on in `archive` where rows have left. Inside the block the
    connection stays open; no transaction is open at its beginning. `samples`: a table for them is
    made, for `Archive.reach`. Raises StoreError if that cannot be."""
    beside = _Beside(archive, "temp.archived_samples", lambda _leaf, body: body)
    if samples and isinstance(connection, SealedConnection):
        beside = _Beside(archive, "spill.archived_samples", _spill(connection))
    elif samples:
        connection.executescript(ARCHIVED_SAMPLES)
    _beside[id(connection)] = beside
    try:
        yield
    finally:
        del _beside[id(connection)]


def archive_of(connection: sqlite3.Connection) -> Archive | None:
    """The archive beside a connection, None: nothing has left, or this is no reader."""
    beside = _beside.get(id(connection))
    return None if beside is None else beside.archive


def keep(connection: sqlite3.Connection, samples: Iterable[ArchivedSample]) -> None:
    """Put samples into `archived_samples`, without those that ledger.db has itself."""
    beside = _beside[id(connection)]
    seal = row_seal.of(connection)
    connection.executemany(
        f"INSERT OR IGNORE INTO {beside.table} SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9 "
        "WHERE NOT EXISTS (SELECT 1 FROM main.leaves WHERE leaf = ?1)",
        (
            (
                one.leaf,
                seal.alias(one.meter),
                one.seq,
                one.first_ms,
                one.last_ms,
                one.verdict,
                one.commit_index,
                one.time_ms,
                beside.close_body(one.leaf, one.body),
            )
            for one in samples
        ),
    )


def _spill(connection: sqlite3.Connection) -> Callable[[int, bytes], bytes]:
    """Make the table in a file without a name; gives what seals a body for it."""
    cipher = AESGCM(AESGCM.generate_key(bit_length=256))

    def close_body(leaf: int, body: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + cipher.encrypt(nonce, body, b"%d" % leaf)

    def open_body(leaf: int, sealed: bytes) -> bytes:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], b"%d" % leaf)

    connection.create_function("unspilled", 2, open_body, deterministic=True)
    folders = (os.environ.get("TMPDIR", ""), *SPILL_FOLDERS)
    folder = next((one for one in folders if one and os.access(one, os.W_OK | os.X_OK)), "")
    try:
        descriptor, path = tempfile.mkstemp(prefix="wattle-", dir=folder or None)
        os.close(descriptor)
        try:
            connection.execute("ATTACH ? AS spill", (f"{Path(path).as_uri()}?mode=rw",))
            connection.executescript(SPILLED_SAMPLES)
        finally:
            os.unlink(path)  # SQLite has it open
    except OSError as error:
        raise StoreError(
            f"{folder or 'a folder for temporary files'}: cannot be written: {error.strerror}"
        ) from error
    return close_body
