"""Four members by their operators' commands: who leaves, who comes back, what waits for whom."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_testkit.alliance import reading
from wattle_testkit.alliance_commands import (
    approve,
    await_asking,
    member_names,
    said,
    show,
)
from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until

BEGIN_MS = 1_800_000_000_000
DEADLINE_S = 60.0
MINUTE_MS = 60_000
ALL = ["gateway-1", "gateway-2", "gateway-3", "gateway-4"]


@pytest.fixture(scope="module")
def alliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AllianceProcesses]:
    """Four voting members; every test leaves all four as members."""
    made = AllianceProcesses(tmp_path_factory.mktemp("alliance"))
    try:
        made.start()
        yield made
    finally:
        made.kill()


def await_change(gateway: GatewayProcess) -> str:
    """The digest of the one change that waits, as a gateway sees it."""
    until(lambda: len(show(gateway)["changes"]) == 1, DEADLINE_S, "one change waits")
    digest: str = show(gateway)["changes"][0]["digest"]
    return digest


def approve_change(*gateways: GatewayProcess) -> None:
    """Each approves the change that waits; the last one's approval decides it."""
    for gateway in gateways:
        digest = await_change(gateway)
        (decision,) = approve(gateway, digest)
        assert decision["decided"] == (gateway is gateways[-1]), decision


def await_members(gateways: list[GatewayProcess], names: list[str]) -> None:
    """Wait until all of these see exactly these members."""
    for gateway in gateways:
        until(
            lambda at=gateway: member_names(at) == names,  # type: ignore[misc]
            DEADLINE_S,
            f"members {names}; {gateway.log}",
        )


def test_a_suspended_member_follows_and_comes_back(alliance: AllianceProcesses) -> None:
    first, second, third, fourth = alliance
    decision = said("alliance", "leave", first.folder, "--member", "gateway-4")
    assert (decision[0]["decided"], decision[0]["needed"]) == (False, 3)
    assert sorted(decision[0]["missing"]) == ALL[1:]
    approve_change(second, third)
    await_members(list(alliance), ALL[:3])
    assert not show(fourth)["own"]
    # Whoever is asked: it asks all that it is linked to, by itself.
    await_asking(second, ["gateway-4"])
    (decision,) = approve(second, "gateway-4")
    assert (decision["decided"], decision["needed"], decision["approvals"]) == (False, 3, 1)
    approve_change(first, third)
    await_members(list(alliance), ALL)
    alliance.await_linked(list(alliance))
    board = alliance.board("after the return")
    fourth.enrol(board)
    with PaperMeter(board, fourth) as meter:
        meter.send(board.sample(1, [reading(BEGIN_MS)]))
        meter.await_final(1)


def test_one_suspended_while_it_was_off_learns_it_and_comes_back(
    alliance: AllianceProcesses,
) -> None:
    first, second, third, fourth = alliance
    fourth.stop()
    said("alliance", "leave", first.folder, "--member", fourth.member.kid.hex())
    approve_change(second, third)
    await_members([first, second, third], ALL[:3])
    # Not even the others' memory of the epoch before is needed.
    second.stop()
    second.start()
    fourth.start()
    await_members([fourth], ALL[:3])
    await_asking(second, ["gateway-4"])
    approve(second, fourth.member.kid.hex())
    approve_change(first, third)
    await_members(list(alliance), ALL)


def test_who_leaves_does_not_ask_until_its_operator_wants_to(alliance: AllianceProcesses) -> None:
    first, second, third, fourth = alliance
    said("alliance", "leave", fourth.folder)
    approve_change(first, second)
    await_members(list(alliance), ALL[:3])
    text = command("status", fourth.folder).stdout
    assert "this gateway follows and has no vote" in text
    for name in ("approve", "leave"):
        done = command("alliance", name, fourth.folder, *(["x"] if name == "approve" else []))
        assert done.returncode == 2
        assert "this gateway has no vote in the epoch in force" in done.stderr
    assert [show(gateway)["asking"] for gateway in (first, second, third)] == [[], [], []]
    done = command("alliance", "join", fourth.folder)
    assert done.stdout.endswith("it asks to come back from now on\n")
    await_asking(third, ["gateway-4"])
    approve(third, "gateway-4")
    approve_change(first, second)
    await_members(list(alliance), ALL)


