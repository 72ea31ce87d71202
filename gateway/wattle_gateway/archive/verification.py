"""The whole archive, file by file, against the tree of ledger.db."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from wattle_gateway.archive import fetching, parquet_files, part_check
from wattle_gateway.archive.mover import edge_before
from wattle_gateway.archive.rows import DATASETS
from wattle_gateway.archive.target import Target
from wattle_gateway.errors import ArchiveError
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.store import archive_rows
from wattle_gateway.store.archive_rows import Part


@dataclass(frozen=True)
class Verdict:
    """What was found of a part: `wrong` "" if it is sound."""

    part: Part
    size_bytes: int
    wrong: str


def verify(connection: sqlite3.Connection, target: Target, ledger_id: bytes) -> Iterator[Verdict]:
    """Fetch every stored part, hash every row that is on the log and hold it against the tree,
    every entry against its header and every reading against the signed bytes. A part that is
    wrong does not end it: the next one begins from what ledger.db knows of the tree there."""
    before: Part | None = None
    parts = [part for part in archive_rows.load(connection) if part.contents is not None]
    for part in parts:
        files = archive_rows.files_of(connection, part.number)
        wrong = ""
        try:
            content = {name: fetching.fetch(target, file) for name, file in files.items()}
            if content.keys() != set(DATASETS):
                raise ArchiveError(f"ledger.db names {len(content)} files of it, expected 3")
            rows = parquet_files.decode(content)
            assert part.contents is not None
            part_check.check_payloads(rows, ledger_id)
            part_check.check_readings(rows, ledger_id)
            edge = part_check.check_leaves(
                connection, edge_before(connection, before), rows.log, part.contents.end_leaf
            )
            if edge.encode() != part.contents.edge:
                raise ArchiveError("its leaves lead to another tree than ledger.db says")
            if part == parts[-1]:
                part_check.check_following(connection, edge)
        except (ArchiveError, LedgerError) as error:
            wrong = str(error)
        yield Verdict(part, sum(file.size_bytes for file in files.values()), wrong)
        before = part
