"""A gateway makes the rounds that its ledger needs to do what is due (CONSENSUS.md rule 12, D23),
and an audit finds that it was done."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from wattle_gateway.audit.ledger_audit import audit_ledger
from wattle_gateway.contracts.events import due, rows
from wattle_gateway.contracts.events.rows import EventState
from wattle_gateway.ledger import event_bodies, genesis, transaction
from wattle_gateway.ledger.account_bodies import Issue
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.genesis import Constants, Genesis
from wattle_gateway.ledger.market import Market
from wattle_testkit.alliance import CREATED_MS, Party
from wattle_testkit.driven_alliance import DrivenAlliance
from wattle_testkit.event_ledger import EVENT

NAMES = ("ann", "bob", "cid", "dee")
CONSTANTS = Constants(enrol_approvals=1, market=Market(interval_s=60))
# Idle rounds come once a minute, so this stands between two of them.
SELECT_MS = CREATED_MS // 60_000 * 60_000 + 125_000
BEGIN_MS = CREATED_MS // 60_000 * 60_000 + 180_000


def founded_by(names: Sequence[str]) -> Genesis:
    """The genesis of members of these names."""
    members = tuple(Party(name).member for name in names)
    return genesis.create("test.wattle", CREATED_MS, members, CONSTANTS, rules=3)


@pytest.fixture(params=[1, 4])
def alliance(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DrivenAlliance]:
    """An alliance with an event that nobody answers."""
    names = NAMES[: request.param]
    parties = [Party(name) for name in names]
    made = DrivenAlliance(tmp_path, *parties, epoch=first_epoch(founded_by(names)))
    kid = made.members["ann"].kid
    made.transact("ann", transaction.ISSUE, Issue("EUR", 2, kid, 10**6).row())
    made.run(2_000)
    body = replace(
        EVENT,
        method=event_bodies.BID,
        begin_ms=BEGIN_MS,
        select_ms=SELECT_MS,
        notice_ms=0,
        intervals=1,
    )
    made.transact("ann", transaction.PUBLISH, body.row())
    made.run(3_000)
    yield made
    made.close()


def states(alliance: DrivenAlliance) -> set[str]:
    """What the event is to each gateway."""
    return {
        str(event.state)
        for member in alliance.members.values()
        if member.driver is not None
        for event in rows.events(member.up.state)
    }


def run_until(alliance: DrivenAlliance, unix_ms: int) -> None:
    alliance.run(unix_ms - alliance.unix_ms)


def test_what_is_due_is_done_within_a_second_though_nothing_else_happens(
    alliance: DrivenAlliance,
) -> None:
    run_until(alliance, SELECT_MS - 1)
    assert states(alliance) == {EventState.OPEN}
    commits = {index for index, _, _ in alliance.heads()}
    run_until(alliance, SELECT_MS + 1_000)
    assert states(alliance) == {EventState.FAILED}
    assert len(alliance.heads()) == 1
    ((index, _, _),) = alliance.heads()
    # Then they rest again: a few commits for what was due, and no more.
    assert index - max(commits) <= 8
    run_until(alliance, SELECT_MS + 20_000)
    ((later, _, _),) = alliance.heads()
    assert later - index <= 4


def test_it_is_known_after_a_restart_too(alliance: DrivenAlliance) -> None:
    for name in list(alliance.members):
        alliance.kill(name)
    for name in list(alliance.members):
        alliance.start(name)
    run_until(alliance, SELECT_MS + 1_000)
    assert states(alliance) == {EventState.FAILED}


def test_what_was_due_has_no_leaf_and_an_audit_finds_it_done(
    alliance: DrivenAlliance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_until(alliance, SELECT_MS + 5_000)
    founded = founded_by(list(alliance.members))
    for member in alliance.members.values():
        (leaves,) = member.up.connection.execute("SELECT count(*) FROM leaves").fetchone()
        assert leaves == 2  # the issue and the event
        report = audit_ledger(member.up.connection, founded, lambda done, total: None)
        assert report.ok, report.differences
        assert report.commit == member.up.head.index
    # Who does not do what is due comes to another state.
    monkeypatch.setattr(due, "run", lambda state, setting: None)
    ann = alliance["ann"].connection
    assert not audit_ledger(ann, founded, lambda done, total: None).ok
