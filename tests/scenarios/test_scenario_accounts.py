"""Real gateways of a grid company and an aggregator: money is issued, hosted users pay with keys of
their own, a point changes its owner, and every gateway shows the same."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from wattle_gateway.home.draft import NewGateway
from wattle_gateway.ledger import genesis
from wattle_testkit.alliance_commands import approve, said, show
from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.waiting import until

DEADLINE_S = 30.0
GRID, AGGREGATOR = "gateway-1", "gateway-2"


def grid_and_aggregator(number: int, choice: NewGateway) -> NewGateway:
    return choice if number == 0 else replace(choice, role=genesis.AGGREGATOR)


@pytest.fixture
def alliance(tmp_path: Path) -> Iterator[AllianceProcesses]:
    made = AllianceProcesses(tmp_path / "alliance", voting=2, change=grid_and_aggregator)
    try:
        made.start()
        yield made
    finally:
        made.kill()


def money(gateway: GatewayProcess) -> dict[tuple[str, str], tuple[str, str]]:
    """(party, asset) -> unlocked and locked, as a gateway shows them."""
    found = said("account", "show", gateway.folder)
    return {
        (row["party"]["name"], row["asset"]): (row["unlocked"], row["locked"])
        for row in found["accounts"]
    }


def await_approval(by: GatewayProcess, digest: str) -> None:
    """A gateway sees what waits, and approves it."""
    until(lambda: digest in [row["digest"] for row in show(by)["waiting"]], DEADLINE_S, "it waits")
    (decision,) = approve(by, digest[:12])
    assert (decision["digest"], decision["decided"]) == (digest, True)


def hosted(alliance: AllianceProcesses, folder: Path, name: str) -> Path:
    """A new user of the aggregator, on the ledger; gives its key file."""
    grid, aggregator = alliance
    key, word = folder / f"{name}.pem", folder / f"{name}.word"
    site_file = aggregator.folder / "site.json"
    user = said("party", "word", site_file, key, "--name", name, "--output", word)
    sent = said("party", "register", aggregator.folder, word)
    await_approval(grid, sent["digest"])
    until(
        lambda: user["kid"] in [row["kid"] for row in said("party", "list", aggregator.folder)],
        DEADLINE_S,
        "the user is a party",
    )
    return key


def refused(*words: str | Path) -> tuple[int, str]:
    """Exit code and error of a command that must fail."""
    done = command(*words)
    assert done.returncode != 0, done.stdout
    return done.returncode, done.stderr


def test_an_alliance_moves_money_and_points_and_shows_the_same_everywhere(
    alliance: AllianceProcesses, tmp_path: Path
) -> None:
    """One story: what is issued first is what later parts move."""
    money_from_its_issue_to_a_users_payment(alliance, tmp_path)
    a_point_is_a_users_and_changes_its_owner(alliance, tmp_path)
    right_after_a_kill_the_next_transaction_finds_its_place(alliance)
    at_the_end_every_ledger_adds_up(alliance)


def money_from_its_issue_to_a_users_payment(alliance: AllianceProcesses, tmp_path: Path) -> None:
    grid, aggregator = alliance
    code, error = refused("account", "issue", grid.folder, "CNY", "1000.00")
    assert (code, "CNY is new: declare it with --decimals" in error) == (2, True)
    issued = said("account", "issue", grid.folder, "CNY", "1000.00", "--decimals", "2")
    assert issued["waits_until_ms"] is not None
    await_approval(aggregator, issued["digest"])
    key = hosted(alliance, tmp_path, "house 7")
    until(lambda: ("gateway-1", "CNY") in money(aggregator), DEADLINE_S, "the issue is there")
    said("account", "open", aggregator.folder, "CNY")
    done = command("account", "open", aggregator.folder, "CNY", "--key", key)
    assert done.returncode == 0, done.stderr
    assert "house 7" in done.stdout
    until(lambda: ("house 7", "CNY") in money(grid), DEADLINE_S, "the accounts are there")
    said("account", "transfer", grid.folder, "CNY", "250.5", "house 7")
    until(lambda: money(aggregator)["house 7", "CNY"][0] == "250.50", DEADLINE_S, "it is paid")
    # By the grid company's gateway: a party may use any.
    said("account", "transfer", grid.folder, "CNY", "0.75", AGGREGATOR, "--key", key)
    expected = {
        (GRID, "CNY"): ("749.50", "0.00"),
        (AGGREGATOR, "CNY"): ("0.75", "0.00"),
        ("house 7", "CNY"): ("249.75", "0.00"),
    }
    for gateway in alliance:
        until(lambda at=gateway: money(at) == expected, DEADLINE_S, "everybody sees the same")
    locks_and_refusals(alliance, key)
    shown_alike(alliance)


def locks_and_refusals(alliance: AllianceProcesses, key: Path) -> None:
    grid, aggregator = alliance
    words = ("CNY", "49.75", GRID, "--until", "2100-01-01")
    lock = said("account", "lock", aggregator.folder, *words, "--key", key)["digest"]
    until(lambda: money(grid)["house 7", "CNY"] == ("200.00", "49.75"), DEADLINE_S, "locked")
    asked = ("account", "transfer", aggregator.folder, "CNY")
    code, error = refused(*asked, "200.01", GRID, "--key", key)
    assert (code, "the ledger refused it: balance_short" in error) == (7, True)
    code, error = refused(*asked, "1.001", GRID, "--key", key)
    assert (code, "has 3 digits after the point, CNY has 2" in error) == (2, True)
    code, error = refused(*asked, "1", "nobody")
    assert (code, "no party 'nobody'" in error) == (2, True)
    code, error = refused("account", "open", grid.folder, "EUR")
    assert (code, "there is: CNY" in error) == (2, True)
    code, error = refused("account", "unlock", aggregator.folder, lock[:10], "--key", key)
    assert (code, "not_the_holder" in error) == (7, True)
    said("account", "unlock", grid.folder, lock[:10], "--take", "9.75")
    until(lambda: money(aggregator)["house 7", "CNY"] == ("240.00", "0.00"), DEADLINE_S, "free")
    said("account", "redeem", grid.folder, "CNY", "100")


def shown_alike(alliance: AllianceProcesses) -> None:
    """The whole answer is equal on all, in both forms, the digest of the state included."""

    def answers() -> list[dict[str, Any]]:
        return [said("account", "show", gateway.folder) for gateway in alliance]

    until(lambda: len({json.dumps(found) for found in answers()}) == 1, DEADLINE_S, "one answer")
    (asset,) = answers()[0]["assets"]
    assert (asset["issued"], asset["redeemed"]) == ("1000.00", "100.00")
    total = sum(row["unlocked_units"] + row["locked_units"] for row in answers()[0]["accounts"])
    assert total == asset["issued_units"] - asset["redeemed_units"] == 90_000
    for gateway in alliance:
        text = command("account", "show", gateway.folder, "house 7").stdout
        assert "240.00" in text
        assert "aggregator" not in text


def a_point_is_a_users_and_changes_its_owner(alliance: AllianceProcesses, tmp_path: Path) -> None:
    grid, aggregator = alliance
    seller, buyer = (hosted(alliance, tmp_path, name) for name in ("seller", "buyer"))
    board = aggregator.board("meter of the seller")
    proof = tmp_path / "proof"
    proof.write_bytes(board.proof())
    words = ("--owner", "seller", "--commodity", "heat", "--rating", "9000", "--capacity", "4000")
    waits = said("meters", "enrol", aggregator.folder, proof, *words)["waits"]
    until(lambda: show(grid)["enrolments"], DEADLINE_S, "the enrolment waits")
    approve(grid, waits["digest"])
    until(lambda: said("meters", "points", aggregator.folder), DEADLINE_S, "the point is there")
    point = f"{board.kid.hex()}/1"
    code, error = refused("meters", "assign", aggregator.folder, point, "buyer")
    assert (code, "only its owner hands it on" in error) == (2, True)
    asked = ("meters", "assign", aggregator.folder, point, "buyer", "--from", "2100-01-01")
    sent = said(*asked, "--key", seller)
    assert sent["waits_until_ms"] is not None
    code, error = refused("alliance", "approve", grid.folder, sent["digest"])
    assert (code, "not_asked" in error) == (7, True)
    said("alliance", "approve", aggregator.folder, sent["digest"], "--key", buyer)

    def owners(gateway: GatewayProcess) -> list[str]:
        (line,) = said("meters", "points", gateway.folder)
        assert (line["commodity"], line["rating_w"], line["capacity_w"]) == ("heat", 9000, 4000)
        assert line["owner"]["name"] == "seller"
        return [one["owner"]["name"] for one in line["owners"]]

    for gateway in alliance:
        until(lambda at=gateway: owners(at) == ["seller", "buyer"], DEADLINE_S, "it is handed on")
    assert "buyer from 2100-01-01" in command("meters", "points", grid.folder).stdout


def right_after_a_kill_the_next_transaction_finds_its_place(
    alliance: AllianceProcesses,
) -> None:
    grid, aggregator = alliance
    for number in range(3):
        grid.kill()
        grid.start()
        said("account", "issue", grid.folder, "CNY", "1", "--to", GRID)
        expected = 90_000 + 100 * (number + 1)
        for gateway in (grid, aggregator):
            until(lambda at=gateway, sum_=expected: units(at) == sum_, DEADLINE_S, "issued once")


def units(gateway: GatewayProcess) -> int:
    """All that is in accounts."""
    found = said("account", "show", gateway.folder, "--asset", "CNY")
    return sum(row["unlocked_units"] + row["locked_units"] for row in found["accounts"])


def at_the_end_every_ledger_adds_up(alliance: AllianceProcesses) -> None:
    grid, aggregator = alliance
    for gateway in alliance:
        assert gateway.stop() == 0
    for gateway in alliance:
        done = command("audit", gateway.folder)
        assert done.returncode == 0, done.stdout
    compared = command("audit", grid.folder, "--compare", aggregator.folder)
    assert compared.returncode == 0, compared.stdout
