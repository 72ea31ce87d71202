"""Four real gateways of which any one may die: the others go on, and it catches up."""

from collections.abc import Iterator

import pytest
from wattle_testkit.alliance import reading
from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.alliance_story import audited, newest_round, rounds_move, visitor
from wattle_testkit.gateway_process import command
from wattle_testkit.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("scenario kills")]

BEGIN_MS = 1_800_000_000_000
DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def alliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AllianceProcesses]:
    made = AllianceProcesses(tmp_path_factory.mktemp("kills"))
    try:
        made.start()
        yield made
    finally:
        made.kill()


@pytest.mark.parametrize("number", range(4))
def test_any_one_is_killed_and_the_others_commit_on(
    alliance: AllianceProcesses, number: int
) -> None:
    victim = alliance[number]
    others = [gateway for gateway in alliance if gateway is not victim]
    victim.kill()
    others[0].enrol(alliance.board(f"without {number}"))  # returns when it is final
    alliance.await_same_head(1, others)
    dead_round = newest_round(victim, others[0])
    victim.start()
    alliance.await_same_head(others[0].status()["commit"])
    assert len(victim.status()["meters"]) == len(others[0].status()["meters"])
    rounds_move(victim, others[0], dead_round)
    victim.enrol(alliance.board(f"back {number}"))  # its own transaction is final, too


def test_what_was_durable_before_a_kill_is_final_after_it(alliance: AllianceProcesses) -> None:
    """Durable at one gateway alone, which dies before it can pass it on."""
    home, other, *rest = alliance
    board = alliance.board("witness")
    home.enrol(board)
    alliance.await_same_head(home.status()["commit"])
    for gateway in (other, *rest):
        gateway.kill()
    with visitor(board, home, home) as meter:
        meter.send(board.sample(1, [reading(BEGIN_MS)]))
        assert meter.await_durable(1).final == 0
    home.kill()
    for gateway in alliance:
        gateway.begin()
    for gateway in alliance:
        gateway.await_up()
    with visitor(board, home, other) as meter:
        meter.await_final(1)
    alliance.await_same_head(1)


def test_all_four_audit_to_the_same_head_and_state(alliance: AllianceProcesses) -> None:
    alliance[0].enrol(alliance.board("audited"))  # something to commit, were it the only test
    alliance.await_same_head(1)
    for gateway in alliance:
        assert gateway.stop() == 0
    found = {audited(gateway) for gateway in alliance}
    assert len(found) == 1
    for gateway in alliance:
        gateway.begin()
    for gateway in alliance:
        gateway.await_up()


def test_one_that_lost_its_ledger_follows_and_never_signs_again_by_itself(
    alliance: AllianceProcesses,
) -> None:
    """Consensus rule 32: what its key has signed it cannot know, so it is one of the f."""
    lost, keeper, *_ = alliance
    keeper.enrol(alliance.board("before the loss"))
    lost.kill()
    for path in lost.folder.glob("ledger.db*"):
        path.unlink()
    dead_round = newest_round(lost, keeper)
    for start in range(2):  # the second time it has a ledger again, and knows that it is not its
        lost.start()
        assert "THE LEDGER IS GONE" in lost.log.read_text()
        keeper.enrol(alliance.board(f"after the loss {start}"))
        alliance.await_same_head(keeper.status()["commit"])
        lost.kill()
    assert newest_round(lost, keeper) == dead_round
    lost.start()
    until(lambda: lost.status()["commit"] >= keeper.status()["commit"], DEADLINE_S, "it follows")
    assert command("audit", lost.folder).returncode == 0
