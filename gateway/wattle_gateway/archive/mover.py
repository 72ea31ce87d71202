"""Moves what is old from ledger.db to the archive, a small step at a time.

    plan      the next commits to go, written down: a part is the same after a power cut
    store     read, write as Parquet, put; get back, compare byte for byte and with the tree
    take out  its rows, some blocks at a time

Each step ends with one durable write; whatever happens between two of them, the next step is the
same again: files are written anew under their names, and nothing is taken out that was not read
back.
"""

import itertools
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256

from wattle_gateway.archive import collection, fetching, names, parquet_files, part_check
from wattle_gateway.archive.arrow import release
from wattle_gateway.archive.rows import BLOCKS, LOG, HeaderRow, LogRow, PartRows
from wattle_gateway.archive.target import Target
from wattle_gateway.consensus import linearizer
from wattle_gateway.consensus.engine import window_first
from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import merkle
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.merkle import RightEdge
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.store import archive_rows, base_rows, ledger_rows
from wattle_gateway.store.archive_rows import Contents, Part, Removal, StoredFile

# What is taken out in one transaction: some 10 ms of the ledger's thread.
BLOCKS_A_REMOVAL = 256
# However old they are: peers look for votes in the newest 16 (`sync.serving`).
COMMITS_KEPT = 32

PLANNED, STORED, TAKEN_OUT = "planned", "stored", "taken out"

Read = Callable[[], AbstractContextManager[sqlite3.Connection]]
"""Opens ledger.db as it is at one moment."""
Write = Callable[[Callable[[sqlite3.Connection], None]], None]
"""Runs work on the writer's connection in one transaction. Raises StoreError."""


@dataclass(frozen=True)
class Step:
    """What was done with which part; `done`: all of it has left."""

    what: str
    part: int
    day: str
    done: bool = False


@dataclass(frozen=True)
class Place:
    """Whose archive it is: names begin with the ledger's id and the gateway's kid."""

    target: Target
    ledger_id: bytes
    kid: bytes


class Mover:
    """Takes the steps; from one thread only, which is neither the loop's nor the ledger's."""

    def __init__(
        self,
        place: Place,
        first: Epoch,
        read: Read,
        write: Write,
        rest: Callable[[], None] = lambda: None,
    ) -> None:
        """`first` is epoch 0. `rest` is called often while rows are read."""
        self._place = place
        self._first = first
        self._read = read
        self._write = write
        self._rest = rest
        self._removals: tuple[int, deque[Removal]] | None = None

    def step(self, older_than_ms: int) -> Step | None:
        """The next step, None if nothing is left to do. Commits of UTC days that ended at or
        before `older_than_ms` (Unix ms) go.

        Raises ArchiveError when the archive does not answer or gives back something else,
        StoreError when ledger.db cannot be read or written: nothing was lost, call again later.
        """
        with self._read() as reader:
            parts = archive_rows.load(reader)
            part = parts[-1] if parts else None
            if part is None or part.done:
                return self._plan(reader, part, older_than_ms)
            if part.contents is None:
                return self._store(reader, part, parts[-2] if len(parts) > 1 else None)
            return self._take_out(reader, part)

    def _plan(
        self, reader: sqlite3.Connection, newest: Part | None, older_than_ms: int
    ) -> Step | None:
        ledger = ExecutedLedger(reader, self._first)
        first_commit = base_rows.first_index(reader)
        if newest is not None:
            first_commit = newest.last_commit + 1
        last = last_to_go(reader, ledger, older_than_ms)
        stretch = collection.next_stretch(reader, first_commit, last)
        if stretch is None:
            return None
        number = 1 if newest is None else newest.number + 1
        self._write(
            lambda writer: archive_rows.plan(
                writer, number, stretch.day, stretch.first_commit, stretch.last_commit
            )
        )
        return Step(PLANNED, number, stretch.day)

    def _store(self, reader: sqlite3.Connection, part: Part, before: Part | None) -> Step:
        ledger = ExecutedLedger(reader, self._first)
        epoch = ledger.epoch_of_commit(part.first_commit)
        rows = collection.collect(reader, epoch, part.first_commit, part.last_commit, self._rest)
        files = parquet_files.encode(rows)
        stored = [
            StoredFile(
                dataset,
                names.file_name(self._place.ledger_id, self._place.kid, dataset, part),
                len(content),
                len(getattr(rows, dataset)),
                sha256(content).digest(),
            )
            for dataset, content in files.items()
        ]
        for file in stored:
            self._place.target.put(file.name, files[file.dataset])
            self._rest()
        back = {file.dataset: fetching.fetch(self._place.target, file) for file in stored}
        parquet_files.check_same(back, rows)
        part_check.check_payloads(rows, self._place.ledger_id)
        contents = contents_of(reader, part, before, rows, parquet_files.each_log_row(back[LOG]))
        self._write(lambda writer: archive_rows.mark_stored(writer, part.number, contents, stored))
        self._removals = (part.number, removals_of(reader, part.last_commit, 0, rows))
        release()
        return Step(STORED, part.number, part.day)

    def _take_out(self, reader: sqlite3.Connection, part: Part) -> Step:
        waiting = self._removals
        if waiting is None or waiting[0] != part.number:
            files = archive_rows.files_of(reader, part.number)
            log = parquet_files.log_rows(fetching.fetch(self._place.target, files[LOG]))
            blocks = parquet_files.block_rows(fetching.fetch(self._place.target, files[BLOCKS]))
            rows = PartRows(log, blocks, [])
            waiting = (part.number, removals_of(reader, part.last_commit, part.gone_commit, rows))
        self._removals = None  # unless this write succeeds, they are made anew
        removal = waiting[1].popleft()
        self._write(lambda writer: archive_rows.remove(writer, part.number, removal))
        self._removals = waiting if waiting[1] else None
        return Step(TAKEN_OUT, part.number, part.day, removal.commit == part.last_commit)


