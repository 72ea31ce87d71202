"""Altered rows are named, repaired from what verifies, and the rest comes from the peers."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from wattle_gateway.audit.commit_replay import CommitReplay
from wattle_gateway.audit.comparison import compare
from wattle_gateway.audit.ledger_audit import audit_ledger
from wattle_gateway.audit.repair import repair
from wattle_gateway.audit.vote_proof import VoteProof
from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import genesis, transaction
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.genesis import Constants, Genesis
from wattle_gateway.store import own_rows
from wattle_testkit.alliance import CREATED_MS, Board, Party, sample_entry
from wattle_testkit.driven_alliance import DrivenAlliance

NAMES = ("ann", "bob", "cid", "dee")
PARTIES = tuple(Party(name) for name in NAMES)
CONSTANTS = Constants(enrol_approvals=1, leader_commits=4, gc_depth=8, state_root_every=8)
SETTLED_MS = 12_000
SAMPLES = 20


def founded(*parties: Party) -> Genesis:
    """The genesis of these parties."""
    members = tuple(party.member for party in parties)
    return genesis.create("test.wattle", CREATED_MS, members, CONSTANTS)


def filled(folder: Path, *parties: Party) -> tuple[DrivenAlliance, Board]:
    """An alliance with an enrolled board and samples."""
    alliance = DrivenAlliance(folder, *parties, epoch=first_epoch(founded(*parties)))
    alliance.run(1000)
    board = Board("meter", alliance.epoch)
    kid = alliance.epoch.members[0].kid
    (home,) = [name for name, member in alliance.members.items() if member.kid == kid]
    alliance.transact(home, transaction.ENROL, transaction.enrol_body(board.enrol()))
    alliance.run(1500)
    names = [party.name for party in parties]
    for seq in range(1, SAMPLES + 1):
        alliance.add(names[seq % len(names)], sample_entry(board.sample(seq)))
        alliance.run(1000)
    alliance.run(SETTLED_MS)
    return alliance, board


@pytest.fixture
def four(tmp_path: Path) -> Iterator[tuple[DrivenAlliance, Board]]:
    alliance, board = filled(tmp_path, *PARTIES)
    yield alliance, board
    alliance.close()


def tampered(alliance: DrivenAlliance, name: str, *statements: str) -> None:
    """Change rows of a dead gateway."""
    with closing(sqlite3.connect(alliance.members[name].path, isolation_level=None)) as file:
        for statement in statements:
            assert file.execute(statement).rowcount > 0


def repaired(alliance: DrivenAlliance, name: str) -> Path:
    """Repair a dead gateway's ledger; where the old file is."""
    member = alliance.members[name]
    return repair(member.path, alliance.epoch, member.kid)[1]


def check_equal(alliance: DrivenAlliance, samples: int) -> None:
    """All that are up have one sound ledger with every sample."""
    assert len(alliance.heads()) == 1
    assert all(len(headers) == 1 for headers in alliance.blocks().values())
    for member in alliance.members.values():
        connection = member.up.connection
        report = audit_ledger(connection, founded(*PARTIES), lambda done, total: None)
        assert report.ok, report.differences
        assert report.counts.samples == samples
        assert compare(connection, alliance["ann"].connection).equal


ALTERED = {
    "a sample": ("UPDATE entries SET body = x'00' WHERE id = (SELECT max(entry) FROM leaves)",),
    "a header": ("UPDATE blocks SET header = x'00' WHERE round = 6",),
    "a commit": ("DELETE FROM commits WHERE commit_index = 3",),
    "verdicts": ("UPDATE leaves SET verdict = 7",),
    "the state": ("DELETE FROM state", "UPDATE totals SET samples = 0"),
    "the tree": ("UPDATE ledger SET edge = x'820080'",),
    "all blocks": ("DELETE FROM blocks",),
}


@pytest.mark.parametrize("what", ALTERED)
def test_heads_are_equal_again(four: tuple[DrivenAlliance, Board], what: str) -> None:
    alliance, board = four
    alliance.kill("bob")
    tampered(alliance, "bob", *ALTERED[what])
    aside = repaired(alliance, "bob")
    assert aside.is_file()
    alliance.start("bob")
    alliance.add("ann", sample_entry(board.sample(SAMPLES + 1)))
    alliance.run(3 * SETTLED_MS)
    assert alliance["bob"].signing
    check_equal(alliance, SAMPLES + 1)


def test_what_waited_waits_again(four: tuple[DrivenAlliance, Board]) -> None:
    """Durable is durable: in the pool, and in an own block that nobody else has."""
    alliance, board = four
    alliance.cut("bob")
    alliance.add("bob", sample_entry(board.sample(SAMPLES + 1)))
    alliance.run(5000)  # it is in a block by now
    alliance.add("bob", sample_entry(board.sample(SAMPLES + 2)))
    alliance.kill("bob")
    tampered(alliance, "bob", "UPDATE blocks SET header = x'00' WHERE round = 5")
    repaired(alliance, "bob")
    alliance.heal()
    alliance.start("bob")
    view = alliance["bob"].queue.held(board.kid)
    assert (SAMPLES + 1, SAMPLES + 1) in view
    assert (SAMPLES + 2, SAMPLES + 2) in view
    # The others idle, and bob signs above the round of the block that only it had.
    alliance.run(10 * SETTLED_MS)
    check_equal(alliance, SAMPLES + 2)


