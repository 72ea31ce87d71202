"""Peers are served out of the archive: whoever begins with nothing gets the whole ledger, also when
all others have archived most of it; an archive that does not answer is no error for them."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from wattle_gateway.app.archive_desk import ArchiveDesk
from wattle_gateway.archive import collection, mover, shelf
from wattle_gateway.archive.answers import Answers, Known
from wattle_gateway.archive.mover import Mover, Place
from wattle_gateway.archive.reader import ArchiveReader
from wattle_gateway.archive.recovery import WrongPartsError
from wattle_gateway.archive.target import Folder
from wattle_gateway.audit.ledger_audit import audit_ledger
from wattle_gateway.audit.repair import repair
from wattle_gateway.ledger import genesis, transaction
from wattle_gateway.ledger.block import BlockRef
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.store import archive_rows, schema
from wattle_gateway.store import connection as database
from wattle_gateway.store.archived import attached
from wattle_gateway.sync.messages import Blocks, Commits, Fetch, History
from wattle_gateway.sync.parcels import ArchiveRequest, Parcel
from wattle_gateway.sync.peer import BEGINS_AGAIN_MS
from wattle_gateway.sync.reader import parse
from wattle_testkit.alliance import CREATED_MS, Board, Party, sample_entry
from wattle_testkit.archived_ledger import ArchivedLedger
from wattle_testkit.driven_alliance import DrivenAlliance

NAMES = ("ann", "bob", "cid", "dee")
PARTIES = tuple(Party(name) for name in NAMES)
CONSTANTS = Constants(enrol_approvals=1, leader_commits=4, gc_depth=8, state_root_every=8)
SOLO = genesis.create("test.wattle", CREATED_MS, (PARTIES[0].member,), CONSTANTS)
LONG_AFTER_MS = CREATED_MS + 400 * 86_400_000


class Archives:
    """Every member's archive, and how it is asked."""

    def __init__(self, alliance: DrivenAlliance) -> None:
        self.alliance = alliance
        self.asked: Counter[str] = Counter()
        self.answers = True

    def move(self, name: str) -> int:
        """Archive most of a member that is up; gives the newest commit that has left."""
        driver = self.alliance[name]

        @contextmanager
        def opened() -> Iterator[sqlite3.Connection]:
            with database.transaction(driver.connection) as connection:
                yield connection

        def write(work: Any) -> None:
            work(driver.connection)

        place = Place(self.target(name), SOLO.ledger_id, driver.kid)
        taken = Mover(place, first_epoch(SOLO), opened, write)
        while taken.step(LONG_AFTER_MS) is not None:
            pass
        return archive_rows.gone_through(driver.connection)

    def target(self, name: str) -> Folder:
        folder = self.alliance.folder / f"{name}-archive"
        folder.mkdir(exist_ok=True)
        return Folder(folder)

    @contextmanager
    def beside(self, name: str) -> Iterator[sqlite3.Connection]:
        """A member's ledger with its archive."""
        path = self.alliance.members[name].path
        reader = database.open_reader(path, schema.LEDGER, SOLO.ledger_id)
        parts = [part for part in archive_rows.load(reader) if part.begun]
        archive = ArchiveReader(reader, parts, lambda: self.target(name))
        with closing(reader), attached(reader, archive), database.snapshot(reader):
            yield reader

    def serve(self, name: str) -> None:
        """From its next start on it answers."""
        member = self.alliance.members[name]

        def answer(request: ArchiveRequest) -> Parcel:
            self.asked[type(request.message).__name__] += 1
            driver = member.up
            if not self.answers:
                return driver.synchronizer.answer_here(request)
            epochs = [driver.ledger.epoch_of_commit(0)]
            while (epoch := driver.ledger.epoch_at(len(epochs))) is not None:
                epochs.append(epoch)
            known = Known(epochs, driver.head)
            answers = Answers(member.path, lambda: self.target(name), known)
            try:
                return answers.answer(request, known)
            finally:
                answers.close()

        self.alliance.archives[name] = answer
        self.alliance.kill(name)
        self.alliance.start(name)


@pytest.fixture
def archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archives]:
    """One member that became three, all of which have archived both epochs."""
    monkeypatch.setattr(collection, "PART_ENTRIES", 12)
    monkeypatch.setattr(mover, "COMMITS_KEPT", 4)
    alliance = DrivenAlliance(tmp_path, PARTIES[0], epoch=first_epoch(SOLO))
    board = Board("meter", alliance.epoch)
    alliance.transact("ann", transaction.ENROL, transaction.enrol_body(board.enrol()))
    for seq in range(1, 6):
        alliance.add("ann", sample_entry(board.sample(seq)))
        alliance.run(1000)
    for party in PARTIES[1:3]:
        alliance.add_member(party)
    alliance.change("ann", NAMES[1:3], NAMES[:3])
    for seq in range(6, 36):
        alliance.add(NAMES[seq % 3], sample_entry(board.sample(seq)))
        alliance.run(1000)
    alliance.run(10_000)
    made = Archives(alliance)
    for name in NAMES[:3]:
        left = made.move(name)
        assert alliance[name].ledger.epoch_of_commit(left).number == 1
        made.serve(name)
    yield made
    alliance.close()


