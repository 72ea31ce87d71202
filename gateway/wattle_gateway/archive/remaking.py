"""Parts of an archive beside a ledger that is executed anew: read from, and in the end noted again.

    the blocks of the parts go, with all others, through signatures, rules and execution
    -> what execution wrote is compared with the files of each part, row by row
    -> the part is noted, and its rows are taken out again, as `archive.mover` did at first

So nothing of a file is in the new ledger that was not verified, and no row of the new ledger about
the archive is one of the old.
"""

import sqlite3
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from wattle_gateway.archive import collection, fetching, mover, parquet_files
from wattle_gateway.archive.reader import ArchiveReader
from wattle_gateway.archive.recovery import FoundPart, WrongPart, WrongPartsError
from wattle_gateway.archive.rows import BLOCKS, LOG, READINGS, PartRows
from wattle_gateway.archive.target import Target
from wattle_gateway.errors import ArchiveError
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.store import archive_rows, block_rows
from wattle_gateway.store.archive_rows import Part, StoredFile
from wattle_gateway.store.archived import ArchivedBlock, ArchivedLeaf
from wattle_gateway.store.block_rows import StoredBlock

# How often it is looked whether a part may go: what a restart reads is found by many small reads.
LOOK_EVERY_COMMITS = 32
# Commits of any time may go: they had left.
_ANY_TIME_MS = 1 << 53


class UnlikeError(ArchiveError):
    """A part holds something else than execution writes."""


class Remaking:
    """The `Archive` of the damaged ledger while a new one is written (see `store.archived`), and
    what is told of that."""

    def __init__(
        self, damaged: sqlite3.Connection, target: Target, parts: Sequence[FoundPart]
    ) -> None:
        """`parts` in the ledger's order, from its beginning on."""
        self.noted = 0
        # Blocks of the parts that ledger.db does not have.
        self.gone = sum(one.gone for one in parts)
        # Names of files that were put there again.
        self.made_again: list[str] = []
        self._target = target
        self._reader = ArchiveReader(damaged, [one.part for one in parts], lambda: target)
        self._waiting = deque(parts)
        self._last: Part | None = None
        # Blocks that were read and are in no noted part yet, None once they are in the new ledger.
        self._read: dict[int, StoredBlock | None] = {}
        self._added: set[int] = set()
        self._next_id = 1 + max((one.newest_id for one in parts), default=0)

    def blocks(self, epoch: int) -> Iterator[ArchivedBlock]:
        """As `Archive.blocks`."""
        for block in self._reader.blocks(epoch):
            self._read[block.id] = None
            yield block

    def leaves(self, first: int, end: int) -> Mapping[int, ArchivedLeaf]:
        """As `Archive.leaves`."""
        return self._reader.leaves(first, end)

    def reach(self, meter: bytes | None, from_ms: int | None, to_ms: int | None) -> None:
        """As `Archive.reach`."""
        self._reader.reach(meter, from_ms, to_ms)

    def blocks_of(self, commit: int) -> Mapping[int, ArchivedBlock]:
        """As `Archive.blocks_of`."""
        return self._reader.blocks_of(commit)

    def around(self, commit: int) -> Mapping[int, ArchivedBlock]:
        """As `Archive.around`."""
        return self._reader.around(commit)

    def saw(self, stored: StoredBlock) -> None:
        """A sound block."""
        if stored.id in self._read:
            self._read[stored.id] = stored

    def has_added(self, stored: StoredBlock) -> bool:
        """Whether a block that enters the graph only now, far below the floor, is in the new
        ledger already, as one that no commit took."""
        return stored.id in self._added

    def id_for(self, stored: StoredBlock) -> int:
        """The id that a block, which entered the graph, is to have in the new ledger: its files
        name those of a part by theirs."""
        if stored.id in self._read:
            self._read[stored.id] = None
            return stored.id
        self._next_id += 1
        return self._next_id - 1

    def executed(
        self, writer: sqlite3.Connection, ledger: ExecutedLedger, *, last: bool = False
    ) -> int:
        """Note the parts that the newest commit has left far enough behind. `last`: none follows.
        Gives how many blocks were added that the graph had no use for: no commit took them.

        Raises WrongPartsError for one whose files hold something else than execution wrote,
        ArchiveError if the archive does not answer.
        """
        added = 0
        if not last and ledger.head.index % LOOK_EVERY_COMMITS:
            return added
        while self._waiting:
            part = self._waiting[0].part
            if ledger.head.index < part.last_commit + mover.COMMITS_KEPT:
                break
            if mover.last_to_go(writer, ledger, _ANY_TIME_MS) < part.last_commit:
                break
            try:
                added += self._note(writer, ledger, self._waiting[0])
            except UnlikeError as error:
                raise WrongPartsError(
                    [WrongPart(part.number, part.first_commit, str(error))]
                ) from error
            self._waiting.popleft()
        return added

    def _note(self, writer: sqlite3.Connection, ledger: ExecutedLedger, found: FoundPart) -> int:
        part = found.part
        added = 0
        headers = parquet_files.block_rows(fetching.fetch(self._target, found.files[BLOCKS]))
        for row in headers:
            block = self._read.pop(row.block, None)
            if block is not None:
                block_rows.insert(writer, block.verified(), row.block)
                self._added.add(row.block)
                added += 1
        epoch = ledger.epoch_of_commit(part.first_commit)
        rows = collection.collect(writer, epoch, part.first_commit, part.last_commit)
        log = fetching.fetch(self._target, found.files[LOG])
        if not parquet_files.holds(LOG, log, rows) or headers != rows.blocks:
            raise UnlikeError(
                f"{found.files[LOG].name} and the one of {BLOCKS} hold other rows than follow from "
                "the blocks in them"
            )
        files = {**found.files, READINGS: self._readings(found, rows)}
        each = parquet_files.each_log_row(log)
        contents = mover.contents_of(writer, part, self._last, rows, each)
        number = self.noted + 1
        archive_rows.plan(writer, number, part.day, part.first_commit, part.last_commit)
        archive_rows.mark_stored(writer, number, contents, files.values())
        for removal in mover.removals_of(writer, part.last_commit, 0, rows):
            archive_rows.remove(writer, number, removal)
        self._last = replace(part, contents=contents)
        self.noted = number
        return added

    def _readings(self, found: FoundPart, rows: PartRows) -> StoredFile:
        """The third file of a part, made again if it is not there or not what follows from the
        others."""
        said = found.files.get(READINGS)
        if said is not None and not found.readings_wrong:
            raw = fetching.fetch(self._target, said)
            if parquet_files.holds(READINGS, raw, rows):
                return said
        name = found.files[LOG].name.replace(f"/{LOG}/", f"/{READINGS}/")
        content = parquet_files.encode_one(READINGS, rows)
        digest = sha256(content).digest()
        made = StoredFile(READINGS, name, len(content), len(rows.readings), digest)
        self._target.put(name, content)
        fetching.fetch(self._target, made)
        self.made_again.append(name)
        return made
