"""A gateway begins from a snapshot: level with the others afterwards, and honest about what it has
not. One alliance for all tests of this file; what each does to it stands in its order."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_gateway.audit import comparison, ledger_audit, salvage, state_replay
from wattle_gateway.audit.findings import AuditReport
from wattle_gateway.contracts import snapshot as snapshot_format
from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.errors import BeforeBaseError, UsageError
from wattle_gateway.ledger import genesis, merkle, transaction
from wattle_gateway.ledger.account_bodies import Issue
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.reports import checkpoints, snapshots
from wattle_gateway.runtime import recovery
from wattle_gateway.runtime.two_logs import TwoLogs
from wattle_gateway.snapshot import beginning
from wattle_gateway.store import base_rows, checkpoint_rows, ledger_rows, own_rows, tree_rows
from wattle_gateway.store import connection as database
from wattle_gateway.sync.messages import COMMITS, Commits, Holdings
from wattle_gateway.sync.reader import parse
from wattle_testkit.alliance import Party, genesis_of
from wattle_testkit.driven_alliance import DrivenAlliance

EVERY = 8
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
