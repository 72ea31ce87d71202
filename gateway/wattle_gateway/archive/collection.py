"""The rows of a part, read from ledger.db."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from wattle_gateway.archive.rows import HeaderRow, LogRow, PartRows, ReadingRow, reading_rows
from wattle_gateway.consensus import linearizer
from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import entry, signed_sample
from wattle_gateway.ledger import leaf as leaf_format
from wattle_gateway.ledger.block import ROUND_MAX, Block
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.store import base_rows, block_rows, ledger_rows
from wattle_gateway.store.ledger_rows import StoredCommit
from wattle_gateway.store.schema import ENTRIES_A_BLOCK

# A part is in memory as rows, as Arrow columns and as a file at once: some 8 times this.
PART_BYTES = 8 << 20
PART_ENTRIES = 32_768
# What a row costs beside its bytes.
_ROW_BYTES = 200
_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Stretch:
    """Commits of one UTC day and one epoch."""

    day: str
    first_commit: int
    last_commit: int


def day_of(time_ms: int) -> str:
    """The UTC day of a time, YYYY-MM-DD."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%d")


def day_begin_ms(time_ms: int) -> int:
    """When the UTC day of a time begins."""
    return time_ms - time_ms % _DAY_MS


def next_stretch(
    connection: sqlite3.Connection, first_commit: int, last_commit: int
) -> Stretch | None:
    """The next part: as many commits from `first_commit` on, none behind `last_commit`, as are
    of one day and one epoch and fit into a part; None if there are none."""
    if first_commit > last_commit:
        return None
    first = _commit(connection, first_commit).leaf
    day, index = day_of(first.time_ms), first_commit
    filled_bytes, filled = _size(connection, _commit(connection, index))
    while index < last_commit:
        stored = _commit(connection, index + 1)
        more_bytes, more = _size(connection, stored)
        filled_bytes, filled = filled_bytes + more_bytes, filled + more
        same = day_of(stored.leaf.time_ms) == day and stored.leaf.epoch == first.epoch
        if not same or filled_bytes > PART_BYTES or filled > PART_ENTRIES:
            break
        index += 1
    return Stretch(day, first_commit, index)


def collect(
    connection: sqlite3.Connection,
    epoch: Epoch,
    first_commit: int,
    last_commit: int,
    rest: Callable[[], None] = lambda: None,
) -> PartRows:
    """The rows of these commits, all of `epoch`. `rest` is called after each commit: who shares a
    processor with others waits a little there.

    Raises StoreError for what is missing or damaged.
    """
    found = _Collection(connection, epoch)
    for index in range(first_commit, last_commit + 1):
        found.take_commit(_commit(connection, index))
        rest()
    found.take_untaken(first_commit, last_commit)
    return PartRows(found.log, found.blocks, found.readings)


