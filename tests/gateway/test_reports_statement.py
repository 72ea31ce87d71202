"""`dr statement`: each line of a statement names the entries that it rests on (D41)."""

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console
from wattle_gateway.cli.dr_statement import print_statements
from wattle_gateway.contracts.baseline.local_days import Zone
from wattle_gateway.contracts.events.rows import put_event
from wattle_gateway.contracts.settlement import course
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger import entry, leaf, signed_sample, transaction
from wattle_gateway.ledger.leaf import EntryLeaf
from wattle_gateway.ledger.settlement_bodies import Decide, Dispute
from wattle_gateway.ledger.transaction import DECIDE, DISPUTE
from wattle_gateway.reports import statement, statement_document
from wattle_gateway.reports.carried_origins import CORRECTION, FORGOTTEN, LEFT, Origin, origins
from wattle_gateway.reports.statement import DECLARER, OWNER, PAYER, EventStatement
from wattle_testkit.account_ledger import FACTORY, GRID, RETAIL, Signer
from wattle_testkit.event_ledger import BEGIN_MS, HOUSE, INTERVAL_MS, NEIGHBOUR
from wattle_testkit.settled_event import FINAL_MS, HOUR_MS, MARKET, SETTLE_MS, SettledEvent, fresh
from wattle_testkit.stored_chain import stored
from wattle_wire.sample import Reading


@pytest.fixture(scope="module")
def paid() -> tuple[SettledEvent, bytes]:
    """An event of RETAIL in which HOUSE fell short, disputed it and was given 17 cents."""
    ledger = fresh()
    event = ledger.call()
    ledger.deliver(event, {HOUSE: 800, NEIGHBOUR: 2_400})
    ledger.commit_at(SETTLE_MS)
    body = Dispute(event, ledger.board(HOUSE).kid, 1, 2, "it was more").row()
    digest = ledger.done(HOUSE, DISPUTE, body)
    ledger.done(GRID, DECIDE, Decide(digest, 17, "it was").row())
    ledger.commit_at(FINAL_MS)
    return ledger, event