def test_the_same_proposal_of_two_is_one_change(alliance: AllianceProcesses) -> None:
    first, second, *_ = alliance
    (mine,) = said("alliance", "leave", first.folder, "--member", "gateway-3")
    until(lambda: show(second)["changes"], DEADLINE_S, "the second sees it")
    (other,) = said("alliance", "leave", second.folder, "--member", "gateway-3")
    assert other["digest"] == mine["digest"]
    assert (other["approvals"], other["decided"]) == (2, False)
    again = command("alliance", "approve", first.folder, mine["digest"])
    assert "proposed: 2 of 3 approvals; not yet from gateway-3, gateway-4" in again.stdout
    # A later proposal takes the place of the own earlier one.
    (later,) = said("alliance", "leave", first.folder, "--member", "gateway-4")
    assert later["replaced"] == mine["digest"]
    assert [change["digest"] for change in show(first)["changes"]] == [later["digest"]]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("approve", "nobody"), "nothing waits here under 'nobody', expected a name"),
        (("approve", "00" * 32), "nothing waits here under"),
        (("approve", ""), "nothing waits here under ''"),
        (("leave", "--member", "nobody"), "no member 'nobody', expected one of: 'gateway-"),
    ],
)
def test_what_does_not_wait(alliance: AllianceProcesses, words: tuple[str, ...], says: str) -> None:
    name, *more = words
    done = command("alliance", name, alliance[0].folder, *more)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_show_and_status_read_well(alliance: AllianceProcesses) -> None:
    first = alliance[0]
    text = command("alliance", "show", first.folder).stdout
    assert "4 vote, 3 of them decide; 1 may be absent or lie" in text
    assert "WARNING" not in text
    status = command("status", first.folder).stdout
    assert "our own newest block: " in status
    for name in ALL:
        assert name in text
        assert name in status
    found = first.status()
    assert (found["size"], found["quorum"], found["votes"], found["warning"]) == (4, 3, True, "")
    others = [member for member in found["members"] if not member["own"]]
    assert len(others) == 3
    for member in others:
        assert member["link"]["up_s"] is not None
        assert member["link"]["received_bytes"] > 0
        assert not any(member[flag] for flag in ("silent", "cheated", "differs"))


def test_a_dead_member_is_seen(alliance: AllianceProcesses) -> None:
    first, *_, fourth = alliance
    fourth.kill()
    until(lambda: _link_of(first, fourth)["up_s"] is None, DEADLINE_S, "the link is gone")
    assert "none" in command("status", first.folder).stdout
    fourth.start()
    until(lambda: _link_of(first, fourth)["up_s"] is not None, DEADLINE_S, "it is back")


def _link_of(gateway: GatewayProcess, other: GatewayProcess) -> dict[str, object]:
    (member,) = [
        line for line in gateway.status()["members"] if line["kid"] == other.member.kid.hex()
    ]
    link: dict[str, object] = member["link"]
    return link


def test_commit_show(alliance: AllianceProcesses) -> None:
    first = alliance[0]
    first.enrol(alliance.board("shown"))  # something to commit, whichever test comes first
    alliance.await_same_head(1)
    newest = first.status()["commit"]
    found = json.loads(command("commit", "show", first.folder, "1", "--format", "json").stdout)
    proposal, votes, certificates = found["phases"]
    assert [proposal["name"], votes["name"], certificates["name"]] == [
        "proposal",
        "votes",
        "certificates",
    ]
    assert [phase["round"] - found["slot"] for phase in found["phases"]] == [0, 1, 2]
    assert min(proposal["count"], votes["count"]) >= votes["needed"] == 3
    assert found["index"] == 1
    assert len(found["leaves"]) == found["leaf"]
    text = command("commit", "show", first.folder, str(newest)).stdout
    assert "P2 votes" in text
    assert "> 2/3" in text
    done = command("commit", "show", first.folder, str(newest + 10_000))
    assert done.returncode == 2
    assert f"there is no commit {newest + 10_000}; the newest is" in done.stderr


def test_a_checkpoint_is_printed_and_verified(alliance: AllianceProcesses, tmp_path: Path) -> None:
    first, second, *_ = alliance
    newest_ms = first.status()["commit_ms"]
    until(
        lambda: time.time_ns() // 1_000_000 // MINUTE_MS > newest_ms // MINUTE_MS,
        MINUTE_MS / 1000 + 1,
        "a new minute",
    )
    first.enrol(alliance.board("of a new minute"))
    until(lambda: command("checkpoint", first.folder).returncode == 0, DEADLINE_S, "a checkpoint")
    found = said("checkpoint", first.folder)
    assert (found["origin"], found["signatures"]) == (
        f"test.wattle/{first.epoch.ledger_id.hex()}",
        3,
    )
    note = tmp_path / "note"
    note.write_text(found["note"])
    at = command("checkpoint", first.folder, "--at", str(found["size"]))
    assert at.stdout == found["note"]
    done = command("checkpoint", second.folder, "--verify", note)
    assert done.returncode == 0, done.stdout
    assert "signed by     gateway-" in done.stdout
    lines = found["note"].splitlines(keepends=True)
    lines[1] = f"{found['size'] + 1}\n"
    note.write_text("".join(lines))
    done = command("checkpoint", second.folder, "--verify", note)
    assert done.returncode == 1
    assert "DIFFERENCE" in done.stdout
    note.write_text("garbage")
    done = command("checkpoint", second.folder, "--verify", note)
    assert done.returncode == 2
    assert "not a checkpoint" in done.stderr
    done = command("checkpoint", first.folder, "--at", "1")
    assert done.returncode == 2
    assert "there is no checkpoint at 1 leaves" in done.stderr
