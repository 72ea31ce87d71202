"""Meters that a member of another role has to approve: asked for, or approved by habit."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from wattle_gateway.home.draft import NewGateway
from wattle_gateway.ledger import genesis
from wattle_testkit.alliance import reading
from wattle_testkit.alliance_commands import approve, said, show
from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until

BEGIN_MS = 1_800_000_000_000
DEADLINE_S = 30.0


def grid_and_retailer(number: int, choice: NewGateway) -> NewGateway:
    """The first is a grid company, which asks; the second a retailer, which approves by itself
    what others enrol."""
    if number == 0:
        return choice
    return replace(choice, role=genesis.RETAILER, approve_enrolments="always")


@pytest.fixture(scope="module")
def alliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AllianceProcesses]:
    folder = tmp_path_factory.mktemp("alliance")
    made = AllianceProcesses(folder, voting=2, change=grid_and_retailer)
    try:
        made.start()
        yield made
    finally:
        made.kill()


def enrol(gateway: GatewayProcess, name: str, folder: Path, *words: str | Path) -> str:
    """What `meters enrol` says of a board of this name."""
    proof = folder / f"{name}.proof"
    proof.write_bytes(gateway.board(name).proof())
    done = command("meters", "enrol", gateway.folder, proof, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_waits_until_the_other_says_so(alliance: AllianceProcesses, tmp_path: Path) -> None:
    grid, retailer = alliance
    board = retailer.board("asked")
    certificate = tmp_path / "tls.pem"
    text = enrol(retailer, "asked", tmp_path, "--certificate", certificate)
    assert f"meter {board.kid.hex()} at site home waits until" in text
    assert not certificate.exists()
    until(lambda: show(grid)["enrolments"], DEADLINE_S, "the other one sees it")
    (waiting,) = show(grid)["enrolments"]
    assert f"wattle-gateway alliance approve DIR {waiting['digest']}" in text
    assert waiting["meter"] == board.kid.hex()
    assert waiting["home"]["name"] == "gateway-2"
    assert [who["name"] for who in waiting["approvers"]] == ["gateway-1"]
    shown = command("alliance", "show", grid.folder).stdout
    assert "an enrolment waits" in shown
    # Who approves it sees what that key is worth.
    assert re.search(r"its key\W+file", shown)
    assert waiting["protection"] == "file"
    # Asking again proposes nothing new, and the own home has no say.
    assert waiting["digest"] in enrol(retailer, "asked", tmp_path)
    assert len(show(retailer)["enrolments"]) == 1
    done = command("alliance", "approve", retailer.folder, waiting["digest"])
    assert done.returncode == 7
    assert "same_role" in done.stderr
    (decision,) = approve(grid, waiting["digest"][:8])
    assert decision == {
        "kind": "enrolment",
        "digest": waiting["digest"],
        "decided": True,
        "meter": board.kid.hex(),
    }
    until(lambda: not show(retailer)["enrolments"], DEADLINE_S, "it waits no more")
    again = enrol(retailer, "asked", tmp_path, "--certificate", certificate)
    assert again == f"meter {board.kid.hex()} was enrolled already at site home\n"
    assert certificate.exists()
    with PaperMeter(board, retailer) as meter:
        meter.send(board.sample(1, [reading(BEGIN_MS)]))
        meter.await_final(1)


def test_a_gateway_may_approve_by_itself(alliance: AllianceProcesses, tmp_path: Path) -> None:
    grid, retailer = alliance
    board = grid.board("by habit")
    proof = tmp_path / "proof"
    proof.write_bytes(board.proof())
    own_approvals = grid.log.read_text().count("approved a meter")
    enrolled = said("meters", "enrol", grid.folder, proof)
    assert enrolled["meter"] == board.kid.hex()
    until(lambda: not show(grid)["enrolments"], DEADLINE_S, "the retailer's gateway approves")
    assert not said("meters", "enrol", grid.folder, proof)["new"]
    assert "approved a meter" in retailer.log.read_text()
    assert grid.log.read_text().count("approved a meter") == own_approvals


def test_what_waited_while_it_was_off_is_approved_at_its_start(
    alliance: AllianceProcesses, tmp_path: Path
) -> None:
    grid, retailer = alliance
    board = retailer.board("later")
    enrol(retailer, "later", tmp_path)
    until(lambda: show(grid)["enrolments"], DEADLINE_S, "it waits")
    grid.stop()
    config = grid.home.config.read_text()
    grid.home.config.write_text(
        config.replace('approve_enrolments = "ask"', 'approve_enrolments = "always"')
    )
    grid.start()
    until(lambda: not show(retailer)["enrolments"], DEADLINE_S, "it is approved")
    listed = said("meters", "list", retailer.folder)
    assert board.kid.hex() in [line["meter"] for line in listed]


def test_two_members_are_warned_of(alliance: AllianceProcesses) -> None:
    grid, retailer = alliance
    for text in (
        command("status", grid.folder).stdout,
        command("alliance", "show", retailer.folder).stdout,
    ):
        assert "WARNING" in text
        assert "bear no absence" in text
