"""Old days leave for the archive: whole, once, and whatever happens on the way."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from wattle_gateway.archive import mover as movers
from wattle_gateway.archive.mover import PLANNED, STORED, TAKEN_OUT
from wattle_gateway.archive.target import Folder
from wattle_gateway.errors import ArchiveError, StoreError
from wattle_gateway.runtime.two_logs import TwoLogs
from wattle_gateway.store import archive_rows
from wattle_testkit.archived_ledger import ArchivedLedger

TABLES = ("blocks", "entries", "leaves", "samples")


class PowerCutError(Exception):
    """The gateway is gone."""


class FailingFolder(Folder):
    """A folder whose disk fails at the `fails_at`-th file that is written or read."""

    def __init__(self, folder: Path, fails_at: int) -> None:
        super().__init__(folder)
        self.left = fails_at
        self.last = b""

    def put(self, name: str, content: bytes) -> None:
        self._count()
        super().put(name, content)

    def get(self, name: str) -> bytes:
        self._count()
        return super().get(name)

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise PowerCutError


@pytest.fixture(autouse=True)
def _few_commits_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days of these tests are shorter than what peers may ask for."""
    monkeypatch.setattr(movers, "COMMITS_KEPT", 1)


@pytest.fixture
def ledger(tmp_path: Path) -> ArchivedLedger:
    made = ArchivedLedger(tmp_path)
    made.live(3, samples_a_day=6)
    return made


def rows(ledger: ArchivedLedger) -> dict[str, list[tuple[object, ...]]]:
    with ledger.opened() as reader:
        return {table: reader.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES}


def test_full_days_before_the_retention_leave_and_nothing_else(ledger: ArchivedLedger) -> None:
    before = rows(ledger)
    steps = ledger.archive(1)
    days = ["2023-11-14", "2023-11-15"]
    assert [(step.what, step.day) for step in steps] == [
        (what, day) for day in days for what in (PLANNED, STORED, TAKEN_OUT)
    ]
    after = rows(ledger)
    with ledger.opened() as reader:
        parts = archive_rows.load(reader)
        gone = archive_rows.gone(reader)
        assert archive_rows.gone_through(reader) == parts[-1].last_commit
        newest = reader.execute(
            "SELECT time_ms FROM commits WHERE commit_index = ?", (parts[-1].last_commit + 1,)
        ).fetchone()
    assert [part.day for part in parts] == days
    assert newest[0] // 86_400_000 == 1_700_092_800_000 // 86_400_000
    for table in TABLES:
        assert set(after[table]) < set(before[table])
        assert len(before[table]) - len(after[table]) == getattr(gone, table)
    assert gone.samples == 12
    assert ledger.archive(1) == []


def test_a_block_with_a_transaction_stays_whole(ledger: ArchivedLedger) -> None:
    ledger.archive(1)
    with ledger.opened() as reader:
        kept = reader.execute(
            "SELECT header FROM blocks JOIN entries ON entries.id / 4096 = blocks.id "
            "WHERE substr(entries.body, 1, 2) = x'8202'"
        ).fetchall()
    assert len(kept) == 1  # the enrolment


def test_the_newest_day_never_leaves(ledger: ArchivedLedger) -> None:
    """A restart needs what is above the floor; it is there whatever the retention."""
    ledger.pass_ms(400 * 86_400_000)
    ledger.archive(1)
    head = ledger.driver.head
    ledger.reopen()
    assert ledger.driver.head == head
    ledger.live(1, samples_a_day=2)
    assert ledger.driver.head.index > head.index


