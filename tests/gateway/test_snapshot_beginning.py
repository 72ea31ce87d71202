"""A gateway begins from a snapshot: level with the others afterwards, and honest about what it has
not. One alliance for all tests of this file; what each does to it stands in its order."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from wattle_gateway.audit import comparison, ledger_audit, salvage, state_replay
from wattle_gateway.audit.findings import AuditReport
from wattle_gateway.contracts import accounts
from wattle_gateway.contracts import snapshot as snapshot_format
from wattle_gateway.errors import BeforeBaseError, StoreError, UsageError
from wattle_gateway.ledger import genesis, merkle, transaction
from wattle_gateway.ledger.account_bodies import Issue
from wattle_gateway.ledger.checkpoint import parse_note
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.reports import account_statement, checkpoints, coverage, snapshots
from wattle_gateway.runtime.executed_ledger import kept_digest
from wattle_gateway.runtime.two_logs import TwoLogs
from wattle_gateway.snapshot import beginning
from wattle_gateway.store import (
    base_rows,
    checkpoint_rows,
    ledger_rows,
    own_rows,
    schema,
    tree_rows,
)
from wattle_gateway.store import connection as database
from wattle_gateway.sync.messages import Commits, History
from wattle_gateway.sync.reader import parse
from wattle_testkit.alliance import Party, genesis_of, note_of
from wattle_testkit.driven_alliance import DrivenAlliance

EVERY = 4
FOUNDERS = tuple(Party(name) for name in ("ann", "bob", "cid", "dee"))
WATCHER = Party("watcher", genesis.OBSERVER)
EVE = Party("eve")
CONSTANTS = Constants(
    enrol_approvals=1, leader_commits=4, gc_depth=8, state_root_every=EVERY, ready_commits_max=6
)
GENESIS = genesis_of(*FOUNDERS, WATCHER, constants=CONSTANTS)
QUARTER_MS = 15_000


def pay(alliance: DrivenAlliance, times: int) -> None:
    for _ in range(times):
        body = Issue("CNY", 2, FOUNDERS[0].kid, 5).row()
        alliance.transact("ann", transaction.ISSUE, body)
        alliance.run(QUARTER_MS)


def begin(alliance: DrivenAlliance, name: str, file: Path) -> None:
    member = alliance.members[name]
    alliance.kill(name)
    beginning.begin(member.path, file, alliance.epoch, member.kid)
    alliance.start(name)


def audited(alliance: DrivenAlliance, name: str) -> AuditReport:
    connection = alliance[name].connection
    return ledger_audit.audit_ledger(connection, GENESIS, lambda done, total: None)


@pytest.fixture(scope="module")
def alliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrivenAlliance]:
    """Five members, one of them since epoch 1, with some commits; the watcher has the genesis."""
    folder = tmp_path_factory.mktemp("five")
    made = DrivenAlliance(folder, *FOUNDERS, WATCHER, EVE, epoch=first_epoch(GENESIS))
    made.cut("watcher")
    made.run(1000)
    made.change("ann", ["eve"], [party.name for party in (*FOUNDERS, WATCHER, EVE)])
    assert made["eve"].epoch.number == 1
    pay(made, 6)
    yield made
    made.close()


@pytest.fixture(scope="module")
def file(alliance: DrivenAlliance) -> Path:
    """The newest snapshot of a member; some commits came after it."""
    made = snapshots.export(alliance["ann"].connection, alliance.epoch, None)
    path = alliance.folder / "state.snapshot"
    path.write_bytes(made.encode())
    pay(alliance, 1)
    return path


@pytest.fixture(scope="module")
def begun(alliance: DrivenAlliance, file: Path) -> DrivenAlliance:
    """The watcher has begun from it, caught up, and went on with the others."""
    begin(alliance, "watcher", file)
    base = base_rows.load(alliance["watcher"].connection)
    assert base is not None
    assert 0 < alliance["watcher"].head.index == base.index < alliance["ann"].head.index
    assert alliance["watcher"].epoch.number == 1
    alliance.heal()
    pay(alliance, 3)
    return alliance


def test_it_is_level_with_the_others_and_stays_so_after_a_restart(begun: DrivenAlliance) -> None:
    assert len(begun.heads()) == 1
    leaders = begun["ann"].engine.leaders
    assert begun["watcher"].engine.leaders == leaders
    begun.kill("watcher")
    begun.start("watcher")
    pay(begun, 1)
    assert len(begun.heads()) == 1
    assert begun["watcher"].head.index == begun["ann"].head.index


def test_its_audit_says_where_it_begins(begun: DrivenAlliance) -> None:
    report = audited(begun, "watcher")
    assert report.ok, report.differences
    base = base_rows.load(begun["watcher"].connection)
    assert base is not None
    assert report.begins is not None
    assert (report.begins.commit, report.begins.epoch) == (base.index, 1)
    assert len(report.begins.signed_by) == begun["ann"].epoch.quorum
    full = audited(begun, "ann")
    assert full.ok, full.differences
    assert full.begins is None
    assert (report.root, report.state_digest) == (full.root, full.state_digest)
    assert report.counts.leaves == full.counts.leaves - base.edge.size


def test_it_serves_what_it_has_and_says_where_that_begins(begun: DrivenAlliance) -> None:
    watcher, ann = begun["watcher"], begun["ann"]
    begins = base_rows.first_index(watcher.connection)
    for first, expected in ((begins - 1, begins), (begins, None)):
        ask = Commits(7, first).encode()
        answers = [
            parse(parcel.raw)
            for parcel in begun.hear("watcher", ann.kid, ask).to_send
            if parcel.to == ann.kid
        ]
        (history,) = [found for found in answers if isinstance(found, History)]
        assert history.begins == expected
        assert bool(history.commits) == (expected is None)


def test_what_came_later_is_proved_and_what_was_before_is_not_there(begun: DrivenAlliance) -> None:
    connection, full = begun["watcher"].connection, begun["ann"].connection
    base = base_rows.load(connection)
    assert base is not None
    size = begun["watcher"].ledger.edge.size
    root = begun["watcher"].ledger.edge.root()
    for at in (base.edge.size, base.edge.size + 1, size - 1):
        (raw,) = tree_rows.leaves(connection, at, at + 1)
        assert [raw] == list(tree_rows.leaves(full, at, at + 1))
        path = [
            tree_rows.root(connection, *stretch) for stretch in merkle.inclusion_stretches(at, size)
        ]
        merkle.verify_inclusion(merkle.leaf_hash(raw), at, size, path, root)
    for old in range(base.edge.size, size + 1, 5):
        assert tree_rows.head_root(connection, old) == tree_rows.head_root(full, old)
        proof = tree_rows.consistency_proof(connection, old, size)
        assert proof == tree_rows.consistency_proof(full, old, size)
    with pytest.raises(BeforeBaseError, match=f"leaf {base.at} is not on this gateway"):
        list(tree_rows.leaves(connection, base.at, base.at + 1))
    with pytest.raises(BeforeBaseError, match="ask a gateway that has it"):
        tree_rows.root(connection, 0, 1)
    with pytest.raises(BeforeBaseError, match=f"begins with that after commit {base.index}"):
        state_replay.replay_to(connection, begun.epoch, base.index - 1)
    assert ledger_rows.load_commit(connection, base.index) is None
    assert ledger_rows.count_leaves(connection, base.index + 1) == ledger_rows.count_leaves(
        full, base.index + 1
    )
    (_, note) = checkpoint_rows.newest(full) or (0, b"")
    old = note_of(begun.epoch, base.at, bytes(32), *FOUNDERS[:3])
    with pytest.raises(BeforeBaseError, match="what was before is not on this gateway"):
        checkpoints.verify(connection, begun.epoch, old)
    assert checkpoints.verify(connection, begun.epoch, parse_note(note)).ok


def test_it_accuses_nobody_of_what_it_cannot_see(begun: DrivenAlliance) -> None:
    watcher = begun["watcher"]
    at = base_rows.leaves_before(watcher.connection)
    logs = TwoLogs(watcher.connection)
    assert logs.is_ours(at - 1, bytes(32), watcher.ledger.edge.size)
    assert not logs.is_ours(at, bytes(32), watcher.ledger.edge.size)
    assert not watcher.votes.differing


def test_it_is_compared_where_both_have_history(begun: DrivenAlliance) -> None:
    watcher, full = begun["watcher"].connection, begun["ann"].connection
    assert comparison.compare(watcher, full).difference is None
    assert comparison.compare(full, watcher).difference is None


def test_it_gives_newer_snapshots_and_the_one_it_began_with(
    begun: DrivenAlliance, file: Path
) -> None:
    connection, full = begun["watcher"].connection, begun["ann"].connection
    pay(begun, 4)
    newer = snapshots.export(connection, begun.epoch, None)
    index = snapshot_format.check(newer).index
    assert index > base_rows.first_index(connection)
    assert newer == snapshots.export(full, begun.epoch, index)
    first = snapshot_format.decode(file.read_bytes())
    assert snapshots.export(connection, begun.epoch, snapshot_format.check(first).index) == first
    with pytest.raises(UsageError, match="this gateway's ledger begins with commit"):
        snapshots.export(connection, begun.epoch, EVERY)


def test_repair_takes_over_what_it_begins_with(begun: DrivenAlliance, tmp_path: Path) -> None:
    watcher = begun["watcher"]
    target = tmp_path / "new.db"
    saved = salvage.salvage(watcher.connection, target, begun.epoch, watcher.kid)
    assert (saved.head, saved.difference, saved.lost) == (watcher.head, None, False)
    with closing(database.open_writer(target, schema.LEDGER, begun.epoch.ledger_id)) as rebuilt:
        report = ledger_audit.audit_ledger(rebuilt, GENESIS, lambda done, total: None)
        assert report.ok, report.differences
        rebuilt.execute("UPDATE base_state SET value = x'00'")
        (found,) = ledger_audit.audit_ledger(rebuilt, GENESIS, lambda done, total: None).differences
        assert "what the ledger begins with: its rows are not the state" in found.what
        with pytest.raises(StoreError, match="begin again"):
            salvage.salvage(rebuilt, tmp_path / "third.db", begun.epoch, watcher.kid)


def test_a_member_that_lost_its_ledger_begins_and_signs_nothing_twice(
    begun: DrivenAlliance, tmp_path: Path
) -> None:
    newest = tmp_path / "newest.snapshot"
    newest.write_bytes(snapshots.export(begun["bob"].connection, begun.epoch, None).encode())
    dee = begun.members["dee"]
    begun.kill("dee")
    for path in begun.folder.glob("dee.db*"):
        path.unlink()
    made = beginning.begin(dee.path, newest, begun.epoch, dee.kid)
    assert made.lost
    begun.start("dee")
    pay(begun, 2)
    assert len(begun.heads()) == 1
    assert own_rows.load(begun["dee"].connection).lost
    assert not begun["dee"].signing
    begun.change("ann", [], [party.name for party in (*FOUNDERS, EVE)])
    pay(begun, 1)
    assert begun["dee"].signing
    assert all(len(headers) == 1 for headers in begun.blocks().values())
    assert audited(begun, "dee").ok
    later = snapshots.export(begun["dee"].connection, begun.epoch, None)
    assert snapshot_format.check(later).epoch in (1, 2)


def test_who_is_behind_begins_anew_and_loses_nothing_that_waited(
    begun: DrivenAlliance, file: Path, tmp_path: Path
) -> None:
    """What it signed last is known, so it signs again; its own payload comes to the ledger."""
    cid, newer = begun.members["cid"], tmp_path / "newer.snapshot"
    begun.cut("cid")
    begun.transact("cid", transaction.ISSUE, Issue("EUR", 2, cid.kid, 7).row())
    begun.run(QUARTER_MS)
    signed = own_rows.load(cid.up.connection)
    begun.kill("cid")
    before = cid.path.read_bytes()
    with pytest.raises(UsageError, match="the ledger has come to commit"):
        beginning.begin(cid.path, file, begun.epoch, cid.kid)
    assert cid.path.read_bytes() == before
    pay(begun, 6)
    newer.write_bytes(snapshots.export(begun["ann"].connection, begun.epoch, None).encode())
    made = beginning.begin(cid.path, newer, begun.epoch, cid.kid)
    assert (made.lost, made.waiting) == (False, 1)
    assert made.aside is not None
    assert made.aside.read_bytes() == before
    begun.start("cid")
    assert own_rows.load(cid.up.connection) == signed
    begun.heal()
    pay(begun, 1)
    assert begun["cid"].signing
    assert accounts.asset(begun["ann"].state, "EUR") is not None
    assert len(begun.heads()) == 1
    assert all(len(headers) == 1 for headers in begun.blocks().values())


def test_reports_say_what_they_do_not_cover(begun: DrivenAlliance) -> None:
    watcher, full = begun["watcher"].connection, begun["ann"].connection
    base = base_rows.load(watcher)
    assert base is not None
    begins_ms, end_ms = base.leaf.time_ms, begun["ann"].head.time_ms
    account = (FOUNDERS[0].kid, "CNY")
    later = account_statement.statement(watcher, begun.epoch, account, begins_ms + 1, end_ms)
    assert later == account_statement.statement(full, begun.epoch, account, begins_ms + 1, end_ms)
    assert later.opening.unlocked > 0
    assert later.movements
    for from_ms in (None, begins_ms - 1):
        with pytest.raises(BeforeBaseError, match=f"ledger begins with commit {base.index} of "):
            coverage.check(watcher, from_ms)
        coverage.check(full, from_ms)
    coverage.check(watcher, begins_ms)
    assert "was committed before is not shown" in (coverage.note(watcher) or "")
    assert coverage.note(full) is None


def test_execution_asks_for_no_commit_that_is_not_kept(begun: DrivenAlliance) -> None:
    """It stops rather than take a `ready` for one that names no commit."""
    ledger = begun["watcher"].ledger
    assert ledger.base is not None
    kept = ledger.base.index - CONSTANTS.ready_commits_max
    for index in range(kept, ledger.base.index):
        assert ledger.digest_of(index) == begun["ann"].ledger.digest_of(index)
    oldest = ledger_rows.load_commit_leaf(begun["watcher"].connection, 1)
    assert oldest is None
    with pytest.raises(BeforeBaseError, match="execution needs commit 1"):
        kept_digest(ledger.base, 1, ledger.digest_of(1))
    assert kept_digest(None, 1, None) is None
