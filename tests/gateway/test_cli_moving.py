"""Home and further gateways by command, in an alliance of three roles of which one leaves."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from wattle_gateway.home.draft import NewGateway
from wattle_gateway.ledger import genesis
from wattle_gateway.ledger.genesis import Constants
from wattle_testkit.alliance import Board, reading
from wattle_testkit.alliance_commands import approve, member_names, said, show
from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until

DEADLINE_S = 30.0
USAGE = 2
NAMES = ("grid", "retailer", "aggregator")


def three_roles(number: int, choice: NewGateway) -> NewGateway:
    """The aggregator's gateway approves by itself what others enrol or take over."""
    role = (genesis.GRID_COMPANY, genesis.RETAILER, genesis.AGGREGATOR)[number]
    habit = "always" if number == 2 else "ask"
    return replace(choice, name=NAMES[number], role=role, approve_enrolments=habit)


@pytest.fixture(scope="module")
def alliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AllianceProcesses]:
    folder = tmp_path_factory.mktemp("alliance")
    constants = Constants(enrol_approvals=2)
    made = AllianceProcesses(folder, voting=3, change=three_roles, constants=constants)
    try:
        made.start()
        yield made
    finally:
        made.kill()


def line_of(gateway: GatewayProcess, board: Board) -> dict[str, Any]:
    """What `meters list` says of a board, {} if it does not know it yet."""
    rows = said("meters", "list", gateway.folder)
    found: list[dict[str, Any]] = [row for row in rows if row["meter"] == board.kid.hex()]
    return found[0] if found else {}


def homes(gateway: GatewayProcess, board: Board) -> tuple[str, list[str]]:
    """Home and further gateways of a board, by name."""
    line = line_of(gateway, board)
    return (line["home"]["name"], [one["name"] for one in line["further"]]) if line else ("", [])


def refused(*words: str | Path) -> str:
    """What a command says that it refuses as misused."""
    done = command(*words)
    assert (done.returncode, done.stdout) == (USAGE, "")
    return done.stderr


def enrolled(gateway: GatewayProcess, name: str, folder: Path, *words: str) -> Board:
    """A board that another member's gateway has approved by itself."""
    board = gateway.board(name)
    proof = folder / f"{name}.proof"
    proof.write_bytes(board.proof())
    done = command("meters", "enrol", gateway.folder, proof, *words)
    assert done.returncode == 0, done.stderr
    until(lambda: line_of(gateway, board), DEADLINE_S, "it is enrolled")
    return board


