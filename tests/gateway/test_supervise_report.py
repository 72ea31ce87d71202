"""`supervise report`: what the regulator is told is what the ledger did, to the unit."""

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from wattle_gateway.contracts import accounts, classes
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.account_bodies import Open, Transfer
from wattle_gateway.ledger.fund_limits import FundLimits
from wattle_gateway.ledger.settlement_bodies import Answer, Contract, Decide, Dispute, Fund
from wattle_gateway.ledger.transaction import ANSWER, CONTRACT, DECIDE, DISPUTE, FUND, WITHDRAW
from wattle_gateway.reports import supervise_document, supervise_faults
from wattle_gateway.reports.supervise import Supervision
from wattle_gateway.store import connection as database
from wattle_testkit.account_ledger import AGGREGATOR, GRID, MEMBERS, RETAIL
from wattle_testkit.alliance import genesis_of
from wattle_testkit.billed_ledger import RETAIL as LONE
from wattle_testkit.billed_ledger import BilledLedger
from wattle_testkit.event_ledger import BEGIN_MS, HOUSE, NEIGHBOUR
from wattle_testkit.gateway_process import command
from wattle_testkit.settled_event import (
    FINAL_MS,
    HOUR_MS,
    MARKET,
    SETTLE_MS,
    SettledEvent,
    fresh,
)

DAY_MS = 24 * HOUR_MS
USUAL = {HOUSE: 800, NEIGHBOUR: 2_400}


@pytest.fixture
def ledger() -> SettledEvent:
    return fresh()


def report(ledger: SettledEvent, begin: int | None = None, end: int | None = None) -> Any:
    """As JSON brings it."""
    head, market = ledger.chain.head, ledger.epoch.constants.market
    assert market is not None
    found = Supervision(ledger.state, ledger.epoch, market, head.time_ms, (begin, end))
    return json.loads(json.dumps(supervise_document.as_json(found, None)))


def settled(ledger: SettledEvent, **changes: Any) -> bytes:
    """An event in which HOUSE delivers a third of what it promised, paid."""
    event = ledger.call(**changes)
    ledger.deliver(event, USUAL)
    ledger.commit_at(FINAL_MS)
    return event


def test_prices_and_payments_are_what_left_the_publishers_account(ledger: SettledEvent) -> None:
    before = sum(ledger.held(RETAIL))
    event = settled(ledger)
    found = report(ledger)
    (row,) = found["events"]
    assert (row["event"], row["publisher"], row["version"]) == (event.hex(), "retail", "final")
    assert row["paid"] == before - sum(ledger.held(RETAIL)) == 412
    assert row["availability"] + row["energy"] - row["penalty"] == row["paid"]
    assert (row["selected"], row["called"], row["confirmed"]) == (2, 2, 2)
    # 800 W and 2,400 W over an hour, at the highest price selected, 1,000 of a unit a MWh.
    assert (row["delivered_mwh"], row["uniform_price"], row["paid_per_mwh"]) == (
        3_200_000,
        100_000,
        100_000,
    )
    (price,) = found["prices"]
    assert (price["published_lowest"], price["paid_per_mwh"]) == (200_000, 100_000)
    paid = {row["payee"]: (row["payer"], row["earned"], row["paid"]) for row in found["payments"]}
    assert paid == {"house 1": ("retail", 52, 52), "house 2": ("retail", 360, 360)}


def test_before_it_is_final_nothing_is_paid_and_the_reserve_is_told(ledger: SettledEvent) -> None:
    event = ledger.call()
    ledger.deliver(event, USUAL)
    ledger.commit_at(SETTLE_MS)
    (row,) = report(ledger)["events"]
    assert (row["state"], row["version"], row["paid"]) == ("settled", "initial", 0)
    assert row["reserved"] == ledger.event(event).reserved > 0


def test_penalties_are_borne_as_the_contract_splits_them(ledger: SettledEvent) -> None:
    body = Contract(HOUSE.kid, "EUR", 0, 0, 0, 700, BEGIN_MS - HOUR_MS, BEGIN_MS + DAY_MS)
    waiting = ledger.done(AGGREGATOR, CONTRACT, body.row())
    ledger.done(HOUSE, transaction.APPROVE, [waiting])
    settled(ledger, declarer=AGGREGATOR)
    found = report(ledger)
    fines = {row["bearer"]: (row["payer"], row["amount"], row["events"]) for row in found["fines"]}
    # Of 148: seven tenths, rounded toward zero, are the owner's.
    assert fines == {"house 1": ("retail", 103, 1), "aggregator": ("retail", 45, 1)}
    assert sum(row["penalty"] for row in found["events"]) == 148
    providers = [(row["provider"], row["delivered_permille"]) for row in found["providers"]]
    assert providers == [("aggregator", 1000)]
    assert found["concentration"][0]["index"] == 10_000


