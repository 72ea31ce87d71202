"""`account statement`: movements that add up, each with the entry that made it."""

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from wattle_gateway.contracts.execute import Executed
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.account_bodies import Issue, Lock, Open, Redeem, Transfer, Unlock
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.reports.account_statement import AccountWatcher, Balance
from wattle_testkit.account_ledger import GRID, AccountLedger
from wattle_testkit.account_ledger import RETAIL as EVENT_RETAIL
from wattle_testkit.billed_ledger import DAY_MS, RETAIL, BilledLedger
from wattle_testkit.event_ledger import HOUSE, NEIGHBOUR
from wattle_testkit.gateway_process import command
from wattle_testkit.settled_event import FINAL_MS, fresh


class Story:
    """RETAIL issues money, pays a user in two months, locks some, of which the user takes some."""

    def __init__(self, folder: Path) -> None:
        ledger = self.ledger = BilledLedger(folder / "ledger")  # begins on 14 November 2023
        self.user = ledger.host("house 7")
        send = ledger.send
        send(RETAIL, transaction.ISSUE, Issue("CNY", 2, RETAIL.kid, 10_000).row())
        send(self.user, transaction.OPEN, Open("CNY").row())
        send(RETAIL, transaction.TRANSFER, Transfer("CNY", self.user.kid, 1_200).row())
        refused = ledger.attempt(
            RETAIL, transaction.TRANSFER, Transfer("CNY", self.user.kid, 10**6).row()
        )
        assert refused
        ledger.pass_to(ledger.now_ms + 20 * DAY_MS)
        body = Lock("CNY", 3_000, self.user.kid, ledger.now_ms + 99 * DAY_MS).row()
        lock = send(RETAIL, transaction.LOCK, body)
        send(self.user, transaction.TRANSFER, Transfer("CNY", RETAIL.kid, 200).row())
        send(self.user, transaction.UNLOCK, Unlock(lock, 1_000).row())
        send(RETAIL, transaction.REDEEM, Redeem("CNY", 500).row())
        self.home = ledger.copy()

    def ask(self, who: str, *words: str) -> Any:
        """`account statement` of a party."""
        return command("account", "statement", self.home, who, "--asset", "CNY", *words)

    def statement(self, who: str, *words: str) -> Any:
        """The same as JSON, after its sums were checked."""
        done = self.ask(who, *words, "--format", "json")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        balance = found["opening"]
        for one in found["movements"]:
            moved = {name: balance[name] + one["change"][name] for name in balance}
            assert moved == one["after"]
            balance = moved
        assert balance == found["closing"]
        return found


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    made = Story(tmp_path_factory.mktemp("statement"))
    yield made
    made.ledger.close()


def told(found: Any) -> list[tuple[str, str | None, int, int]]:
    """(what, other side, change unlocked, change locked) of each movement."""
    return [
        (one["what"], one["other"], one["change"]["unlocked"], one["change"]["locked"])
        for one in found["movements"]
    ]


def test_a_month_with_everything_that_moved(story: Story) -> None:
    found = story.statement("retail", "--month", "2023-12")
    assert found["opening"] == {"unlocked": 8_800, "locked": 0, "total": 8_800}
    assert told(found) == [
        ("locked", "house 7", -3_000, 3_000),
        ("received", "house 7", 200, 0),
        ("unlocked", "house 7", 2_000, -3_000),
        ("redeemed", None, -500, 0),
    ]
    assert found["closing"] == {"unlocked": 7_500, "locked": 0, "total": 7_500}


def test_both_sides_of_each_movement_name_the_same_entry(story: Story) -> None:
    span = ("--from", "2023-11-01", "--to", "2024-01-01")
    retail, user = story.statement("retail", *span), story.statement("house 7", *span)
    assert told(user) == [
        ("received", "retail", 1_200, 0),
        ("paid", "retail", -200, 0),
        ("taken from a lock", "retail", 1_000, 0),
    ]
    indexes = {one["ledger_index"] for one in retail["movements"]}
    assert {one["ledger_index"] for one in user["movements"]} <= indexes
    assert len(indexes) == len(retail["movements"])
    assert told(retail)[0] == ("issued", "retail", 10_000, 0)
    assert retail["opening"]["total"] == 0


def test_months_follow_each_other(story: Story) -> None:
    november = story.statement("house 7", "--month", "2023-11")
    december = story.statement("house 7", "--month", "2023-12")
    later = story.statement("house 7", "--month", "2024-01")
    assert november["closing"] == december["opening"]
    assert december["closing"] == later["opening"] == later["closing"]
    assert later["movements"] == []
    shown = json.loads(command("account", "show", story.home, "--format", "json").stdout)
    units = {row["party"]["name"]: row["unlocked_units"] for row in shown["accounts"]}
    assert units["house 7"] == later["closing"]["unlocked"] == 2_000


