"""The parts of the archive that a damaged ledger.db names, each read and held against its hash.

Of ledger.db nothing is believed here but names and SHA-256 of the files; what a part holds is read
off them. Whoever executes the ledger anew verifies the rest (`archive.remaking`).
"""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from wattle_gateway.archive import fetching, mover, names, parquet_files
from wattle_gateway.archive.fetching import AlteredFileError
from wattle_gateway.archive.rows import BLOCKS, LOG, READINGS, PartRows
from wattle_gateway.archive.target import MissingFileError, Target
from wattle_gateway.errors import ArchiveError, StoreError
from wattle_gateway.ledger import leaf as leaf_format
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.store import archive_rows, base_rows, ledger_rows
from wattle_gateway.store.archive_rows import Part, StoredFile

# Of wrong files so many are told by name.
WRONG_TOLD_MAX = 10


@dataclass(frozen=True)
class FoundPart:
    """A part whose log and blocks are as they were put there. `part.contents` are what these say,
    with no edge; `readings_wrong` what is wrong with its third file, which can be made of them;
    `newest_id` the highest id of its blocks; `gone` how many of them are in the archive alone."""

    part: Part
    files: Mapping[str, StoredFile]
    readings_wrong: str
    newest_id: int
    gone: int


@dataclass(frozen=True)
class WrongPart:
    """One that cannot be taken over, and why; it begins with `first_commit`, None: not known."""

    number: int
    first_commit: int | None
    wrong: str


class WrongPartsError(ArchiveError):
    """Parts without which the ledger cannot be put together, all in `parts`."""

    def __init__(self, parts: Sequence[WrongPart]) -> None:
        told = "; ".join(f"part {one.number}: {one.wrong}" for one in parts[:WRONG_TOLD_MAX])
        more = f"; {len(parts) - WRONG_TOLD_MAX} more" if len(parts) > WRONG_TOLD_MAX else ""
        super().__init__(
            f"{told}{more}. Put back a copy of each such file (its SHA-256 decides) and repair "
            "again; or `repair --refetch`: it keeps what comes before the first of them, and the "
            "gateway fetches the rest from the others, of whom one must still have those days, in "
            "ledger.db or in an archive of its own"
        )
        self.parts = parts


@dataclass(frozen=True)
class Found:
    """All parts that ledger.db names: those in an unbroken row from its beginning, and what is
    wrong with others."""

    parts: list[FoundPart]
    wrong: list[WrongPart]


def find(connection: sqlite3.Connection, target: Target) -> Found:
    """Read every part. Raises ArchiveError if the archive does not answer, sqlite3.DatabaseError
    if ledger.db cannot be read."""
    found = Found([], [])
    following = base_rows.first_index(connection)
    for number, files in sorted(_files(connection).items()):
        first_commit = None
        try:
            part = _named(number, files)
            first_commit = part.first_commit
            if first_commit != following:
                raise _UnusableError(f"it begins with commit {first_commit}, expected {following}")
            following = part.last_commit + 1
            read = _read(connection, target, part, files)
        except (MissingFileError, AlteredFileError, _UnusableError) as error:
            found.wrong.append(WrongPart(number, first_commit, str(error)))
            continue
        if not found.wrong:
            found.parts.append(read)
    with suppress(sqlite3.DatabaseError, LedgerError, StoreError):  # a mere cross-check
        through = archive_rows.gone_through(connection)
        if through >= following and not _is_here(connection, following):
            text = f"ledger.db names no files of commits {following} to {through}, which have left"
            found.wrong.append(WrongPart(1 + len(found.parts), following, text))
    return found


class _UnusableError(ArchiveError):
    """A part that is named, there and unaltered, and still none."""


def _files(connection: sqlite3.Connection) -> dict[int, dict[str, StoredFile]]:
    found: dict[int, dict[str, StoredFile]] = {}
    rows = connection.execute("SELECT part, dataset, name, bytes, rows, sha256 FROM archive_files")
    for number, *row in rows:
        file = StoredFile(*row)
        found.setdefault(number, {})[file.dataset] = file
    return found


def _named(number: int, files: Mapping[str, StoredFile]) -> Part:
    """The part that its files are named after."""
    said = set()
    for dataset in (LOG, BLOCKS):
        if dataset not in files:
            raise _UnusableError(f"ledger.db names no file of {dataset}")
        said.add(names.parse(files[dataset].name, dataset))
    named = said.pop()
    if said or named is None:
        raise _UnusableError("ledger.db has names of its files that are none")
    return Part(number, named.day, named.first_commit, named.last_commit, None, 0)


def _read(
    connection: sqlite3.Connection, target: Target, part: Part, files: Mapping[str, StoredFile]
) -> FoundPart:
    raw = {dataset: fetching.fetch(target, files[dataset]) for dataset in (LOG, BLOCKS)}
    try:
        log = parquet_files.log_rows(raw[LOG])
        blocks = parquet_files.block_rows(raw[BLOCKS])
    except ArchiveError as error:
        raise _UnusableError(f"{files[LOG].name}: {error}") from error
    commits = [row.commit for row in log if row.kind == leaf_format.COMMIT]
    if commits != list(range(part.first_commit, part.last_commit + 1)):
        raise _UnusableError(f"{files[LOG].name}: holds other commits than its name says")
    ids = [row.block for row in blocks]
    here = sum(1 for block_id in ids if _has_block(connection, block_id))
    whole = Part(
        part.number,
        part.day,
        part.first_commit,
        part.last_commit,
        mover.summary(PartRows(log, blocks, []), b""),
        part.last_commit,
    )
    wrong = _wrong_readings(target, files)
    return FoundPart(whole, files, wrong, max(ids, default=0), len(ids) - here)


def _wrong_readings(target: Target, files: Mapping[str, StoredFile]) -> str:
    if READINGS not in files:
        return f"ledger.db names no file of {READINGS}"
    try:
        fetching.fetch(target, files[READINGS])
    except (MissingFileError, AlteredFileError) as error:
        return str(error)
    return ""


def _is_here(connection: sqlite3.Connection, commit: int) -> bool:
    """Whether ledger.db has the blocks of a commit."""
    stored = ledger_rows.load_commit(connection, commit)
    return stored is not None and all(_has_block(connection, one) for one in stored.blocks)


def _has_block(connection: sqlite3.Connection, block_id: int) -> bool:
    found = connection.execute("SELECT 1 FROM blocks WHERE id = ?", (block_id,)).fetchone()
    return found is not None
