"""`dr select` from rules 3 on: who would be called by what the ledger keeps of parties."""

import pytest
from wattle_gateway.contracts.events.selecting import BUSY
from wattle_gateway.contracts.reputation import conduct
from wattle_gateway.contracts.scoring.score import Score
from wattle_gateway.contracts.selection.choice import CHOSEN, DEARER
from wattle_gateway.contracts.selection.offers import SUSPENDED, Need
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger.offer_bodies import DOWN
from wattle_gateway.reports import pool
from wattle_gateway.reports.pool import Wanted
from wattle_testkit.account_ledger import User
from wattle_testkit.event_ledger import (
    BEGIN_MS,
    CAPACITY_W,
    HOUSE,
    NEIGHBOUR,
    THIRD,
    EventLedger,
)
from wattle_testkit.settled_event import fresh_called
from wattle_testkit.shown_fault import SHOWN

ONE_LOAD = Need(CAPACITY_W, 5_000, 60_000)


@pytest.fixture(scope="module")
def ledger() -> EventLedger:
    """Three loads that ask the same price."""
    return EventLedger()


def answers(ledger: EventLedger, rows: State) -> dict[User, str]:
    """Why each load is called or not, after what `rows` says of standings."""
    changed = {row: value for row, value in rows.changes() if value is not None}
    time_ms = ledger.chain.head.time_ms
    state = {**ledger.state, **changed}
    found = pool.select(state, time_ms, ONE_LOAD, Wanted(DOWN), ledger.market).as_json()
    users = {f"{ledger.board(user).kid.hex()}/1": user for user in (HOUSE, NEIGHBOUR, THIRD)}
    return {users[load["point"]]: load["why"] for load in found["loads"]}


def test_of_equal_prices_the_better_scores_are_called(ledger: EventLedger) -> None:
    for best in (HOUSE, NEIGHBOUR, THIRD):
        rows = State(ledger.state)
        good = Score(1000, 1000, 1000, 1000, 500, 500, 800)
        conduct.rate(rows, ledger.market, best.kid, bytes(32), good, 1)
        assert answers(ledger, rows)[best] == CHOSEN


def test_a_fault_on_record_costs_the_call(ledger: EventLedger) -> None:
    for worst in (HOUSE, NEIGHBOUR, THIRD):
        rows = State(ledger.state)
        conduct.charge(rows, ledger.market, worst.kid, "silence", SHOWN, ledger.chain.head.time_ms)
        assert answers(ledger, rows)[worst] == DEARER


def test_who_is_suspended_is_not_called_whatever_its_scores(ledger: EventLedger) -> None:
    rows, now_ms = State(ledger.state), ledger.chain.head.time_ms
    conduct.charge(rows, ledger.market, HOUSE.kid, "self_dealing", SHOWN, now_ms)
    for number in range(10):
        best = Score(1000, 1000, 1000, 1000, 1000, 1000, 1000)
        conduct.rate(rows, ledger.market, HOUSE.kid, bytes([number]) * 32, best, now_ms)
    assert answers(ledger, rows)[HOUSE] == SUSPENDED


def test_who_is_called_by_an_event_or_rests_is_not_called_twice() -> None:
    made, event = fresh_called()
    rest_ms = 600_000
    end_ms = made.event(event).end_ms
    names = {made.board(user).kid: user for user in (HOUSE, NEIGHBOUR, THIRD)}

    def at(time_ms: int) -> dict[User, str]:
        found = pool.select(made.state, time_ms, ONE_LOAD, Wanted(DOWN), made.market)
        reasons = found.choice.reasons
        return {names[found.standing[one.offer.digest].meter]: one.why for one in reasons}

    for busy_ms in (BEGIN_MS, end_ms - 1, end_ms + rest_ms - 1):
        assert at(busy_ms) == {HOUSE: BUSY, NEIGHBOUR: BUSY, THIRD: CHOSEN}
    before_ms = BEGIN_MS - rest_ms - ONE_LOAD.hold_ms
    for free_ms in (before_ms, end_ms + rest_ms):
        assert BUSY not in at(free_ms).values()
    assert at(before_ms + 1)[HOUSE] == BUSY
