"""`repair`: a ledger that an audit found damaged, put together again; the old file is kept.

What is lacking afterwards the gateway fetches from its peers when it runs, like any that was
away: it signs nothing before enough of them have answered (rules 31 and 32).
"""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from wattle_gateway.audit import salvage
from wattle_gateway.audit.salvage import Salvaged
from wattle_gateway.errors import StoreError
from wattle_gateway.home import durable_file
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.store import archive_rows, sealed_file

_DRAFT = ".repair"
_DAMAGED = ".damaged"
_BESIDE = ("-wal", "-shm")


def repair(path: Path, first: Epoch, kid: bytes) -> tuple[Salvaged, Path]:
    """Rebuild the ledger.db of a stopped gateway; `first` is epoch 0, `kid` of its block key.

    Gives what was saved and where the old file is now. Raises StoreError if it cannot be read at
    all or written anew, and for the ledger of one member that has lost blocks: nobody has them,
    and what meters were shown of it cannot be taken back.
    """
    draft = path.with_name(path.name + _DRAFT)
    _remove(draft)
    if not path.is_file():
        raise StoreError(f"{path}: no such database")
    with closing(opened(path)) as damaged:
        _refuse_archived(path, damaged)
        saved = salvage.salvage(damaged, draft, first, kid)
    if saved.epoch.size == 1 and (saved.left_out or saved.lost):
        _remove(draft)
        raise StoreError(
            f"{path}: blocks are lost and nobody else has them ({saved.difference}); "
            "put a copy of the file in its place"
        )
    return saved, exchange(path, draft)


def _refuse_archived(path: Path, damaged: sqlite3.Connection) -> None:
    """What has left is not in the file, and so would not be in a new one."""
    try:
        through = archive_rows.gone_through(damaged)
    except sqlite3.DatabaseError:
        return  # older than archives, or too torn to tell: then nothing is found either
    if through:
        raise StoreError(
            f"{path}: what was committed up to {through} has left for the archive, and repair puts "
            "together only what is in the file; restore a backup, or begin with a snapshot"
        )


def opened(path: Path) -> sqlite3.Connection:
    """The damaged file, whatever its state; StorageKeyError if it is sealed and does not open."""
    try:
        factory = sealed_file.factory_for(path, sqlite3.Connection)
    except sqlite3.DatabaseError:
        return sqlite3.connect(path, isolation_level=None)  # not even its tables can be read
    damaged = sqlite3.connect(path, isolation_level=None, factory=factory)
    try:
        sealed_file.attach(damaged, path)
    except BaseException:
        damaged.close()
        raise
    return damaged


def exchange(path: Path, draft: Path, suffix: str = _DAMAGED) -> Path:
    """Put the draft in the place of a file; there is a file at `path` at every moment. Gives where
    the old one is now."""
    aside = _free_name(path, suffix)
    os.link(path, aside)
    for beside in _BESIDE:
        # A log left by the old file would be read into the new one.
        with suppress(FileNotFoundError):
            path.with_name(path.name + beside).rename(aside.with_name(aside.name + beside))
    draft.replace(path)
    durable_file.sync_folder(path.parent)
    return aside


def _free_name(path: Path, suffix: str) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}{suffix}{number}")).exists():
        number += 1
    return aside


def _remove(draft: Path) -> None:
    for name in (draft.name, *(draft.name + suffix for suffix in _BESIDE)):
        draft.with_name(name).unlink(missing_ok=True)