def test_a_debt_that_a_penalty_leaves_is_told(ledger: SettledEvent) -> None:
    event = ledger.call(penalty_price=1_000_000)
    ledger.deliver(event, {HOUSE: 0, NEIGHBOUR: 2_400})
    ledger.commit_at(FINAL_MS)
    found = report(ledger)
    (debt,) = found["debts"]
    assert (debt["payer"], debt["payee"], debt["owed"]) == ("retail", "house 1", -2_160)
    assert ledger.carried(HOUSE) == -2_160


def test_the_use_of_a_fund(ledger: SettledEvent) -> None:
    limits = FundLimits(area="north", event_amount=5_000)
    body = Fund("flexibility-2026", "EUR", 50_000, RETAIL.kid, BEGIN_MS + DAY_MS, limits).row()
    fund = ledger.done(GRID, FUND, body)
    event = settled(ledger, fund=fund)
    found = report(ledger)
    (row,) = found["funds"]
    assert (row["purpose"], row["filler"], row["spender"]) == ("flexibility-2026", "grid", "retail")
    assert (row["spent"], row["free"], row["reserved"]) == (412, 50_000 - 412, 0)
    assert row["events"] == [event.hex()]
    named = {name: value for name, value in row["limits"].items() if value}
    assert named == {"area": "north", "event_amount": 5_000}
    assert {row["payer"] for row in found["payments"]} == {"fund flexibility-2026"}
    assert {row["payer"] for row in found["fines"]} == {"fund flexibility-2026"}


def test_shares_and_concentration(ledger: SettledEvent) -> None:
    settled(ledger)
    found = report(ledger)
    rows = [(row["provider"], row["delivered_mwh"]) for row in found["providers"]]
    assert rows == [("house 2", 2_400_000), ("house 1", 800_000)]
    (one,) = found["concentration"]
    assert (one["largest"], one["largest_permille"], one["index"]) == ("house 2", 750, 6_250)


def test_faults_of_parties_are_those_that_the_ledger_charged(ledger: SettledEvent) -> None:
    event = ledger.call()
    ledger.done(NEIGHBOUR, WITHDRAW, ledger.withdrawal(event, NEIGHBOUR))
    ledger.deliver(event, {HOUSE: 800})
    ledger.commit_at(FINAL_MS)
    found = {row["party"]: row for row in report(ledger)["parties"]}
    assert found["house 1"]["event_faults"] == found["house 1"]["faults_on_record"]
    assert found["house 2"]["event_faults"]["withdrawal"] == 1
    shown = found["house 2"]["faults_shown_by"]["withdrawal"]
    assert (shown["what"], shown["digest"]) == ("event", event.hex())
    for row in found.values():
        charged = {
            name: count for name, count in row["faults_on_record"].items() if name != "error"
        }
        assert row["event_faults"] == charged
        assert (row["role"], row["gateway"]) == ("hosted user", False)


def test_who_is_suspended(ledger: SettledEvent) -> None:
    for _ in range(41):
        ledger.send(HOUSE, WITHDRAW, [])
    (row,) = report(ledger)["parties"]
    assert row["faults_on_record"] == {"error": 41}
    assert row["suspended_ms"] is not None
    assert row["back_ms"] == row["suspended_ms"] + MARKET.probation_ms
    assert row["grade"] == "E"


def test_disputes_and_decisions(ledger: SettledEvent) -> None:
    event = ledger.call()
    ledger.deliver(event, USUAL)
    ledger.commit_at(SETTLE_MS)
    body = Dispute(event, ledger.board(HOUSE).kid, 1, 1, "the meter was exchanged")
    dispute = ledger.done(HOUSE, DISPUTE, body.row())
    ledger.done(RETAIL, ANSWER, Answer(dispute, "no").row())
    ledger.done(GRID, DECIDE, Decide(dispute, 25, "it was").row())
    ledger.commit_at(FINAL_MS)
    found = report(ledger)
    (row,) = found["disputes"]
    told = [row[name] for name in ("by", "interval", "reason", "answer", "decision", "decided_by")]
    assert told == ["house 1", 1, "the meter was exchanged", "no", "it was", "grid"]
    assert row["decided"] == found["events"][0]["decided"] == 25
    assert found["events"][0]["paid"] == 412 + 25


def test_only_events_of_the_span(ledger: SettledEvent) -> None:
    settled(ledger)
    assert report(ledger, BEGIN_MS, BEGIN_MS + 1)["events"]
    for begin, end in ((BEGIN_MS + 1, None), (None, BEGIN_MS)):
        found = report(ledger, begin, end)
        assert found["events"] == found["fines"] == found["providers"] == []
        assert found["parties"]  # reputations are of no span


