"""A new ledger out of a snapshot file: read row by row, proved, and only then in its place.

What the own keys have signed before is no part of a snapshot: whose ledger was lost stays so
(consensus rule 32), who has an older one goes on from what that says, and who never had one signs
as every newcomer does.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from wattle_gateway.audit import repair, salvage
from wattle_gateway.contracts import snapshot as snapshot_format
from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.contracts.snapshot import Snapshot
from wattle_gateway.errors import SchemaVersionError, StorageKeyError, StoreError, UsageError
from wattle_gateway.home import durable_file
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.snapshot import proving, stored
from wattle_gateway.snapshot.proving import ProvedBase, RowsSeen
from wattle_gateway.store import base_rows, own_rows, pool_rows, schema
from wattle_gateway.store import connection as database
from wattle_gateway.store.connection import store_errors_named
from wattle_gateway.store.own_rows import OwnMark

_DRAFT = ".begin"
_ASIDE = ".before"
_BESIDE = ("-wal", "-shm")


@dataclass(frozen=True)
class Begun:
    """What a ledger begins with; `lost`: what its gateway's keys have signed is not known;
    `waiting` how many entries wait for a block, out of the older ledger that is `aside` now."""

    proved: ProvedBase
    lost: bool
    waiting: int
    aside: Path | None


@dataclass(frozen=True)
class _Older:
    """The ledger that was there: None for none at all, or an empty one. `mark` of what it signed,
    None if that cannot be trusted; `index` of its newest commit."""

    connection: sqlite3.Connection | None
    mark: OwnMark | None
    index: int


def begin(path: Path, file: Path, first: Epoch, kid: bytes) -> Begun:
    """Make the ledger.db at `path`, of the stopped gateway with block kid `kid`, begin with the
    snapshot in `file`; `first` is epoch 0.

    An older ledger is set aside; what waited in it, own blocks that no commit took included, waits
    in the new one, and what it signed last is known there.

    Raises SnapshotError for a snapshot that is not proved, UsageError for a file that cannot be
    read or a ledger that is as far already, StoreError. Then nothing has changed.
    """
    draft = path.with_name(path.name + _DRAFT)
    _remove(draft)
    try:
        with _older(path, first, kid) as older:
            lost = older.mark is None or older.mark.lost
            database.create_ledger(draft, first.ledger_id, lost=lost)
            proved, waiting = _fill(draft, file, first, kid, older)
        _check_others(proved, kid)
        aside = None
        if older.connection is None:
            _remove(path)
            draft.replace(path)
            durable_file.sync_folder(path.parent)
        else:
            aside = repair.exchange(path, draft, _ASIDE)
    except OSError as error:
        raise StoreError(f"{path}: cannot be replaced: {error.strerror}") from error
    finally:
        _remove(draft)
    return Begun(proved, lost, waiting, aside)


@contextmanager
def _older(path: Path, first: Epoch, kid: bytes) -> Iterator[_Older]:
    """What is at `path`, as far as it can be read."""
    if not path.exists():
        yield _Older(None, None, 0)
        return
    try:
        database.open_writer(path, schema.LEDGER, first.ledger_id).close()  # migrates it
    except (SchemaVersionError, StorageKeyError):
        raise
    except StoreError:
        pass  # damaged: what of it can be read is found below
    with closing(repair.opened(path)) as connection:
        try:
            used = any(
                connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None
                for table in ("blocks", "commits", "pool", "base")
            )
            (index,) = connection.execute("SELECT max(commit_index) FROM commits").fetchone()
            if index is None:
                index = base_rows.first_index(connection) - 1
            mark = own_rows.load(connection)
        except (sqlite3.DatabaseError, TypeError):
            used, index, mark = True, 0, None
        if not used and mark is not None and mark.round == 0:
            yield _Older(None, mark, 0)
        else:
            yield _Older(connection, salvage.trusted_mark(connection, kid, first), index)


def _fill(
    draft: Path, file: Path, first: Epoch, kid: bytes, older: _Older
) -> tuple[ProvedBase, int]:
    writer = database.open_writer(draft, schema.LEDGER, first.ledger_id)
    with closing(writer), store_errors_named(draft):
        # Nobody relies on the new file before it is whole; what is written is synced at the end.
        writer.execute("PRAGMA synchronous = OFF")
        with database.transaction(writer):
            snapshot, seen = _read(writer, file)
            proved = proving.prove(snapshot, seen, first)
            if proved.base.index <= older.index:
                raise UsageError(
                    f"the ledger has come to commit {older.index} already, the snapshot is of "
                    f"{proved.base.index}: start the gateway, and it catches up by itself"
                )
            leaves = (*proved.leaves, (proved.base.index, proved.base.body))
            base_rows.insert(writer, proved.base, leaves, stored.trail_parts(snapshot))
            _take_over(writer, older, first, kid)
        waiting = pool_rows.size(writer)
        writer.execute("PRAGMA synchronous = FULL")
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return proved, waiting


def _read(writer: sqlite3.Connection, file: Path) -> tuple[Snapshot, RowsSeen]:
    """The snapshot in a file, whose rows are written as they are read: they may be gigabytes."""
    seen = RowsSeen()
    try:
        with file.open("rb") as source:
            snapshot = snapshot_format.read_beginning(source)
            base_rows.insert_state(writer, seen.watch(snapshot_format.read_rows(source)))
    except OSError as error:
        raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
    return snapshot, seen


def _take_over(writer: sqlite3.Connection, older: _Older, first: Epoch, kid: bytes) -> None:
    """What waited is acknowledged, and what was signed must not be signed twice."""
    if older.connection is None:
        return
    salvage.keep_waiting(older.connection, writer, first.ledger_id, kid)
    if older.mark is not None:
        own_rows.raise_to(writer, older.mark.epoch, older.mark.round)
        if older.mark.silent_epoch is not None:
            own_rows.save_silence(writer, older.mark.silent_epoch)


def _check_others(proved: ProvedBase, kid: bytes) -> None:
    epoch = proved.epochs.newest
    if epoch.size == 1 and epoch.author_of(kid) is not None:
        raise SnapshotError(
            "this gateway is the only voting member there: nobody else has what it decided since; "
            "put a backup back with `wattle-gateway restore`"
        )


def _remove(path: Path) -> None:
    try:
        for name in (path.name, *(path.name + suffix for suffix in _BESIDE)):
            path.with_name(name).unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{path}: cannot be removed: {error.strerror}") from error
