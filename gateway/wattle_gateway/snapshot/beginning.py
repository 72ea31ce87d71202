"""A new ledger out of a snapshot file: read row by row, proved, and only then in its place.

What the own keys have signed before is no part of a snapshot: whose ledger was lost stays so
(consensus rule 32), and who never had one signs as every newcomer does.
"""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from wattle_gateway.contracts import snapshot as snapshot_format
from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.errors import StoreError, UsageError
from wattle_gateway.home import durable_file
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.snapshot import proving, stored
from wattle_gateway.snapshot.proving import ProvedBase, RowsSeen
from wattle_gateway.store import base_rows, own_rows, schema
from wattle_gateway.store import connection as database
from wattle_gateway.store.connection import store_errors_named

_DRAFT = ".begin"
_BESIDE = ("-wal", "-shm")


@dataclass(frozen=True)
class Begun:
    """What a ledger begins with; `lost`: what its gateway's keys have signed is not known."""

    proved: ProvedBase
    lost: bool


def begin(path: Path, file: Path, first: Epoch, kid: bytes) -> Begun:
    """Make the ledger.db at `path`, of the stopped gateway with block kid `kid`, begin with the
    snapshot in `file`; `first` is epoch 0.

    Raises SnapshotError for a snapshot that is not proved, UsageError for a file that cannot be
    read or a ledger that has begun already, StoreError. Then nothing has changed.
    """
    lost = _is_lost(path, first)
    draft = path.with_name(path.name + _DRAFT)
    _remove(draft)
    try:
        database.create_ledger(draft, first.ledger_id, lost=lost)
        proved = _fill(draft, file, first)
        _check_others(proved, kid)
        _remove(path)
        draft.replace(path)
        durable_file.sync_folder(path.parent)
    finally:
        _remove(draft)
    return Begun(proved, lost)


def _is_lost(path: Path, first: Epoch) -> bool:
    """Whether the new ledger takes the place of one that is gone; UsageError if it is not gone."""
    if not path.exists():
        return True
    writer = database.open_writer(path, schema.LEDGER, first.ledger_id)
    with closing(writer), store_errors_named(path):
        used = [
            table
            for table in ("base", "blocks", "commits", "pool")
            if writer.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None
        ]
        mark = own_rows.load(writer)
    if used or mark.round:
        raise UsageError(
            f"{path} is a ledger that has begun: a snapshot is for a gateway without one; "
            "this one catches up by itself when it runs"
        )
    return mark.lost


def _fill(draft: Path, file: Path, first: Epoch) -> ProvedBase:
    writer = database.open_writer(draft, schema.LEDGER, first.ledger_id)
    with closing(writer), store_errors_named(draft):
        # Nobody relies on the new file before it is whole; what is written is synced at the end.
        writer.execute("PRAGMA synchronous = OFF")
        with database.transaction(writer):
            try:
                with file.open("rb") as source:
                    snapshot = snapshot_format.read_beginning(source)
                    seen = RowsSeen()
                    base_rows.insert_state(writer, seen.watch(snapshot_format.read_rows(source)))
            except OSError as error:
                raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
            proved = proving.prove(snapshot, seen, first)
            leaves = (*proved.leaves, (proved.base.index, proved.base.body))
            base_rows.insert(writer, proved.base, leaves, stored.trail_parts(snapshot))
        writer.execute("PRAGMA synchronous = FULL")
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return proved


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
