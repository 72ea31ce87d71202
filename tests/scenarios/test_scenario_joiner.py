"""A fifth gateway comes late, while one of the four is away, which then finds a new epoch."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_testkit.alliance_commands import approve, await_asking, joined, member_names, show
from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.alliance_story import DEADLINE_S, audited
from wattle_testkit.gateway_process import GatewayProcess
from wattle_testkit.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture
def alliance(tmp_path: Path) -> Iterator[AllianceProcesses]:
    made = AllianceProcesses(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.kill()


def await_change(gateway: GatewayProcess) -> None:
    """Wait until a change waits for this gateway."""
    until(lambda: show(gateway)["changes"], DEADLINE_S, "the change is seen")


def await_member(gateway: GatewayProcess) -> None:
    """Wait until the late one is a member in the eyes of this gateway."""
    until(lambda: "late" in member_names(gateway), DEADLINE_S, "the new epoch is known")


def test_a_late_joiner_is_taken_in_while_one_is_away_and_all_five_agree(
    alliance: AllianceProcesses,
) -> None:
    first, second, third, away = alliance
    first.enrol(alliance.board("before anybody came"))
    away.kill()
    late = joined(first, "late")
    alliance.gateways.append(late)
    late.start()
    await_asking(first, ["late"])
    (decision,) = approve(first, "late")
    assert not decision["decided"]
    for voter in (second, third):
        await_change(voter)
        (decision,) = approve(voter, decision["digest"])
    assert (decision["decided"], decision["epoch"]) == (True, 1)
    # Four of five are here, which is a quorum with the new one only.
    present = [first, second, third, late]
    for gateway in present:
        await_member(gateway)
    late.enrol(alliance.board("the first of the new one"))
    alliance.await_same_head(1, present)
    away.start()
    await_member(away)
    away.enrol(alliance.board("the first after its return"))
    alliance.await_same_head(1)
    for gateway in alliance:
        assert gateway.stop() == 0
    assert len({audited(gateway) for gateway in alliance}) == 1
