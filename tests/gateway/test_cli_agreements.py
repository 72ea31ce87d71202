"""dr contracts, funds, dispute list and pool --at: what is read of a state with an event in it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.settlement_bodies import Answer, Contract, Decide, Dispute, Fund
from wattle_gateway.ledger.transaction import ANSWER, CONTRACT, DECIDE, DISPUTE, FUND
from wattle_gateway.reports import agreements, pool
from wattle_gateway.store import connection as database
from wattle_testkit.account_ledger import AGGREGATOR, GRID, MEMBERS, REGULATOR, RETAIL
from wattle_testkit.alliance import genesis_of
from wattle_testkit.event_ledger import BEGIN_MS, HOUSE, NEIGHBOUR
from wattle_testkit.gateway_process import command
from wattle_testkit.settled_event import HOUR_MS, SETTLE_MS, SettledEvent, fresh, fresh_called
from wattle_wire.sample import Reading

DAY_MS = 24 * HOUR_MS
DELIVERED_W = {HOUSE: 800, NEIGHBOUR: 2_400}


def agree(ledger: SettledEvent, split_permille: int) -> None:
    body = Contract(HOUSE.kid, "EUR", 0, 0, 0, split_permille, BEGIN_MS - HOUR_MS, BEGIN_MS)
    waiting = ledger.done(AGGREGATOR, CONTRACT, body.row())
    ledger.done(HOUSE, transaction.APPROVE, [waiting])


@pytest.fixture(scope="module")
def story() -> tuple[SettledEvent, bytes]:
    """Two contracts of the aggregator with HOUSE, a fund of GRID for RETAIL, and a dispute of an
    event that has its first statement; the ledger, and the fund's digest."""
    ledger = fresh()
    agree(ledger, 700)
    agree(ledger, 650)
    body = Fund("flexibility-2026", "EUR", 50_000, RETAIL.kid, BEGIN_MS + DAY_MS)
    fund = ledger.done(GRID, FUND, body.row())
    event = ledger.call(fund=fund)
    ledger.deliver(event, DELIVERED_W)
    ledger.commit_at(SETTLE_MS)
    reason = Dispute(event, ledger.board(HOUSE).kid, 1, 2, "[b]more[/b]")
    dispute = ledger.done(HOUSE, DISPUTE, reason.row())
    ledger.done(RETAIL, ANSWER, Answer(dispute, "it was not").row())
    ledger.done(REGULATOR, DECIDE, Decide(dispute, -17, "less").row())
    return ledger, fund


@pytest.fixture(scope="module")
def home(story: tuple[SettledEvent, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state, as a gateway's folder has it."""
    folder = tmp_path_factory.mktemp("gateway")
    epoch = story[0].chain.epoch
    first = genesis_of(*MEMBERS, constants=epoch.constants, rules=epoch.rules)
    (folder / "genesis.cbor").write_bytes(first.raw)
    database.create_ledger(folder / "ledger.db", epoch.ledger_id)
    with closing(sqlite3.connect(folder / "ledger.db", isolation_level=None)) as connection:
        connection.executemany("INSERT INTO state VALUES (?, ?)", story[0].state.items())
    return folder


def rows(home: Path, action: str, *words: str) -> list[dict[str, Any]]:
    done = command("dr", action, home, *words, "--format", "json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_contracts_in_the_order_of_their_approval(home: Path) -> None:
    found = rows(home, "contracts")
    assert [(row["party"], row["other"], row["split_permille"]) for row in found] == [
        ("aggregator", "house 1", 700),
        ("aggregator", "house 1", 650),
    ]
    assert (found[0]["from_ms"], found[0]["until_ms"]) == (BEGIN_MS - HOUR_MS, BEGIN_MS)
    assert rows(home, "contracts", "--party", "house 1") == found
    assert rows(home, "contracts", "--party", "retail") == []
    text = command("dr", "contracts", home).stdout
    assert all(word in text for word in ("70.0", "65.0", "2023-11-14 23:15:00"))


def test_funds_with_what_is_left(home: Path, story: tuple[SettledEvent, bytes]) -> None:
    (row,) = rows(home, "funds")
    assert (row["fund"], row["filler"], row["spender"]) == (story[1].hex(), "grid", "retail")
    assert (row["free"] + row["reserved"], row["spent"], row["over"]) == (50_000, 0, False)
    assert rows(home, "funds", "--party", "grid") == rows(home, "funds", "--party", "retail")
    assert rows(home, "funds", "--party", "house 1") == []
    text = command("dr", "funds", home).stdout
    assert all(word in text for word in ("flexibility-2026", "every event"))
    assert row["limits"] == {
        "methods": [],
        **dict.fromkeys(("area", "direction", "from_ms", "to_ms")),
        **dict.fromkeys(("availability_price", "energy_price", "event_amount")),
    }


def test_a_party_that_is_none(home: Path) -> None:
    for action in ("contracts", "funds"):
        done = command("dr", action, home, "--party", "nobody")
        assert (done.returncode, "no party 'nobody'" in done.stderr) == (2, True)


def test_a_fund_is_named_by_its_first_digits(story: tuple[SettledEvent, bytes]) -> None:
    ledger, fund = story
    assert agreements.fund_named(ledger.state, fund.hex()[:4].upper()) == fund
    for word in (fund.hex()[:3], "0000", ""):
        with pytest.raises(UsageError, match="funds begin with"):
            agreements.fund_named(ledger.state, word)


def test_disputes_with_all_that_was_said(home: Path) -> None:
    text = command("dr", "dispute", "list", home).stdout
    for said in ("house 1", "[b]more[/b]", "it was not", "-0.17 EUR: less", "2023-11-14 23:45:00"):
        assert said in text


def test_what_was_confirmed_later_was_not_confirmed_then() -> None:
    """The load is ordered before the event, and answers a minute after it has begun."""
    ledger, event = fresh_called()
    answer_ms = BEGIN_MS + 60_000
    reading = Reading(1, answer_ms, "G", {"ei": 1, "p": 4_000})
    ledger.sample(HOUSE, [reading], command=(ledger.order, 400), time_ms=answer_ms)
    assert ledger.quota(event, HOUSE).confirmed_ms == answer_ms

    def watts(at_ms: int) -> tuple[int, int]:
        (line,) = pool.pool(ledger.state, at_ms, None)
        return line.called_w, line.confirmed_w

    assert watts(BEGIN_MS - 1) == (0, 0)
    assert watts(BEGIN_MS) == watts(answer_ms - 1) == (4_800, 0)
    assert watts(answer_ms) == (4_800, 2_400)