@pytest.fixture(scope="module")
def store(
    paid: tuple[SettledEvent, bytes], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[sqlite3.Connection]:
    folder: Path = tmp_path_factory.mktemp("store")
    connection = stored(folder / "ledger.db", paid[0].chain)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def of(paid: tuple[SettledEvent, bytes], store: sqlite3.Connection) -> "Statements":
    return Statements(*paid, store)


class Statements:
    """Statements of the paid event by party."""

    def __init__(self, ledger: SettledEvent, event: bytes, store: sqlite3.Connection) -> None:
        self.ledger, self.event, self._store = ledger, event, store

    def party(self, who: Signer) -> list[EventStatement]:
        events = [self.ledger.event(self.event)]
        ledger_id = self.ledger.epoch.ledger_id
        return statement.statements(self._store, ledger_id, self.ledger.state, who.kid, events)

    def one(self, who: Signer) -> EventStatement:
        (found,) = self.party(who)
        return found

    def kind(self, index: int) -> int:
        """Of the transaction at a ledger index."""
        raw = entry.decode(self.leaf(index).entry).body
        return transaction.parse(raw, self.ledger.epoch.ledger_id).kind

    def leaf(self, index: int | None) -> EntryLeaf:
        assert index is not None
        found = leaf.decode(self.ledger.chain.leaves[index])
        assert isinstance(found, EntryLeaf)
        return found


def test_each_line_names_its_entries(of: Statements) -> None:
    ledger_id = of.ledger.epoch.ledger_id
    (resource,) = of.one(HOUSE).resources
    for index, line in enumerate(resource.lines):
        entries = line.entries
        named = [
            transaction.parse(entry.decode(of.leaf(at).entry).body, ledger_id)
            for at in (entries.publish, entries.declaration, entries.dispatch)
        ]
        assert [tx.kind for tx in named] == [15, 16, 18]
        assert [tx.kid for tx in named] == [RETAIL.kid, HOUSE.kid, RETAIL.kid]
        assert entries.samples is not None
        samples = [
            signed_sample.parse(entry.decode(of.leaf(at).entry).body, ledger_id)
            for at in entries.samples
        ]
        assert {signed.kid for signed in samples} == {of.ledger.board(HOUSE).kid}
        times = {one.time_ms for signed in samples for one in signed.sample.readings}
        begin_ms = BEGIN_MS + index * INTERVAL_MS
        assert {begin_ms, begin_ms + INTERVAL_MS} <= times


def test_a_party_sees_what_concerns_it(of: Statements) -> None:
    house = of.one(HOUSE)
    assert [one.roles for one in house.resources] == [(DECLARER, OWNER)]
    assert (house.resources[0].net, house.resources[0].share) == (52 + 17, 69)
    assert house.payment is not None
    assert (house.payment.paid, house.cost) == (69, None)
    retail = of.one(RETAIL)
    assert [one.roles for one in retail.resources] == [(PAYER,), (PAYER,)]
    assert sum(one.share for one in retail.resources) == -(69 + 360)
    assert (retail.payment, retail.cost) == (None, 69 + 360)
    assert of.party(FACTORY) == []


def test_as_json(of: Statements) -> None:
    content = json.loads(json.dumps(statement_document.as_json(of.one(HOUSE))))
    assert (content["version"], content["state"], content["asset"]) == ("final", "final", "EUR")
    assert content["payment"] == {
        "own": 69,
        "before": 0,
        "paid": 69,
        "after": 0,
        "before_from": [],
    }
    (resource,) = content["resources"]
    assert [line["status"] for line in resource["lines"]] == ["called"] * 4
    assert resource["lines"][0]["adjustment_mj"] == 800 * 900 * 1_000
    assert set(resource["lines"][0]["entries"]) == {
        *("publish", "declaration", "dispatch"),
        *("first_sample", "last_sample"),
    }
    (dispute,) = resource["disputes"]
    assert (dispute["interval"], dispute["decision"]["amount"]) == (2, 17)
    entries = dispute["entries"]
    assert (of.kind(entries["dispute"]), of.kind(entries["decision"])) == (DISPUTE, DECIDE)
    assert entries["answer"] is None


def test_as_csv(of: Statements) -> None:
    file = io.StringIO()
    writer = csv.DictWriter(file, statement_document.COLUMNS)
    writer.writeheader()
    for who in (HOUSE, RETAIL):
        writer.writerows(statement_document.csv_rows(of.one(who)))
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    house, retail = rows[:6], rows[6:]
    assert [row["kind"] for row in house] == [*["interval"] * 4, "decision", "payment"]
    assert sum(int(row["amount"]) for row in house[:-1]) == int(house[-1]["amount"]) == 69
    assert all(row["first_sample_index"] for row in house[:4])
    assert [of.kind(int(house[4][f"{name}_index"])) for name in ("dispute", "decision")] == [
        DISPUTE,
        DECIDE,
    ]
    assert [row["kind"] for row in retail].count("interval") == 8
    assert (retail[-1]["kind"], retail[-1]["amount"]) == ("cost", "-429")


def test_as_text(of: Statements) -> None:
    console = Console(record=True, width=200, file=io.StringIO())
    print_statements(console, "house 1", [of.one(HOUSE)], {"EUR": 2})
    text = console.export_text()
    assert "statement final, in EUR" in text
    assert "-0.37" in text
    how = statement_document.as_json(of.one(HOUSE))["resources"][0]["lines"][0]
    assert f"register {how['uncertainty_mwh'] / 1000:.3f}" in text
    assert "decided, 0.17" in text
    assert "shares 0.69, carried in 0.00, paid 0.69, carried on 0.00" in text
    (line,) = (one for one in of.one(HOUSE).resources[0].lines if one.begin_ms == BEGIN_MS)
    assert f"e{line.entries.publish} d{line.entries.declaration}" in text


def test_months_are_local(of: Statements) -> None:
    """An event at 23:30 UTC on the last of November begins in December an hour further east."""
    event = of.ledger.event(of.event)
    late = replace(event, body=replace(event.body, begin_ms=1_701_387_000_000))
    changed = State({})
    put_event(changed, late)
    state = {row: value for row, value in changed.changes() if value is not None}
    november, december = date(2023, 11, 1), date(2023, 12, 1)
    assert statement.in_month(state, Zone(), november) == [late]
    assert statement.in_month(state, Zone(3_600), november) == []
    assert statement.in_month(state, Zone(3_600), december) == [late]


def test_a_correction_names_the_samples_that_came_late(tmp_path: Path) -> None:
    """Registers of the middle of the event are missing, and come after the payment."""
    ledger = fresh()
    event = ledger.call()
    powers = dict.fromkeys(range(4), 400)
    ledger.measured(HOUSE, powers, confirms=ledger.order, without=(1, 2))
    ledger.deliver(event, {NEIGHBOUR: 2_400})
    ledger.commit_at(FINAL_MS)
    before = len(ledger.chain.leaves)
    late = [
        Reading(1, BEGIN_MS + index * INTERVAL_MS, "G", {"ei": 12_800 + index * 100, "p": 4_000})
        for index in (1, 2)
    ]
    ledger.sample(HOUSE, late)
    ledger.commit_at(course.last_change_ms(ledger.event(event), MARKET))
    connection = stored(tmp_path / "ledger.db", ledger.chain)
    with closing(connection):
        (house,) = Statements(ledger, event, connection).one(HOUSE).resources
    assert house.correction is not None
    assert house.correction.amount == 270
    assert house.late == (before, before)
    shown = json.loads(
        json.dumps(
            statement_document.as_json(EventStatement(ledger.event(event), (house,), None, None))
        )
    )["resources"][0]["correction"]
    assert (shown["first_sample"], shown["last_sample"]) == (before, before)


def test_what_is_carried_into_a_payment_says_where_it_comes_from(tmp_path: Path) -> None:
    """HOUSE sheds nothing in a first event, of which half is known late; then it earns."""
    ledger = fresh()
    first = ledger.call(penalty_price=1_000_000, prices={HOUSE: 90_000}, quantity_w=2_400)
    ledger.measured(HOUSE, {}, confirms=ledger.order, without=(1, 2))
    ledger.commit_at(FINAL_MS)
    late = [
        Reading(1, BEGIN_MS + index * INTERVAL_MS, "G", {"ei": 12_800 + index * 700, "p": 28_000})
        for index in (1, 2)
    ]
    ledger.sample(HOUSE, late)
    ledger.commit_at(course.last_change_ms(ledger.event(first), MARKET))
    begin_ms = BEGIN_MS + 5 * 24 * HOUR_MS
    second = ledger.call(begin_ms=begin_ms, energy_price=2_000_000, prices={HOUSE: 2_000_000})
    ledger.deliver(second, {HOUSE: 2_400})
    ledger.commit_at(begin_ms + FINAL_MS - BEGIN_MS)
    connection = stored(tmp_path / "ledger.db", ledger.chain)
    with closing(connection):
        (before,) = Statements(ledger, first, connection).party(HOUSE)
        (after,) = Statements(ledger, second, connection).party(HOUSE)
    # Availability 30, penalty 570 for each of four intervals: one is known at once, three late.
    assert (before.carried, after.carried) == (
        (),
        (Origin(LEFT, first, -540), Origin(CORRECTION, first, -1_620)),
    )
    assert after.payment is not None
    assert (after.payment.own, after.payment.before, after.payment.paid) == (4_920, -2_160, 2_760)
    console = Console(record=True, width=200, file=io.StringIO())
    print_statements(console, "house 1", [after], {"EUR": 2})
    text = console.export_text()
    assert f"carried in: -5.40, left by the payment for event {first.hex()[:16]}" in text
    assert f"carried in: -16.20, correction of event {first.hex()[:16]}" in text
    shown = statement_document.as_json(after)["payment"]["before_from"]
    assert [(one["why"], one["amount"]) for one in shown] == [
        ("left", -540),
        ("correction", -1_620),
    ]


def test_what_the_state_has_let_go_is_carried_without_an_event(tmp_path: Path) -> None:
    ledger = fresh()
    first = ledger.call(penalty_price=1_000_000, prices={HOUSE: 90_000}, quantity_w=2_400)
    ledger.deliver(first, {HOUSE: 0})
    ledger.commit_at(FINAL_MS)
    begin_ms = BEGIN_MS + 8 * HOUR_MS
    second = ledger.call(begin_ms=begin_ms, energy_price=2_000_000, prices={HOUSE: 2_000_000})
    ledger.deliver(second, {HOUSE: 2_400})
    ledger.commit_at(begin_ms + FINAL_MS - BEGIN_MS)
    state = State(ledger.state)
    known = [ledger.event(first), ledger.event(second)]
    assert origins(state, known, known[1], HOUSE.kid) == (Origin(LEFT, first, -2_160),)
    assert origins(state, known[1:], known[1], HOUSE.kid) == (Origin(FORGOTTEN, None, -2_160),)
    assert origins(state, known, known[1], NEIGHBOUR.kid) == ()
