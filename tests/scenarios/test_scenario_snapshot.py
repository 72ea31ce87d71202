"""A fifth gateway joins a running alliance with a snapshot instead of the whole history."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_gateway.ledger.genesis import Constants
from wattle_testkit.alliance_commands import LOOPBACK, approve, await_asking, member_names, said
from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.alliance_story import DEADLINE_S
from wattle_testkit.gateway_process import GatewayProcess, command, free_port
from wattle_testkit.waiting import until

pytestmark = pytest.mark.slow

# Members sign a checkpoint a minute: a second of this clock's.
SPEED = 60
CONSTANTS = Constants(enrol_approvals=1, state_root_every=4)


@pytest.fixture
def clock(tmp_path: Path) -> tuple[str, str]:
    path = tmp_path / "clock.json"
    now_ms = time.time_ns() // 1_000_000
    path.write_text(json.dumps({"base_ms": now_ms, "anchor_ms": now_ms, "speed": SPEED}))
    return "--bench-clock", str(path)


@pytest.fixture
def alliance(tmp_path: Path, clock: tuple[str, str]) -> Iterator[AllianceProcesses]:
    made = AllianceProcesses(tmp_path, constants=CONSTANTS)
    try:
        made.start(*clock)
        yield made
    finally:
        made.kill()


def signed_snapshot(alliance: AllianceProcesses, file: Path) -> int:
    """Let the alliance work until a member can export a snapshot that is signed; its commit."""
    boards = iter(range(100))

    def exported() -> bool:
        alliance[0].enrol(alliance.board(f"board {next(boards)}"))
        if alliance[0].status()["commit"] < CONSTANTS.state_root_every:
            return False
        return bool(said("snapshot", "export", alliance[0].folder, file)["signed"])

    until(exported, DEADLINE_S, "a snapshot that a quorum signed")
    return int(said("snapshot", "verify", alliance[1].folder, file)["commit"])


def joined_with(by: GatewayProcess, file: Path, clock: tuple[str, str]) -> GatewayProcess:
    """A gateway that begins with a snapshot; not started."""
    folder, invitation = by.folder.with_name("late"), by.folder.with_name("late.invitation")
    said(
        "alliance",
        "invite",
        by.folder,
        "--name",
        "late",
        "--role",
        "grid-company",
        "--output",
        invitation,
    )
    ports = ("--port", str(free_port()), "--peers-port", str(free_port()))
    words = ("--snapshot", file, "--host", LOOPBACK, *ports, *clock)
    made = said("alliance", "join", folder, invitation, *words)
    assert made["begins"]["lost"] is False
    return GatewayProcess(folder, port=int(ports[1]))


def test_a_fifth_gateway_begins_with_a_snapshot_and_votes(
    alliance: AllianceProcesses, tmp_path: Path, clock: tuple[str, str]
) -> None:
    file = tmp_path / "state.snapshot"
    begins = signed_snapshot(alliance, file)
    late = joined_with(alliance[0], file, clock)
    alliance.gateways.append(late)
    assert late.status()["commit"] == begins
    late.start(*clock)
    await_asking(alliance[0], ["late"])
    (decision,) = approve(alliance[0], "late")
    for voter in (alliance[1], alliance[2]):
        until(lambda at=voter: said("alliance", "show", at.folder)["changes"], DEADLINE_S, "it")
        (decision,) = approve(voter, decision["digest"])
    assert decision["decided"]
    until(lambda: "late" in member_names(late), DEADLINE_S, "it is a member")
    late.enrol(late.board("the first of the new one"))
    alliance.await_same_head(begins + 1)
    for gateway in alliance:
        assert gateway.stop() == 0
    reports = [said("audit", gateway.folder) for gateway in alliance]
    assert all(report["ok"] for report in reports)
    heads = {(report["commit_digest"], report["root"]) for report in reports}
    assert len(heads) == 1
    assert reports[-1]["begins"]["commit"] == begins
    assert said("audit", late.folder, "--compare", alliance[0].folder)["comparison"] == {
        "commits": [reports[0]["commit"]] * 2,
        "difference": None,
    }
    refused = command("commit", "show", late.folder, str(begins))
    assert refused.returncode == 2
    assert f"begins with commit {begins}" in refused.stderr