def test_a_signed_mark_that_was_set_back_is_not_believed(
    four: tuple[DrivenAlliance, Board],
) -> None:
    alliance, _ = four
    alliance.kill("bob")
    tampered(alliance, "bob", "UPDATE own SET round = 1")
    member = alliance.members["bob"]
    saved, _aside = repair(member.path, alliance.epoch, member.kid)
    assert saved.lost
    alliance.start("bob")
    alliance.run(3 * SETTLED_MS)
    assert not alliance["bob"].signing
    check_equal(alliance, SAMPLES)


def test_a_sound_ledger_comes_out_as_it_went_in(four: tuple[DrivenAlliance, Board]) -> None:
    alliance, _ = four
    head = alliance["bob"].head
    mark = own_rows.load(alliance["bob"].connection)
    alliance.kill("bob")
    member = alliance.members["bob"]
    saved, aside = repair(member.path, alliance.epoch, member.kid)
    assert (saved.head, saved.left_out, saved.difference, saved.lost) == (head, 0, None, False)
    with closing(sqlite3.connect(aside)) as old, closing(sqlite3.connect(member.path)) as new:
        assert compare(old, new).equal
        assert own_rows.load(new) == mark


def test_a_file_that_is_no_database_becomes_a_lost_ledger(
    four: tuple[DrivenAlliance, Board],
) -> None:
    alliance, _ = four
    alliance.kill("bob")
    alliance.members["bob"].path.write_bytes(b"\0" * 8192)
    repaired(alliance, "bob")
    alliance.start("bob")
    alliance.run(3 * SETTLED_MS)
    assert not alliance["bob"].signing
    check_equal(alliance, SAMPLES)


def test_commits_that_blocks_do_not_decide_need_the_votes_of_a_quorum(
    four: tuple[DrivenAlliance, Board], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was far behind has taken commits with votes, and no blocks that would decide them.
    Without these votes no row is believed, also not after it was executed."""
    alliance, _ = four
    head = alliance["bob"].head
    alliance.kill("bob")
    copy = alliance.copy_of("bob")
    member = alliance.members["bob"]
    with monkeypatch.context() as patched:
        patched.setattr(CommitReplay, "decide", lambda _replay: [])
        saved, _aside = repair(member.path, alliance.epoch, member.kid)
        assert head.index - 16 < saved.head.index < head.index, "no votes for the newest are here"
        patched.setattr(VoteProof, "proved", 0)
        assert repair(copy, alliance.epoch, member.kid)[0].head.index == 0
    alliance.start("bob")
    alliance.run(3 * SETTLED_MS)
    check_equal(alliance, SAMPLES)


def test_alone_derived_rows_are_rebuilt_and_lost_blocks_are_not_made_up(tmp_path: Path) -> None:
    alliance, _ = filled(tmp_path, PARTIES[0])
    head = alliance["ann"].head
    alliance.kill("ann")
    tampered(alliance, "ann", "UPDATE leaves SET verdict = 7", "DELETE FROM state")
    repaired(alliance, "ann")
    alliance.start("ann")
    assert alliance["ann"].head == head
    alliance.kill("ann")
    tampered(alliance, "ann", "DELETE FROM blocks WHERE round = 9")
    with pytest.raises(StoreError, match="nobody else has them"):
        repaired(alliance, "ann")
    assert alliance.members["ann"].path.is_file()
    alliance.close()


class TestComparison:
    def test_one_that_is_behind_differs_in_nothing(
        self, four: tuple[DrivenAlliance, Board]
    ) -> None:
        alliance, board = four
        alliance.kill("dee")
        alliance.add("ann", sample_entry(board.sample(SAMPLES + 1)))
        alliance.run(SETTLED_MS)
        with closing(sqlite3.connect(alliance.members["dee"].path)) as behind:
            found = compare(behind, alliance["ann"].connection)
        assert found.difference is None
        assert not found.equal
        assert found.commits[0] < found.commits[1]

    @pytest.mark.parametrize(
        ("statement", "table"),
        [
            ("UPDATE leaves SET verdict = 7 WHERE leaf = (SELECT max(leaf) FROM leaves)", "leaves"),
            (
                "UPDATE entries SET body = x'8201' WHERE id = (SELECT max(id) FROM entries)",
                "leaves",
            ),
            ("UPDATE commits SET body = substr(body, 1, 60) WHERE commit_index = 4", "commits"),
            ("DELETE FROM commits WHERE commit_index = 4", "commits"),
            ("DELETE FROM state WHERE key = (SELECT min(key) FROM state)", "state"),
        ],
    )
    def test_the_first_difference_is_named(
        self, four: tuple[DrivenAlliance, Board], statement: str, table: str
    ) -> None:
        alliance, _ = four
        alliance.kill("dee")
        tampered(alliance, "dee", statement)
        with closing(sqlite3.connect(alliance.members["dee"].path)) as other:
            found = compare(alliance["ann"].connection, other)
        assert found.difference is not None
        assert found.difference.table == table
        if table == "leaves":
            (last,) = alliance["ann"].connection.execute("SELECT max(leaf) FROM leaves").fetchone()
            assert found.difference.leaf == last
        if "= 4" in statement:
            assert found.difference.commit == 4
