"""Reads what has left ledger.db, a part at a time."""

import bisect
import heapq
import itertools
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from wattle_gateway.archive import fetching, parquet_files
from wattle_gateway.archive.rows import BLOCKS, LOG, HeaderRow, LogRow
from wattle_gateway.archive.target import Target
from wattle_gateway.errors import ArchiveError
from wattle_gateway.store import archive_rows, archived, ledger_rows
from wattle_gateway.store.archive_rows import Contents, Part
from wattle_gateway.store.archived import ArchivedBlock, ArchivedLeaf, ArchivedSample

# A proof needs the leaves of a tile, which may lie in two parts; an audit looks one behind.
PARTS_KEPT = 3
# No ledger has that many commits.
INDEX_MAX = (1 << 63) - 1


@dataclass
class _Log:
    """The log of a part, once it was fetched."""

    rows: Sequence[LogRow]

    @cached_property
    def by_leaf(self) -> dict[int, LogRow]:
        return {row.leaf: row for row in self.rows if row.leaf is not None}

    @cached_property
    def entries(self) -> dict[int, list[bytes]]:
        """The entries of each block, in its order."""
        found: dict[int, list[bytes]] = {}
        for row in self.rows:
            if row.block is not None:
                found.setdefault(row.block, []).append(row.body)
        return found


class ArchiveReader:
    """The `Archive` of one connection (see `store.archived` for what each method gives)."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        parts: Sequence[Part],
        target: Callable[[], Target],
        logs_kept: int = PARTS_KEPT,
    ) -> None:
        """`parts` those of which rows have left; `target` opens where they are, when it is asked
        for the first time; of so many the log stays in memory."""
        # How many parts were fetched so far, those counted twice that had been forgotten.
        self.parts_read = 0
        self._logs_kept = logs_kept
        self._connection = connection
        self._parts = parts
        self._stored = [(part, part.contents) for part in parts if part.contents is not None]
        self._open = target
        self._target: Target | None = None
        self._logs: OrderedDict[int, _Log] = OrderedDict()
        self._header_rows: OrderedDict[int, Sequence[HeaderRow]] = OrderedDict()
        self._reached: set[tuple[int, bytes | None]] = set()

    def leaves(self, first: int, end: int) -> Mapping[int, ArchivedLeaf]:
        """As `Archive.leaves`."""
        found = {}
        # Parts stand in the order of the log, and an audit asks for each commit: not all of them.
        low = max(0, bisect.bisect_right(self._stored, first, key=_first_leaf) - 1)
        high = bisect.bisect_left(self._stored, end, key=_first_leaf)
        for part, contents in self._stored[low:high]:
            begin, behind = max(first, contents.first_leaf), min(end, contents.end_leaf)
            rows = self._log(part).by_leaf if begin < behind else {}
            for leaf in range(begin, behind):
                if rows[leaf].block is not None:
                    found[leaf] = _archived(rows[leaf])
        return found

    def reach(self, meter: bytes | None, from_ms: int | None, to_ms: int | None) -> None:
        """As `Archive.reach`."""
        for part, contents in self._stored:
            if contents.first_ms is None or contents.last_ms is None:
                continue
            if to_ms is not None and contents.first_ms >= to_ms:
                continue
            if from_ms is not None and contents.last_ms < from_ms:
                continue
            if self._reached.isdisjoint({(part.number, meter), (part.number, None)}):
                self._insert(part, meter)
                self._reached.add((part.number, meter))

    def blocks(
        self, epoch: int, above_round: int = 0, parts_max: int | None = None
    ) -> Iterator[ArchivedBlock]:
        """As `Archive.blocks`; those above a round, with some at or below it, of no more than so
        many parts. Parts overlap by some rounds: what could still be followed by a lower one of a
        later part waits."""
        parts = [part for part, contents in self._stored if contents.epoch == epoch]
        parts = parts[self._first_above(parts, above_round) :]
        lowest = [part.contents.first_round for part in parts if part.contents is not None]
        # Of each part the lowest round of all behind it.
        behind = list(itertools.accumulate(reversed(lowest[1:]), min))[::-1]
        waiting: list[tuple[int, int, int, ArchivedBlock]] = []
        for at, part in enumerate(parts[:parts_max]):
            for row in self._headers(part):
                block = self._block(part, row)
                heapq.heappush(waiting, (block.round, block.author, block.id, block))
            while waiting and (at >= len(behind) or waiting[0][0] < behind[at]):
                yield heapq.heappop(waiting)[3]

    def blocks_of(self, commit: int) -> Mapping[int, ArchivedBlock]:
        """As `Archive.blocks_of`."""
        return {row.block: self._block(part, row) for part, row in self._taken_by(commit)}

    def headers_of(self, commit: int) -> Mapping[int, bytes]:
        """The headers alone of `blocks_of`: its part's log is not fetched."""
        return {row.block: row.header for _part, row in self._taken_by(commit)}

    def around(self, commit: int) -> Mapping[int, ArchivedBlock]:
        """As `Archive.around`."""
        near = [
            part
            for part in self._parts
            if part.first_commit <= commit + 1 and commit <= part.last_commit
        ]
        return {row.block: self._block(part, row) for part in near for row in self._headers(part)}

    def end_of(self, commit: int, parts: int) -> int:
        """The commit behind so many parts from that of a commit on; behind all there can be, if
        they are fewer or the commit has not left."""
        at = bisect.bisect_right(self._parts, commit, key=_first_commit) - 1 + parts
        return self._parts[at].first_commit if parts <= at < len(self._parts) else INDEX_MAX

    def _taken_by(self, commit: int) -> Iterator[tuple[Part, HeaderRow]]:
        at = bisect.bisect_right(self._parts, commit, key=_first_commit) - 1
        if at < 0 or commit > self._parts[at].last_commit:
            return
        part = self._parts[at]
        for row in self._headers(part):
            if row.commit == commit:
                yield part, row

    def _first_above(self, parts: Sequence[Part], round_number: int) -> int:
        """How many parts of an epoch have nothing above a round: a commit takes nothing above its
        leader, and what no commit took lies lower, but for what followed the last commit."""
        low, high = 0, max(0, len(parts) - 1) if round_number else 0
        while low < high:
            middle = (low + high) // 2
            stored = ledger_rows.load_commit(self._connection, parts[middle].last_commit)
            if stored is not None and stored.leaf.leader.round <= round_number:
                low = middle + 1
            else:
                high = middle
        return low

    def _headers(self, part: Part) -> Sequence[HeaderRow]:
        if part.number not in self._header_rows:
            rows = parquet_files.block_rows(self._fetch(part, BLOCKS))
            self.parts_read += 1
            said = part.contents
            assert said is not None
            lowest = min((row.round for row in rows), default=0)
            _agree(part, "blocks", (len(rows), lowest), (said.blocks, said.first_round))
            self._header_rows[part.number] = rows
            while len(self._header_rows) > PARTS_KEPT:
                self._header_rows.popitem(last=False)
        self._header_rows.move_to_end(part.number)
        return self._header_rows[part.number]

    def _block(self, part: Part, row: HeaderRow) -> ArchivedBlock:
        entries = tuple(self._log(part).entries.get(row.block, ()))
        return ArchivedBlock(row.round, row.author, row.block, row.commit, row.header, entries)

    def _log(self, part: Part) -> _Log:
        if part.number not in self._logs:
            log = _Log(parquet_files.log_rows(self._fetch(part, LOG)))
            _check_contents(part, log)
            self._logs[part.number] = log
            while len(self._logs) > self._logs_kept:
                self._logs.popitem(last=False)
        self._logs.move_to_end(part.number)
        return self._logs[part.number]

    def _fetch(self, part: Part, dataset: str) -> bytes:
        if self._target is None:
            self._target = self._open()
        file = archive_rows.files_of(self._connection, part.number).get(dataset)
        if file is None:
            raise ArchiveError(f"part {part.number} of the archive has no file of {dataset}")
        return fetching.fetch(self._target, file)

    def _insert(self, part: Part, meter: bytes | None) -> None:
        wanted = None if meter is None else meter.hex()
        archived.keep(
            self._connection,
            (
                _sample(row)
                for row in self._log(part).rows
                if row.meter is not None and wanted in (None, row.meter)
            ),
        )