def test_what_the_state_has_forgotten_is_counted(ledger: SettledEvent) -> None:
    settled(ledger)
    assert report(ledger)["forgotten_events"] == 0
    # Once to see that nothing came late, once more when it has been kept for its time.
    for turn in range(1, 5):
        ledger.commit_at(FINAL_MS + turn * (MARKET.keep_days + 1) * DAY_MS)
    found = report(ledger)
    assert (found["forgotten_events"], found["events"]) == (1, [])


def test_what_the_ledger_refused(tmp_path: Path) -> None:
    ledger = BilledLedger(tmp_path / "ledger", rules=2)
    try:
        user = ledger.host("house 7")
        verdict = ledger.attempt(user, transaction.OPEN, Open("CNY").row())
        assert verdict == classes.ASSET_UNKNOWN
        ledger.pass_to(ledger.now_ms + DAY_MS)
        later_ms = ledger.now_ms
        ledger.attempt(LONE, transaction.TRANSFER, Transfer("CNY", user.kid, 1).row())
        home = ledger.copy()
        with closing(sqlite3.connect(home / "ledger.db")) as reader:
            ledger_id = ledger.epoch.ledger_id
            found = supervise_faults.refusals(reader, ledger_id, None, None)
            late = supervise_faults.refusals(reader, ledger_id, later_ms, None)
            early = supervise_faults.refusals(reader, ledger_id, None, later_ms)
    finally:
        ledger.close()
    assert [(one.kid, one.kind, one.why) for one in found] == [
        (user.kid, "open", "asset_unknown"),
        (LONE.kid, "transfer", "asset_unknown"),
    ]
    assert (early, late) == (found[:1], found[1:])
    refused = command("supervise", "report", home)
    assert refused.returncode == 2
    assert "its rules are 2, expected 3" in refused.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a settled event, as a gateway's folder has it."""
    ledger = fresh()
    settled(ledger)
    folder = tmp_path_factory.mktemp("gateway")
    epoch = ledger.chain.epoch
    first = genesis_of(*MEMBERS, constants=epoch.constants, rules=epoch.rules)
    (folder / "genesis.cbor").write_bytes(first.raw)
    database.create_ledger(folder / "ledger.db", epoch.ledger_id)
    with closing(sqlite3.connect(folder / "ledger.db", isolation_level=None)) as connection:
        connection.executemany("INSERT INTO state VALUES (?, ?)", ledger.state.items())
    return folder


@pytest.fixture
def ask(home: Path) -> Callable[..., Any]:
    return lambda *words: command("supervise", "report", home, *words)


def test_people_get_tables(ask: Callable[..., Any]) -> None:
    text = ask("--from", "2023-11-14", "--to", "2023-11-15").stdout
    assert "events that begin from 2023-11-14 00:00:00 to 2023-11-15 00:00:00: 1" in text
    for said in ("penalties and who bears them", "underbid 1", "1000.00", "house 2", "3.200"):
        assert said in text
    assert "disputes" not in text


def test_programs_get_every_table(ask: Callable[..., Any], home: Path) -> None:
    found = json.loads(ask("--format", "json").stdout)
    names = [name for name, value in found.items() if isinstance(value, list)]
    assert len(names) == 11
    for name in names:
        rows = list(csv.DictReader(io.StringIO(ask("--format", "csv", "--table", name).stdout)))
        assert len(rows) == len(found[name])
    (fine,) = csv.DictReader(io.StringIO(ask("--format", "csv", "--table", "fines").stdout))
    assert (fine["bearer"], fine["payer"], fine["amount"]) == ("house 1", "retail", "1.48")
    (event,) = csv.DictReader(io.StringIO(ask("--format", "csv").stdout))
    assert (event["delivered_mwh"], event["paid_per_mwh"]) == ("3200000", "1000.00")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from", "2023-11-15", "--to", "2023-11-14"), "is not before"),
        (("--from", "11/12/2023"), "no time that has one meaning"),
        (("--from", "2023-11-15", "--timezone", "Mars"), "time zone 'Mars'"),
        (("--snapshot", "/nowhere/state"), "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(ask: Callable[..., Any], words: list[str], said: str) -> None:
    done = ask(*words)
    assert done.returncode == 2
    assert said in done.stderr


def test_money_stays_where_it_was(ledger: SettledEvent) -> None:
    """Everything that the report calls paid has arrived."""
    settled(ledger)
    found = report(ledger)
    for row in found["payments"]:
        account = accounts.account(ledger.state, bytes.fromhex(row["payee_kid"]), row["asset"])
        assert account is not None
        assert account.unlocked == row["paid"]
    ledger.check_money()