def test_the_life_of_a_meter_whose_home_leaves(alliance: AllianceProcesses, tmp_path: Path) -> None:
    grid, retailer, aggregator = alliance
    board = enrolled(grid, "moving", tmp_path, "--further", "retailer")
    meter = board.kid.hex()
    assert homes(grid, board) == ("grid", ["retailer"])
    first = board.sample(1, [reading(1_800_000_000_000)])
    with PaperMeter(board, grid) as paper:
        paper.send(first)
        paper.await_final(1)
    _misused(alliance, board, tmp_path)

    # Further gateways alone: at once. Then another home, which has to agree.
    answer = said("meters", "move", grid.folder, meter, "--further", "aggregator")
    assert (answer["home"]["name"], answer["waits"]) == ("grid", None)
    done = command("meters", "move", grid.folder, meter, "--home", "retailer")
    assert done.returncode == 0, done.stderr
    until(lambda: show(retailer)["waiting"], DEADLINE_S, "the retailer sees it")
    (waiting,) = show(retailer)["waiting"]
    assert done.stdout == (
        f"meter {meter}: home retailer, further gateways: aggregator; waits until "
        f"{done.stdout.split('waits until ')[1][:19]} UTC for retailer, whose operator says:\n"
        f"    wattle-gateway alliance approve DIR {waiting['digest']}\n"
    )
    assert waiting["kind"] == "move"
    assert f"meter {meter} at site home from home grid" in waiting["what"]
    assert [who["name"] for who in waiting["approvers"]] == ["retailer"]
    assert [one["name"] for one in line_of(retailer, board)["moving"]] == ["retailer"]
    assert "waits for retailer" in command("meters", "list", retailer.folder).stdout
    again = said("meters", "move", grid.folder, meter, "--home", "retailer")
    assert again["waits"]["digest"] == waiting["digest"]
    # What is to become somebody's own, nobody approves by habit: that the aggregator has not.
    assert (
        "not_asked" in command("alliance", "approve", aggregator.folder, waiting["digest"]).stderr
    )
    (decision,) = approve(retailer, waiting["digest"])
    assert (decision["kind"], decision["decided"]) == ("move", True)
    until(lambda: homes(grid, board) == ("retailer", ["aggregator"]), DEADLINE_S, "it has moved")

    # Its new home has a certificate for it and serves it; only that one could revoke it.
    path = retailer.home.meter_certificates / f"{meter}.pem"
    until(path.exists, DEADLINE_S, "the new home's certificate")
    with PaperMeter(board, retailer) as paper:
        paper.send(board.sample(2, [reading(1_800_000_001_000)], prev=first.digest))
        paper.await_final(2)
    assert "approval_missing" in command("meters", "revoke", grid.folder, meter).stderr

    _leaves(alliance, retailer)
    assert line_of(grid, board)["orphaned"]
    assert "(no vote)" in command("meters", "list", grid.folder).stdout
    text = refused("meters", "move", grid.folder, meter, "--home", "aggregator")
    assert "say it at the gateway of 'aggregator'" in text
    taken = said("meters", "move", grid.folder, meter, "--no-further")
    assert taken["home"]["name"] == "grid"
    until(lambda: homes(grid, board) == ("grid", []), DEADLINE_S, "the aggregator's gateway agrees")
    assert "approved a meter" in aggregator.log.read_text()
    done = command("meters", "revoke", grid.folder, meter)
    assert done.returncode == 0, done.stderr
    assert command("audit", grid.folder).returncode == 0


def _misused(alliance: AllianceProcesses, board: Board, folder: Path) -> None:
    """One clear error for each way to say it wrongly."""
    grid, retailer, _ = alliance
    meter = board.kid.hex()
    move = ("meters", "move", grid.folder, meter)
    assert "no member 'mars', expected one of: " in refused(*move, "--home", "mars")
    assert "no member 'mars'" in refused(*move, "--further", "mars")
    assert "home already" in refused(*move, "--further", "grid")
    twice = ("--further", "retailer", "--further", "retailer")
    assert "named twice" in refused(*move, *twice)
    assert "has this home and these further gateways" in refused(*move)
    assert "is not enrolled" in refused("meters", "move", grid.folder, "0" * 16)
    assert "whose operator says this" in refused("meters", "move", retailer.folder, meter)
    refused("meters", "move", grid.folder, "meter 7")
    many = [word for number in range(9) for word in ("--further", str(number))]
    assert "at most 8 further gateways" in refused(*move, *many)
    proof = folder / "proof"
    proof.write_bytes(grid.board("another").proof())
    assert "no member 'mars'" in refused("meters", "enrol", grid.folder, proof, "--further", "mars")
    listed = json.loads(command("meters", "list", grid.folder, "--format", "json").stdout)
    assert [line["meter"] for line in listed] == [meter]


def _leaves(alliance: AllianceProcesses, leaver: GatewayProcess) -> None:
    digest = said("alliance", "leave", leaver.folder)[0]["digest"]
    others = [gateway for gateway in alliance if gateway is not leaver]
    for other in others:
        until(lambda at=other: show(at)["changes"], DEADLINE_S, "the change")  # type: ignore[misc]
        approve(other, digest)
    for other in others:
        until(
            lambda at=other: member_names(at) == ["aggregator", "grid"],  # type: ignore[misc]
            DEADLINE_S,
            "it has left",
        )