def test_a_part_ends_when_it_is_full(
    ledger: ArchivedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(movers.collection, "PART_ENTRIES", 8)
    ledger.archive(1)
    with ledger.opened() as reader:
        parts = archive_rows.load(reader)
    assert len(parts) > 4
    spans = [(part.first_commit, part.last_commit) for part in parts]
    assert [begin for begin, _ in spans[1:]] == [end + 1 for _, end in spans[:-1]]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.parquet")}


def test_killed_anywhere_it_goes_on_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """The mover dies at each write to ledger.db, before and after it, and at each file."""
    (tmp_path / "straight").mkdir()
    straight = ArchivedLedger(tmp_path / "straight")
    straight.live(3, samples_a_day=4)
    straight.archive(1)
    expected = rows(straight)
    (tmp_path / "cut").mkdir()
    cut = ArchivedLedger(tmp_path / "cut")
    cut.live(3, samples_a_day=4)
    cuts = 0
    for fails_at in range(40):
        after_write = bool(fails_at % 2)
        target = FailingFolder(cut.target_folder, fails_at // 2)
        try:
            cut.archive(1, cut.mover(target, dying_write(cut, fails_at // 4, after_write)))
        except PowerCutError:
            cuts += 1
            cut.reopen()
    assert cuts > 10
    assert cut.archive(1) == []
    assert rows(cut) == expected
    assert files(cut.target_folder).keys() == files(straight.target_folder).keys()


def dying_write(ledger: ArchivedLedger, fails_at: int, after: bool) -> Callable[..., None]:
    """A write that dies with the gateway, before it is durable or after."""
    left = fails_at

    def write(work: Callable[[sqlite3.Connection], None]) -> None:
        nonlocal left
        left -= 1
        if left < 0 and not after:
            raise PowerCutError
        ledger.write(work)
        if left < 0:
            raise PowerCutError

    return write


def test_what_comes_back_altered_keeps_everything_here(ledger: ArchivedLedger) -> None:
    class Rotting(Folder):
        def get(self, name: str) -> bytes:
            content = super().get(name)
            return content[:-20] + bytes([content[-20] ^ 1]) + content[-19:]

    before = rows(ledger)
    with pytest.raises(ArchiveError, match=r"log/day=2023-11-14/.*: altered in the archive"):
        ledger.archive(1, ledger.mover(Rotting(ledger.target_folder)))
    assert rows(ledger) == before
    ledger.archive(1)
    assert len(rows(ledger)["samples"]) == 6


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE tiles SET root = zeroblob(32)", "are not those of the tree"),
        (
            "UPDATE leaves SET verdict = 1 WHERE leaf = (SELECT min(leaf) FROM samples)",
            "are not those of the tree",
        ),
    ],
)
def test_what_is_not_of_the_tree_never_leaves(tmp_path: Path, statement: str, says: str) -> None:
    ledger = ArchivedLedger(tmp_path)
    ledger.live(2, samples_a_day=90)  # 270 commits a day: a tile is full in the first
    ledger.driver.connection.execute(statement)
    before = rows(ledger)
    with pytest.raises(ArchiveError, match=says):
        ledger.archive(1)
    assert rows(ledger) == before


def test_a_missing_entry_is_named_and_nothing_leaves(ledger: ArchivedLedger) -> None:
    ledger.driver.connection.execute(
        "DELETE FROM entries WHERE id = (SELECT min(entry) FROM leaves JOIN samples USING (leaf))"
    )
    with pytest.raises(StoreError, match="lacks entries"):
        ledger.archive(1)


def test_a_folder_that_is_not_mounted_is_not_made(ledger: ArchivedLedger) -> None:
    ledger.target_folder.rmdir()
    with pytest.raises(ArchiveError, match="no such folder; make it, or mount its disk"):
        ledger.archive(1)
    assert not ledger.target_folder.exists()


def test_a_peers_old_checkpoint_asks_for_nothing_that_has_left(ledger: ArchivedLedger) -> None:
    """The ledger's thread would take it for a broken database."""
    ledger.archive(1)
    logs = TwoLogs(ledger.driver.connection)
    size = ledger.driver.ledger.edge.size
    assert logs.is_ours(5, bytes(32), size), "who cannot tell accuses nobody"
    assert not logs.is_ours(size + 1, bytes(32), size)


def test_pages_that_are_free_are_filled_before_the_file_grows(tmp_path: Path) -> None:
    ledger = ArchivedLedger(tmp_path)
    ledger.live(4, samples_a_day=60)
    ledger.archive(1)
    ledger.driver.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = ledger.path.stat().st_size
    with ledger.opened() as reader:
        free = archive_rows.free_bytes(reader)
    assert free > before // 3
    ledger.live(2, samples_a_day=60)
    ledger.driver.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert ledger.path.stat().st_size == before
