"""A gateway begins from a snapshot: proved from the genesis on, and level with the others after."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_gateway.ledger import genesis, transaction
from wattle_gateway.ledger.account_bodies import Issue
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.reports import snapshots
from wattle_gateway.snapshot import beginning
from wattle_testkit.alliance import Party, epoch_of
from wattle_testkit.driven_alliance import DrivenAlliance

EVERY = 8
PARTIES = tuple(Party(name) for name in ("ann", "bob", "cid", "dee"))
WATCHER = Party("watcher", genesis.OBSERVER)
CONSTANTS = Constants(
    enrol_approvals=1, leader_commits=4, gc_depth=8, state_root_every=EVERY, ready_commits_max=6
)
EPOCH = epoch_of(*PARTIES, WATCHER, constants=CONSTANTS)
MINUTE_MS = 60_000


def pay(alliance: DrivenAlliance, times: int) -> None:
    for number in range(times):
        body = Issue("CNY", 2, PARTIES[0].kid, 5 + number).row()
        alliance.transact("ann", transaction.ISSUE, body)
        alliance.run(MINUTE_MS // 4)


def begin(alliance: DrivenAlliance, name: str, file: Path) -> None:
    member = alliance.members[name]
    alliance.kill(name)
    beginning.begin(member.path, file, alliance.epoch, member.kid)
    alliance.start(name)


@pytest.fixture
def alliance(tmp_path: Path) -> Iterator[DrivenAlliance]:
    made = DrivenAlliance(tmp_path, *PARTIES, WATCHER, epoch=EPOCH)
    made.cut("watcher")
    made.run(1000)
    pay(made, 10)
    yield made
    made.close()


def test_an_observer_begins_and_is_level(alliance: DrivenAlliance, tmp_path: Path) -> None:
    made = snapshots.export(alliance["ann"].connection, EPOCH, None)
    file = tmp_path / "state.snapshot"
    file.write_bytes(made.encode())
    pay(alliance, 2)
    begin(alliance, "watcher", file)
    assert 0 < alliance["watcher"].head.index < alliance["ann"].head.index
    alliance.heal()
    alliance.run(5000)
    pay(alliance, 3)
    alliance.run(1000)
    assert len(alliance.heads()) == 1
