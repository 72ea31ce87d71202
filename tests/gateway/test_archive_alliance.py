"""What has left a member of an alliance: blocks of several authors, blocks that no commit took,
epochs that are over, each where the audit looks for it."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from wattle_gateway.archive import collection, mover
from wattle_gateway.archive.mover import Mover, Place
from wattle_gateway.archive.reader import ArchiveReader
from wattle_gateway.archive.target import Folder
from wattle_gateway.audit.findings import AuditReport
from wattle_gateway.audit.ledger_audit import audit_ledger
from wattle_gateway.audit.repair import repair
from wattle_gateway.ledger import genesis
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.store import archive_rows, database_copy, schema
from wattle_gateway.store import connection as database
from wattle_gateway.store.archived import attached
from wattle_testkit.alliance import CREATED_MS, Party
from wattle_testkit.driven_alliance import DrivenAlliance
from wattle_testkit.sample_flow import SampleFlow

NAMES = ("ann", "bob", "cid", "dee")
PARTIES = tuple(Party(name) for name in NAMES)
CONSTANTS = Constants(enrol_approvals=1, leader_commits=4, gc_depth=8, state_root_every=8)
SOLO = genesis.create("test.wattle", CREATED_MS, (PARTIES[0].member,), CONSTANTS)
LONG_AFTER_MS = CREATED_MS + 400 * 86_400_000


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrivenAlliance]:
    """From one member to four; cid was cut off for as long as its blocks could still be taken, and
    once for longer."""
    alliance = DrivenAlliance(tmp_path_factory.mktemp("grown"), PARTIES[0], epoch=first_epoch(SOLO))
    flow = SampleFlow(alliance, "ann")
    flow(5, "ann")
    for party in PARTIES[1:]:
        alliance.add_member(party)
    alliance.change("ann", NAMES[1:], NAMES)
    flow(20, *NAMES)
    for seconds in (18, 22):
        alliance.cut("cid")
        flow(seconds, *NAMES)
        alliance.heal()
        flow(12, *NAMES)
    alliance.run(60_000)
    yield alliance
    alliance.close()


class Copy:
    """A member's ledger.db, copied while it runs, and where its old part goes."""

    def __init__(self, alliance: DrivenAlliance, name: str, folder: Path) -> None:
        self._first = first_epoch(SOLO)
        self.path = folder / "ledger.db"
        self.target = Folder(folder)
        source = Path(alliance[name].connection.execute("PRAGMA database_list").fetchone()[2])
        database_copy.copy(source, schema.LEDGER, SOLO.ledger_id, self.path)
        place = Place(self.target, SOLO.ledger_id, alliance[name].kid)
        self.mover = Mover(place, self._first, self.opened, self.write)

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        reader = database.open_reader(self.path, schema.LEDGER, SOLO.ledger_id)
        with closing(reader), database.snapshot(reader):
            yield reader

    def write(self, work: Callable[[sqlite3.Connection], None]) -> None:
        writer = database.open_writer(self.path, schema.LEDGER, SOLO.ledger_id)
        with closing(writer), database.transaction(writer):
            work(writer)

    def alter(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as file:
            for statement in statements:
                assert file.execute(statement).rowcount > 0

    def audit(self) -> AuditReport:
        reader = database.open_reader(self.path, schema.LEDGER, SOLO.ledger_id)
        parts = [part for part in archive_rows.load(reader) if part.begun]
        archive = ArchiveReader(reader, parts, lambda: self.target)
        with closing(reader), attached(reader, archive), database.snapshot(reader):
            return audit_ledger(reader, SOLO, lambda _done, _all: None)


@pytest.mark.parametrize("name", ["ann", "cid"])
def test_a_member_archives_most_of_its_ledger_and_the_audit_finds_all(
    grown: DrivenAlliance, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Copy(grown, name, tmp_path)
    before = copy.audit()
    assert before.ok
    monkeypatch.setattr(collection, "PART_ENTRIES", 24)
    monkeypatch.setattr(mover, "COMMITS_KEPT", 1)
    steps = 0
    while copy.mover.step(LONG_AFTER_MS) is not None:
        steps += 1
        if steps % 13 == 0:
            assert copy.audit().ok, "in the middle of a part"
    after = copy.audit()
    assert after.differences == []
    assert after.counts == before.counts
    assert (after.root, after.state_digest) == (before.root, before.state_digest)
    with copy.opened() as reader:
        parts = archive_rows.load(reader)
        gone = archive_rows.gone(reader)
    assert {part.contents.epoch for part in parts if part.contents} == {0, 1}
    assert gone.blocks > before.counts.blocks // 2
    assert gone.samples > before.counts.samples // 2
    copy.alter("UPDATE leaves SET verdict = 7", "DELETE FROM archive_parts", "DELETE FROM state")
    assert not copy.audit().ok
    saved, _aside = repair(copy.path, first_epoch(SOLO), grown[name].kid, lambda: copy.target)
    assert (saved.parts, saved.left_out, saved.lost) == (len(parts), 0, False)
    mended = copy.audit()
    assert mended.differences == []
    assert (mended.root, mended.state_digest) == (before.root, before.state_digest)
    with copy.opened() as reader:
        assert archive_rows.gone(reader).samples == gone.samples
