"""Every member's ledger stands on its own: the audit of each comes to the same head."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from wattle_gateway.audit.findings import AuditReport
from wattle_gateway.audit.ledger_audit import audit_ledger
from wattle_gateway.ledger import genesis, leaf
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.genesis import Constants, Genesis
from wattle_gateway.ledger.leaf import CommitLeaf
from wattle_gateway.store import block_ids
from wattle_testkit.alliance import CREATED_MS, Party
from wattle_testkit.driven_alliance import DrivenAlliance
from wattle_testkit.sample_flow import SampleFlow

NAMES = ("ann", "bob", "cid", "dee")
PARTIES = tuple(Party(name) for name in NAMES)
CONSTANTS = Constants(enrol_approvals=1, leader_commits=4, gc_depth=8, state_root_every=8)
SETTLED_MS = 12_000


def founded(*parties: Party) -> Genesis:
    """The genesis of these parties."""
    members = tuple(party.member for party in parties)
    return genesis.create("test.wattle", CREATED_MS, members, CONSTANTS)


SOLO = founded(PARTIES[0])


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrivenAlliance]:
    """A ledger that grew from one member to four; dee has lost its disk on the way and holds what
    the others gave it; one of the members was cut off for a while."""
    alliance = DrivenAlliance(tmp_path_factory.mktemp("grown"), PARTIES[0], epoch=first_epoch(SOLO))
    flow = SampleFlow(alliance, "ann")
    flow(5, "ann")
    for party in PARTIES[1:]:
        alliance.add_member(party)
    alliance.change("ann", NAMES[1:], NAMES)
    flow(30, *NAMES)
    alliance.kill("dee")
    alliance.start("dee")
    flow(10, *NAMES)
    for seconds in (18, 20, 22):  # blocks that come as late as the floor lets them
        alliance.cut("cid")
        flow(seconds, *NAMES)
        alliance.heal()
        flow(15, *NAMES)
    flow(30, *NAMES)
    alliance.kill("dee")
    alliance.lose_disk("dee")
    alliance.start("dee")
    flow(10, *NAMES[:3])
    alliance.change("bob", [], NAMES)
    flow(10, *NAMES)
    alliance.cut("cid")
    flow(10, "ann")
    alliance.heal()
    alliance.run(100_000)
    assert len(alliance.heads()) == 1
    assert alliance["ann"].epoch.number == 2
    for name in NAMES:
        alliance.kill(name)
    yield alliance
    alliance.close()


@pytest.fixture
def copies(grown: DrivenAlliance, tmp_path: Path) -> Iterator[dict[str, sqlite3.Connection]]:
    """A copy of every ledger, open for whatever the test does to it."""
    made = {}
    for name in NAMES:
        made[name] = sqlite3.connect(tmp_path / f"{name}.db", isolation_level=None)
        with closing(sqlite3.connect(grown.members[name].path)) as original:
            original.backup(made[name])
    yield made
    for connection in made.values():
        connection.close()


def audited(connection: sqlite3.Connection) -> AuditReport:
    return audit_ledger(connection, SOLO, lambda done, total: None)


def test_all_come_to_the_same_head(copies: dict[str, sqlite3.Connection]) -> None:
    reports = {name: audited(connection) for name, connection in copies.items()}
    for name, report in reports.items():
        assert report.ok, (name, report.differences)
        assert report.epoch == 2
    said = {
        (report.commit, report.commit_digest, report.root, report.state_digest)
        for report in reports.values()
    }
    assert len(said) == 1


def test_what_no_commit_took_may_be_missing_below_the_floor(
    copies: dict[str, sqlite3.Connection],
) -> None:
    """A gateway that catches up by commits never sees it, and accepts blocks that name it: votes
    of a quorum stand in for what it cannot decide by the rules."""
    ann = copies["ann"]
    taken: set[int] = set()
    for (raw,) in ann.execute("SELECT blocks FROM commits"):
        taken.update(block_ids.decode(raw))
    (top,) = ann.execute("SELECT max(round) FROM blocks WHERE epoch = 1").fetchone()
    rows = ann.execute(
        "SELECT id FROM blocks WHERE epoch = 1 AND round < ?", (top - 3 * CONSTANTS.gc_depth,)
    ).fetchall()
    void = [row[0] for row in rows if row[0] not in taken]
    assert void
    for block in void:
        ann.execute("DELETE FROM blocks WHERE id = ?", (block,))
        ann.execute("DELETE FROM entries WHERE id / 4096 = ?", (block,))
    report = audited(ann)
    assert report.ok, report.differences
    assert report.commit == audited(copies["bob"]).commit


def test_a_changed_sample_is_named(copies: dict[str, sqlite3.Connection]) -> None:
    bob = copies["bob"]
    (entry,) = bob.execute("SELECT entry FROM leaves WHERE leaf > 40 LIMIT 1").fetchone()
    (body,) = bob.execute("SELECT body FROM entries WHERE id = ?", (entry,)).fetchone()
    bob.execute("UPDATE entries SET body = ? WHERE id = ?", (body[:-1] + b"\0", entry))
    (author, round_number) = bob.execute(
        "SELECT author, round FROM blocks WHERE id = ?", (entry // 4096,)
    ).fetchone()
    (difference,) = audited(bob).differences
    assert difference.block == f"{round_number}/{author}"


def test_a_changed_verdict_of_a_later_epoch_is_named(
    copies: dict[str, sqlite3.Connection],
) -> None:
    bob = copies["bob"]
    (leaf,) = bob.execute("SELECT max(leaf) FROM leaves").fetchone()
    bob.execute("UPDATE leaves SET verdict = verdict + 1 WHERE leaf = ?", (leaf,))
    (difference,) = audited(bob).differences
    assert (difference.table, difference.leaf) == ("leaves", leaf)


@pytest.mark.parametrize("name", ["ann", "dee"])
def test_a_commit_that_was_taken_out_is_missed(
    copies: dict[str, sqlite3.Connection], name: str
) -> None:
    ledger = copies[name]
    (last,) = ledger.execute("SELECT max(commit_index) FROM commits").fetchone()
    for index in (2, last // 2, last):
        ledger.execute("SAVEPOINT whole")
        ledger.execute("DELETE FROM commits WHERE commit_index = ?", (index,))
        assert not audited(ledger).ok
        ledger.execute("ROLLBACK TO whole")
        ledger.execute("RELEASE whole")


def test_commits_that_nothing_decides_are_found(copies: dict[str, sqlite3.Connection]) -> None:
    """The newest commits stand in the store, the blocks that decided them are gone."""
    ann = copies["ann"]
    index, body = ann.execute(
        "SELECT commit_index, body FROM commits ORDER BY commit_index DESC"
    ).fetchone()
    last = leaf.decode(body)
    assert isinstance(last, CommitLeaf)
    ann.execute("DELETE FROM blocks WHERE epoch = 2 AND round > ?", (last.leader.round,))
    (difference,) = audited(ann).differences
    assert "neither" in difference.what
    assert difference.commit is not None
    assert difference.commit <= index


def test_a_vanished_block_that_no_commit_took_is_missed(
    copies: dict[str, sqlite3.Connection],
) -> None:
    ann = copies["ann"]
    (top,) = ann.execute("SELECT max(round) FROM blocks WHERE epoch = 2").fetchone()
    ann.execute("DELETE FROM blocks WHERE epoch = 2 AND round = ? AND author = 0", (top - 1,))
    report = audited(ann)
    assert any("is not stored" in str(difference) for difference in report.differences)


def test_a_checkpoint_of_another_root_is_named(copies: dict[str, sqlite3.Connection]) -> None:
    ann = copies["ann"]
    rows = ann.execute("SELECT commit_index, note FROM checkpoints ORDER BY 1").fetchall()
    assert len(rows) >= 2
    ann.execute("UPDATE checkpoints SET note = ? WHERE commit_index = ?", (rows[0][1], rows[1][0]))
    (difference,) = audited(ann).differences
    assert (difference.table, difference.commit) == ("checkpoints", rows[1][0])