def last_to_go(reader: sqlite3.Connection, ledger: ExecutedLedger, older_than_ms: int) -> int:
    """The newest commit whose rows may go: of a day that has ended by `older_than_ms`, with
    nothing in it that a restart reads (what is above the floor, the window of the leader
    schedule)."""
    end_ms = collection.day_begin_ms(older_than_ms)
    low, high = base_rows.first_index(reader) - 1, ledger.head.index - 1
    while low < high:  # commit times never fall
        middle = (low + high + 1) // 2
        stored = ledger_rows.load_commit(reader, middle)
        if stored is None:
            raise StoreError(f"commit {middle} is not stored; run `wattle-gateway audit`")
        low, high = (middle, high) if stored.leaf.time_ms < end_ms else (low, middle - 1)
    epoch = ledger.epoch
    floor = linearizer.floor_after(ledger.leader, epoch.constants.gc_depth)
    window = window_first(ledger.first_index, ledger.head.index, epoch)
    last = min(low, window - 1, ledger.head.index - COMMITS_KEPT)
    while last >= ledger.first_index:
        stored = ledger_rows.load_commit(reader, last)
        if stored is None or stored.leaf.leader.round <= floor:
            break
        last -= 1
    return last


def contents_of(
    reader: sqlite3.Connection,
    part: Part,
    before: Part | None,
    rows: PartRows,
    log: Iterable[LogRow],
) -> Contents:
    """What to note of a part once every leaf of `log`, as it came back, was held against the
    tree; `before`: the part before it. Raises ArchiveError."""
    last = ledger_rows.load_commit(reader, part.last_commit)
    assert last is not None
    edge = part_check.check_leaves(reader, edge_before(reader, before), log, last.at + 1)
    part_check.check_following(reader, edge)
    return summary(rows, edge.encode())


def summary(rows: PartRows, edge: bytes) -> Contents:
    """What the rows of a part say of it; `edge` of the log behind it, encoded."""
    times = [row for row in rows.log if row.meter is not None]
    leaves = [row for row in rows.log if row.leaf is not None]
    return Contents(
        first_leaf=min(row.leaf or 0 for row in leaves),
        end_leaf=1 + max(row.leaf or 0 for row in leaves),
        edge=edge,
        epoch=leaves[0].epoch,
        first_round=min((row.round for row in rows.blocks), default=0),
        first_ms=min((row.first_ms or 0 for row in times), default=None),
        last_ms=max((row.last_ms or 0 for row in times), default=None),
        blocks=len(rows.blocks),
        entries=sum(1 for row in rows.log if row.block is not None),
        samples=len(times),
    )


def edge_before(reader: sqlite3.Connection, before: Part | None) -> RightEdge:
    """The edge of the log's tree before a part; `before`: the part before it."""
    if before is not None:
        assert before.contents is not None
        return merkle.decode_right_edge(before.contents.edge)
    base = base_rows.load(reader)
    return RightEdge() if base is None else base.edge


def removals_of(
    reader: sqlite3.Connection, last_commit: int, gone_commit: int, rows: PartRows
) -> deque[Removal]:
    """What is still to go of a part, in the order of commits, behind `gone_commit`; blocks that no
    commit took go last."""
    stay = set(collection.blocks_that_stay(reader, rows))
    leaves: dict[int, list[LogRow]] = {}
    for row in rows.log:
        if row.block is not None and row.leaf is not None:
            leaves.setdefault(row.block, []).append(row)
    found: deque[Removal] = deque()
    going: list[HeaderRow] = []
    by_commit = sorted(rows.blocks, key=lambda one: one.commit or last_commit)
    for commit, blocks in itertools.groupby(by_commit, key=lambda one: one.commit or last_commit):
        if commit <= gone_commit:
            continue
        going += [one for one in blocks if one.block not in stay]
        if len(going) >= BLOCKS_A_REMOVAL or commit == last_commit:
            found.append(_removal(commit, going, leaves))
            going = []
    if not found or found[-1].commit != last_commit:
        found.append(_removal(last_commit, going, leaves))
    return found


def _removal(
    commit: int, blocks: Sequence[HeaderRow], leaves: Mapping[int, Sequence[LogRow]]
) -> Removal:
    rows = [row for one in blocks for row in leaves.get(one.block, ())]
    return Removal(
        commit=commit,
        blocks=[one.block for one in blocks],
        leaves=[row.leaf for row in rows if row.leaf is not None],
        samples=[
            (bytes.fromhex(row.meter), row.seq)
            for row in rows
            if row.meter is not None and row.seq is not None
        ],
    )