def _first_leaf(one: tuple[Part, Contents]) -> int:
    return one[1].first_leaf


def _first_commit(part: Part) -> int:
    return part.first_commit


def _check_contents(part: Part, log: _Log) -> None:
    """What ledger.db says of a part, against its log."""
    said = part.contents
    assert said is not None
    samples = [row for row in log.rows if row.meter is not None]
    _agree(part, "leaves", sorted(log.by_leaf), list(range(said.first_leaf, said.end_leaf)))
    entries = sum(1 for row in log.rows if row.block is not None)
    _agree(part, "entries", (entries, len(samples)), (said.entries, said.samples))
    first_ms = min((row.first_ms or 0 for row in samples), default=None)
    last_ms = max((row.last_ms or 0 for row in samples), default=None)
    _agree(part, "times", (first_ms, last_ms), (said.first_ms, said.last_ms))
    commits = {row.commit for row in log.rows if row.commit is not None}
    span = set(range(part.first_commit, part.last_commit + 1))
    _agree(part, "commits", commits, span)


def _agree(part: Part, what: str, found: object, said: object) -> None:
    if found != said:
        raise ArchiveError(
            f"part {part.number} of the archive has other {what} than its row in archive_parts says"
        )


def _sample(row: LogRow) -> ArchivedSample:
    assert row.leaf is not None
    assert row.meter is not None
    assert row.seq is not None
    assert row.first_ms is not None
    assert row.last_ms is not None
    assert row.verdict is not None
    assert row.commit is not None
    assert row.commit_time_ms is not None
    return ArchivedSample(
        row.leaf,
        bytes.fromhex(row.meter),
        row.seq,
        row.first_ms,
        row.last_ms,
        row.verdict,
        row.commit,
        row.commit_time_ms,
        row.body,
    )


def _archived(row: LogRow) -> ArchivedLeaf:
    assert row.leaf is not None
    assert row.verdict is not None
    assert row.commit is not None
    sample = None
    if row.meter is not None:
        assert row.seq is not None
        assert row.first_ms is not None
        assert row.last_ms is not None
        sample = (bytes.fromhex(row.meter), row.seq, row.first_ms, row.last_ms)
    return ArchivedLeaf(row.leaf, row.entry_id, row.verdict, row.commit, sample, row.leaf_bytes())