class _Collection:
    """What has been read of a part."""

    def __init__(self, connection: sqlite3.Connection, epoch: Epoch) -> None:
        self.log: list[LogRow] = []
        self.blocks: list[HeaderRow] = []
        self.readings: list[ReadingRow] = []
        self._connection = connection
        self._epoch = epoch

    def take_commit(self, stored: StoredCommit) -> None:
        """A commit: the entries of its blocks, then its own leaf."""
        commit = stored.leaf
        rows = self._connection.execute(
            "SELECT entry, leaf, verdict FROM leaves WHERE leaf >= ? AND leaf < ?",
            (first_leaf(self._connection, commit.index), stored.at),
        )
        places = {place: (leaf, verdict) for place, leaf, verdict in rows}
        ids = stored.blocks
        for taken in block_rows.load_ids(self._connection, self._epoch.ledger_id, ids):
            self._take_block(taken.id, taken.block, taken.entries, stored, places)
        place = (stored.at, commit.index, commit.time_ms, self._epoch.number)
        self.log.append(LogRow(*place, leaf_format.COMMIT, stored.body))

    def take_untaken(self, first_commit: int, last_commit: int) -> None:
        """The blocks that no commit took, and none will: those at or below the floor after
        `last_commit`, without those at or below the floor before `first_commit`."""
        low = self._floor(first_commit - 1)
        high = self._floor(last_commit)
        taken = self._taken_above(low, last_commit)
        for author in range(self._epoch.size):
            rows = self._connection.execute(
                "SELECT id, header FROM blocks WHERE epoch = ? AND author = ? "
                "AND round > ? AND round <= ? ORDER BY round, id",
                (self._epoch.number, author, low, high),
            ).fetchall()
            for block_id, raw in rows:
                if block_id not in taken:
                    block = block_format.parse(raw, self._epoch.ledger_id)
                    entries = block_rows.entries_of(self._connection, block_id)
                    self._take_block(block_id, block, entries, None, {})

    def _take_block(
        self,
        block_id: int,
        block: Block,
        entries: tuple[bytes, ...],
        taken_by: StoredCommit | None,
        places: Mapping[int, tuple[int, int]],
    ) -> None:
        if len(entries) != (0 if block.payload is None else block.payload.count):
            raise StoreError(f"block {block_id} lacks entries; run `wattle-gateway audit`")
        commit = None if taken_by is None else taken_by.leaf
        index = None if commit is None else commit.index
        time_ms = None if commit is None else commit.time_ms
        self.blocks.append(
            HeaderRow(block_id, block.epoch, block.round, block.author, index, block.raw)
        )
        for position, body in enumerate(entries):
            leaf, verdict = places.get(block_id * ENTRIES_A_BLOCK + position, (None, None))
            kind = body[1]  # an entry is [kind, body] and kinds are small
            row = LogRow(
                leaf,
                index,
                time_ms,
                block.epoch,
                kind,
                body,
                verdict,
                block.round,
                block.author,
                block_id,
                position,
            )
            if leaf is not None and kind == entry.SAMPLE:
                row = self._take_sample(row)
            self.log.append(row)

    def _take_sample(self, row: LogRow) -> LogRow:
        try:
            signed = signed_sample.parse(entry.decode(row.body).body, self._epoch.ledger_id)
        except LedgerError as error:
            raise StoreError(f"leaf {row.leaf} is damaged ({error}); run the audit") from error
        times = signed.sample.readings
        row = row._replace(
            meter=signed.kid.hex(),
            seq=signed.sample.seq,
            first_ms=times[0].time_ms,
            last_ms=times[-1].time_ms,
        )
        self.readings += reading_rows(row, signed)
        return row

    def _floor(self, index: int) -> int:
        """The round up to which no commit after this one takes anything (rule 24)."""
        stored = ledger_rows.load_commit(self._connection, index)
        if stored is None or stored.leaf.epoch != self._epoch.number:
            return 0
        following = ledger_rows.load_commit(self._connection, index + 1)
        if following is not None and following.leaf.epoch != self._epoch.number:
            return ROUND_MAX  # it ended the epoch (rule 29)
        return linearizer.floor_after(stored.leaf.leader, self._epoch.constants.gc_depth)

    def _taken_above(self, floor: int, last_commit: int) -> set[int]:
        """The blocks above a round that commits up to `last_commit` took, and some below: a
        commit takes nothing above its leader."""
        taken: set[int] = set()
        index = last_commit
        while (stored := ledger_rows.load_commit(self._connection, index)) is not None:
            if stored.leaf.epoch != self._epoch.number or stored.leaf.leader.round <= floor:
                break
            taken.update(stored.blocks)
            index -= 1
        return taken


def first_leaf(connection: sqlite3.Connection, index: int) -> int:
    """The ledger index of the first leaf of a stored commit."""
    before = ledger_rows.load_commit(connection, index - 1)
    return base_rows.leaves_before(connection) if before is None else before.at + 1


def _commit(connection: sqlite3.Connection, index: int) -> StoredCommit:
    stored = ledger_rows.load_commit(connection, index)
    if stored is None:
        raise StoreError(f"commit {index} is not stored; run `wattle-gateway audit`")
    return stored


def _size(connection: sqlite3.Connection, stored: StoredCommit) -> tuple[int, int]:
    """About how many bytes a commit takes in a part, and how many entries."""
    size = len(stored.body) + _ROW_BYTES
    count = 1
    for block_id in stored.blocks:
        place = (block_id * ENTRIES_A_BLOCK, (block_id + 1) * ENTRIES_A_BLOCK)
        entries, payload_bytes = connection.execute(
            "SELECT count(*), coalesce(sum(length(body)), 0) FROM entries WHERE id >= ? AND id < ?",
            place,
        ).fetchone()
        size += payload_bytes + 2 * _ROW_BYTES + _ROW_BYTES * entries
        count += entries
    return size, count


def blocks_that_stay(connection: sqlite3.Connection, rows: PartRows) -> Iterator[int]:
    """The blocks of a part that do not leave ledger.db: those with a transaction or evidence,
    which statements, vouchers and supervision read, and the newest of an author in an epoch,
    which peers ask for."""
    for row in rows.log:
        if row.block is not None and row.kind != entry.SAMPLE:
            yield row.block
    newest: dict[tuple[int, int], int] = {}
    for header in rows.blocks:
        key = (header.epoch, header.author)
        if key not in newest:
            (newest[key],) = connection.execute(
                "SELECT max(round) FROM blocks WHERE epoch = ? AND author = ?", key
            ).fetchone()
        if header.round == newest[key]:
            yield header.block
