"""`repair`: a ledger that an audit found damaged, put together again; the old file is kept.

What is lacking afterwards the gateway fetches from its peers when it runs, like any that was
away: it signs nothing before enough of them have answered (rules 31 and 32). What has left for
the archive stays there: it is read, verified like the rest, and noted again.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from wattle_gateway.audit import salvage
from wattle_gateway.audit.salvage import Salvaged
from wattle_gateway.errors import ArchiveError, StoreError
from wattle_gateway.home import durable_file
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.store import archive_rows, sealed_file

if TYPE_CHECKING:
    # Arrow comes with it, and most ledgers have no archive.
    from wattle_gateway.archive.recovery import FoundPart
    from wattle_gateway.archive.target import Target

_DRAFT = ".repair"
_DAMAGED = ".damaged"


def repair(
    path: Path,
    first: Epoch,
    kid: bytes,
    target: "Callable[[], Target] | None" = None,
    *,
    refetch: bool = False,
) -> tuple[Salvaged, Path]:
    """Rebuild the ledger.db of a stopped gateway; `first` is epoch 0, `kid` of its block key;
    `target` opens the archive. `refetch`: where a file of the archive is missing or altered, keep
    what is before it, for the peers to give the rest.

    Gives what was saved and where the old file is now. Raises StoreError if it cannot be read at
    all or written anew, and for the only member's ledger that has lost blocks: nobody has them,
    and what meters were shown of it cannot be taken back. Raises WrongPartsError for files of the
    archive that are missing or altered, ArchiveError if it does not answer.
    """
    draft = path.with_name(path.name + _DRAFT)
    salvage.remove(draft)
    if not path.is_file():
        raise StoreError(f"{path}: no such database")
    with closing(opened(path)) as damaged:
        try:
            if _nothing_left(damaged):
                saved, given_up = salvage.salvage(damaged, draft, first, kid), ""
            else:
                if target is None:
                    raise ArchiveError(f"{path}: part of it has left, expected an archive beside")
                saved, given_up = _with_archive(
                    damaged, draft, first, kid, target(), refetch=refetch
                )
        except BaseException:
            salvage.remove(draft)
            raise
    # An observer of such a ledger fetches them from its member.
    is_only = saved.epoch.size == 1 and saved.epoch.author_of(kid) is not None
    if is_only and (saved.left_out or saved.lost or given_up):
        salvage.remove(draft)
        raise StoreError(
            f"{path}: blocks are lost and nobody else has them "
            f"({given_up or saved.difference}); put a copy of the file in its place"
        )
    return saved, exchange(path, draft)


def _nothing_left(damaged: sqlite3.Connection) -> bool:
    """Whether ledger.db knows of no file of an archive."""
    try:
        (tables,) = damaged.execute(
            "SELECT count(*) FROM sqlite_master WHERE name = 'archive_files'"
        ).fetchone()
    except sqlite3.DatabaseError:
        return True  # too torn to tell: then nothing is found either
    if not tables:
        return True  # older than archives
    try:
        (files,) = damaged.execute("SELECT count(*) FROM archive_files").fetchone()
        return not files and not archive_rows.gone_through(damaged)
    except sqlite3.DatabaseError:
        return False


def _with_archive(
    damaged: sqlite3.Connection,
    draft: Path,
    first: Epoch,
    kid: bytes,
    target: "Target",
    *,
    refetch: bool,
) -> tuple[Salvaged, str]:
    """The same for a ledger of which part has left; and what was given up of the archive, "" if
    nothing was."""
    from wattle_gateway.archive import recovery
    from wattle_gateway.archive.recovery import WrongPart, WrongPartsError
    from wattle_gateway.archive.remaking import Remaking

    try:
        found = recovery.find(damaged, target)
    except sqlite3.DatabaseError as error:
        found = recovery.Found([], [WrongPart(1, 1, f"ledger.db does not tell: {error}")])
    parts: Sequence[FoundPart] = found.parts
    wrong = WrongPartsError(found.wrong) if found.wrong else None
    while True:
        if wrong is not None and not refetch:
            raise wrong
        try:
            saved = salvage.salvage(
                damaged, draft, first, kid, partial(Remaking, damaged, target, parts)
            )
        except WrongPartsError as error:
            wrong, number = error, error.parts[0].number
            parts = [one for one in parts if one.part.number < number]
            salvage.remove(draft)
            continue
        undone = [one.part for one in parts if one.part.last_commit > saved.head.index]
        if not undone or (wrong is not None and refetch):
            return saved, "" if wrong is None else str(wrong)
        number, first_commit = undone[0].number, undone[0].first_commit
        text = f"its blocks lead no further than commit {saved.head.index} ({saved.difference})"
        wrong = WrongPartsError([WrongPart(number, first_commit, text)])
        salvage.remove(draft)


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
    for beside in salvage.BESIDE:
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