def test_who_begins_with_nothing_gets_everything(archives: Archives) -> None:
    """Commits with their votes, and of the epoch that is over the blocks that no votes prove. At
    first no archive answers: then it waits, knows why, and asks again."""
    alliance = archives.alliance
    alliance.run(30_000)
    assert not archives.asked, "who lacks nothing needs no archive"
    archives.answers = False
    alliance.add_member(PARTIES[3])
    alliance.run(15_000)
    history = alliance["dee"].synchronizer.history
    assert alliance["dee"].head.index == 0
    assert (history.begins_too_late() or 0) > 1
    assert 3 <= archives.asked["Commits"] <= 6, "each of the others once or twice"
    archives.answers = True
    alliance.run(BEGINS_AGAIN_MS + 30_000)
    assert len(alliance.heads()) == 1
    assert history.begins_too_late() is None
    assert archives.asked["Fetch"] > 0
    report = audit_ledger(alliance["dee"].connection, SOLO, lambda _done, _all: None)
    assert report.differences == []
    assert report.counts.samples == 35
    assert report.begins is None
    assert report.epoch == 1


def desk_over(ledger: ArchivedLedger, sent: list[Parcel]) -> ArchiveDesk:
    """A desk over a ledger whose driver runs in this thread."""

    async def read(question: Callable[[LedgerDriver], Any]) -> Any:
        return question(ledger.driver)

    thread: Any = SimpleNamespace(read=read)
    return ArchiveDesk(ledger.home, thread, sent.append)


def test_the_desk_answers_one_after_the_other_and_says_what_is_here_otherwise(
    tmp_path: Path,
) -> None:
    ledger = ArchivedLedger(tmp_path)
    ledger.furnish()
    ledger.live(3, 12)
    ledger.archive(1)
    begins = archive_rows.gone_through(ledger.driver.connection) + 1
    sent: list[Parcel] = []

    async def ask(*requests: ArchiveRequest, answers: int) -> list[History]:
        desk = desk_over(ledger, sent)
        running = asyncio.create_task(desk.run())
        desk.ask(requests)
        async with asyncio.timeout(30):
            while len(sent) < answers:
                await asyncio.sleep(0)
        running.cancel()
        await desk.stop()
        found = [parse(parcel.raw) for parcel in sent]
        sent.clear()
        assert all(isinstance(one, History) for one in found)
        return found  # type: ignore[return-value]

    old, new = ArchiveRequest(b"one", Commits(1, 9)), ArchiveRequest(b"one", Commits(2, 1))
    other = ArchiveRequest(b"two", Commits(3, begins - 2))
    first, second = asyncio.run(ask(old, new, other, answers=2))
    assert (first.id, first.first, second.id) == (2, 1, 3)
    assert len(first.commits) > 9
    assert second.commits
    ledger.target_folder.rename(tmp_path / "elsewhere")
    (here,) = asyncio.run(ask(new, answers=1))
    assert (here.id, here.commits, here.begins) == (2, (), begins)


def test_what_a_lost_file_takes_with_it_comes_from_the_archives_of_others(
    archives: Archives,
) -> None:
    """`repair --refetch`: the parts before it are kept, the rest is fetched."""
    alliance = archives.alliance
    alliance.kill("bob")
    member = alliance.members["bob"]
    parts = sorted((alliance.folder / "bob-archive").glob("*/*/log/*/*.parquet"))
    parts[-1].unlink()
    with pytest.raises(WrongPartsError, match=rf"part {len(parts)}: .*: missing from the archive"):
        repair(member.path, first_epoch(SOLO), member.kid, lambda: archives.target("bob"))
    saved, _aside = repair(
        member.path, first_epoch(SOLO), member.kid, lambda: archives.target("bob"), refetch=True
    )
    assert 1 <= saved.parts < len(parts)
    assert saved.head.index < alliance["ann"].head.index
    alliance.start("bob")
    alliance.run(30_000)
    assert len(alliance.heads()) == 1
    assert archives.asked["Commits"] > 0
    with archives.beside("bob") as connection:
        report = audit_ledger(connection, SOLO, lambda _done, _all: None)
    assert report.differences == []
    assert report.counts.samples == 35


def test_no_answer_reads_more_than_a_few_parts(
    archives: Archives, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither for names that nobody ever had, nor of idle days with a file for a few commits."""
    driver = archives.alliance["ann"]
    stored = archive_rows.load(driver.connection)
    parts = [part for part in stored if part.contents and part.contents.epoch == 1]
    assert len(parts) > 1
    monkeypatch.setattr(shelf, "PARTS_AN_ANSWER", 1)
    monkeypatch.setattr(shelf, "PARTS_OF_COMMITS", 1)
    known = Known([first_epoch(SOLO), driver.epoch], driver.head)
    answers = Answers(archives.alliance.members["ann"].path, lambda: archives.target("ann"), known)
    strange = [BlockRef(one, 0, bytes(32)) for one in range(1, 33)]
    found = parse(answers.answer(ArchiveRequest(b"x", Fetch(1, 1, tuple(strange), ())), known).raw)
    assert isinstance(found, Blocks)
    assert found.blocks == ()
    assert answers.parts_read == 1
    first = parts[0].first_commit
    given = parse(answers.answer(ArchiveRequest(b"x", Commits(2, first)), known).raw)
    assert isinstance(given, History)
    assert len(given.commits) == parts[0].last_commit - first + 1
    answers.close()