def watched(ledger: AccountLedger, *watchers: AccountWatcher) -> None:
    """From now on they see each commit, as a replay shows it."""
    execute = ledger.chain.commit

    def commit(*entries: bytes, time_ms: int | None = None) -> Executed:
        first_leaf = len(ledger.chain.leaves)
        executed = execute(*entries, time_ms=time_ms)
        for watcher in watchers:
            watcher(first_leaf, executed, ledger.state)
        return executed

    ledger.chain.commit = commit  # type: ignore[method-assign]


def test_an_issue_that_waits_moves_with_the_yes() -> None:
    ledger = AccountLedger(constants=Constants(enrol_approvals=2))
    watcher = AccountWatcher((GRID.kid, "CNY"), ledger.epoch.ledger_id, 0)
    watched(ledger, watcher)
    body = Issue("CNY", 2, GRID.kid, 500).row()
    waiting = ledger.done(GRID, transaction.ISSUE, body)
    assert watcher.movements == []
    ledger.done(EVENT_RETAIL, transaction.APPROVE, [waiting])
    ledger.done(GRID, transaction.ISSUE, body)  # of an asset that there is: nobody is asked
    assert [(one.what, one.leaf, one.change.unlocked) for one in watcher.movements] == [
        ("issued", 2, 500),
        ("issued", 4, 500),
    ]
    assert watcher.balance == Balance(1_000)


def test_payments_of_events_and_what_they_reserve() -> None:
    """Executed commit by commit, as a replay does it."""
    ledger = fresh()
    watchers = {
        who: AccountWatcher((who.kid, "EUR"), ledger.epoch.ledger_id, 0)
        for who in (EVENT_RETAIL, HOUSE, NEIGHBOUR)
    }
    before = Balance(*ledger.held(EVENT_RETAIL))
    watchers[EVENT_RETAIL].balance = before
    watched(ledger, *watchers.values())
    event = ledger.call()
    ledger.deliver(event, {HOUSE: 800, NEIGHBOUR: 2_400})
    ledger.commit_at(FINAL_MS)
    moved = [(one.what, one.other, one.event, one.change) for one in watchers[HOUSE].movements]
    assert moved == [("received for an event", EVENT_RETAIL.kid, event, Balance(52))]
    retail = watchers[EVENT_RETAIL]
    assert retail.balance == Balance(*ledger.held(EVENT_RETAIL)) == before.plus(Balance(-412))
    assert [one.what for one in retail.movements] == [
        "reserved",  # the most that it can cost
        "freed",  # what those selected cannot
        "paid for an event",
        "paid for an event",
        "freed",
    ]
    paid = {one.other: one.change.locked for one in retail.movements if one.event == event}
    assert paid == {HOUSE.kid: -52, NEIGHBOUR.kid: -360}
    assert retail.movements[-1].after == retail.balance


def test_for_people_and_for_spreadsheets(story: Story) -> None:
    text = story.ask("retail", "--month", "2023-12").stdout
    for said in ("opening", "closing", "-30.00", "75.00", "redeemed"):
        assert said in text
    rows = list(
        csv.DictReader(
            io.StringIO(story.ask("retail", "--month", "2023-12", "--format", "csv").stdout)
        )
    )
    assert [row["what"] for row in rows][:: len(rows) - 1] == ["opening", "closing"]
    moved = sum(
        Decimal(row["unlocked_change"]) + Decimal(row["locked_change"]) for row in rows[1:-1]
    )
    assert Decimal(rows[0]["total"]) + moved == Decimal(rows[-1]["total"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["house 7"], "expected --month, or --from and --to"),
        (["house 7", "--from", "2023-11-01"], "expected --month, or --from and --to"),
        (["house 7", "--month", "2023-13"], "expected such as 2026-11"),
        (["house 7", "--month", "11/2023"], "expected such as 2026-11"),
        (["house 7", "--month", "2023-11", "--to", "2024-01-01"], "--month stands alone"),
        (["house 7", "--from", "2024-01-01", "--to", "2023-01-01"], "is not before"),
        (["nobody", "--month", "2023-11"], "no party 'nobody'"),
        (["house 7", "--month", "2023-10"], "had no account in CNY by then"),
        (["0123456789abcdef", "--month", "2023-11"], "had no account in CNY by then"),
        (["house 7", "--month", "2023-11", "--asset", "EUR"], "had no account in EUR by then"),
        (["house 7", "--month", "2023-11", "--timezone", "Mars"], "time zone 'Mars'"),
    ],
)
def test_what_is_wrong_is_named(story: Story, words: list[str], said: str) -> None:
    done = story.ask(*words)
    assert done.returncode == 2
    assert said in done.stderr
