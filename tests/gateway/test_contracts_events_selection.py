"""The ledger selects by itself: who is chosen, why, at what price (SPEC section 12; D20, D24 to
D26, D36)."""

import pytest
from wattle_gateway.contracts import classes
from wattle_gateway.contracts.events import agenda
from wattle_gateway.contracts.events.agenda import Step
from wattle_gateway.contracts.events.rows import Call, EventState, QuotaStatus, calls
from wattle_gateway.contracts.reputation import conduct
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger import event_bodies, transaction
from wattle_gateway.ledger.account_bodies import Transfer
from wattle_gateway.ledger.offer_bodies import Retract
from wattle_gateway.ledger.transaction import DECLARE
from wattle_testkit.account_ledger import GRID, RETAIL
from wattle_testkit.alliance import CREATED_MS
from wattle_testkit.event_ledger import (
    BEGIN_MS,
    EVENT,
    HOUSE,
    INTERVAL_MS,
    NEIGHBOUR,
    SELECT_MS,
    THIRD,
    USERS,
    EventLedger,
)
from wattle_testkit.shown_fault import SHOWN

END_MS = BEGIN_MS + 4 * INTERVAL_MS
PRICES = (80_000, 90_000, 100_000)


@pytest.fixture
def ledger() -> EventLedger:
    return EventLedger()


def answered(ledger: EventLedger, **changes: object) -> bytes:
    """An event for which everybody has declared, at PRICES where a price is asked."""
    event = ledger.publish(**changes)  # type: ignore[arg-type]
    priced = ledger.event(event).body.method in event_bodies.PRICED_METHODS
    for user, price in zip(USERS, PRICES, strict=True):
        ledger.declare_load(event, user, price=price if priced else 0)
    return event


def whys(ledger: EventLedger, event: bytes) -> list[tuple[str, str]]:
    found = [ledger.quota(event, user) for user in USERS]
    return [(str(quota.status), quota.why) for quota in found]


CHOSEN, DEARER = ("selected", "chosen"), ("released", "dearer")


def test_the_cheapest_are_selected_when_the_time_has_come(ledger: EventLedger) -> None:
    event = answered(ledger)
    ledger.commit_at(SELECT_MS - 1)
    assert ledger.event(event).state is EventState.OPEN
    executed = ledger.commit_at(SELECT_MS)
    assert len(executed.leaves) == 1  # that of the commit: what is due has none
    assert whys(ledger, event) == [CHOSEN, CHOSEN, DEARER]
    row = ledger.event(event)
    assert (row.state, row.reached_w, row.declared) == (EventState.SELECTED, 5_000, 3)
    assert [ledger.quota(event, user).rank for user in USERS] == [1, 2, 3]
    assert calls(ledger.state, ledger.board(HOUSE).kid, 1) == (Call(event, BEGIN_MS, END_MS),)
    assert calls(ledger.state, ledger.board(THIRD).kid, 1) == ()


@pytest.mark.parametrize(
    ("method", "uniform", "paid"),
    [
        (event_bodies.BID, 90_000, [90_000, 90_000, None]),
        (event_bodies.COST, None, [80_000, 90_000, None]),
    ],
)
def test_what_a_bid_pays_and_what_costs_do(
    ledger: EventLedger, method: int, uniform: int | None, paid: list[int | None]
) -> None:
    event = answered(ledger, method=method)
    ledger.commit_at(SELECT_MS)
    assert ledger.event(event).uniform_price == uniform
    assert [ledger.quota(event, user).price_mwh for user in USERS] == paid


def test_a_fixed_price_is_everybodys(ledger: EventLedger) -> None:
    event = answered(ledger, method=event_bodies.FIXED)
    ledger.commit_at(SELECT_MS)
    selected = [quota for quota in ledger.quotas(event) if quota.was_selected]
    assert [quota.price_mwh for quota in selected] == [EVENT.energy_price] * 2


def test_what_is_reserved_becomes_what_the_chosen_can_cost(ledger: EventLedger) -> None:
    before = sum(ledger.held(RETAIL))
    event = answered(ledger)
    assert ledger.held(RETAIL)[1] == 1_160
    ledger.commit_at(SELECT_MS)
    # 5 kW for an hour: 250 of availability, 1.2 times 5 kWh at 90,000 per MWh.
    assert ledger.event(event).reserved == 250 + 540
    assert ledger.held(RETAIL) == (before - 790, 790)
    ledger.check_money()


def test_more_is_reserved_where_the_chosen_reach_beyond_the_need(ledger: EventLedger) -> None:
    event = answered(ledger, quantity_w=2_501, energy_price=100_000)
    assert ledger.event(event).reserved == 426
    ledger.commit_at(SELECT_MS)
    assert ledger.event(event).reserved == 790
    ledger.check_money()


def test_whom_nobody_can_pay_is_let_go(ledger: EventLedger) -> None:
    event = answered(ledger, quantity_w=2_501, energy_price=100_000)
    everything = ledger.held(RETAIL)[0]
    ledger.done(RETAIL, transaction.TRANSFER, Transfer("EUR", GRID.kid, everything - 363).row())
    ledger.commit_at(SELECT_MS)
    assert whys(ledger, event) == [CHOSEN, ("released", "unfunded"), DEARER]
    # One at its own price of 80,000: 125 of availability and 240.
    row = ledger.event(event)
    assert (row.reserved, row.reached_w, row.uniform_price) == (365, 2_500, 80_000)
    assert ledger.held(RETAIL) == (363 + 426 - 365, 365)
    ledger.check_money()


def test_an_event_that_nobody_answers_has_failed_and_costs_nothing(ledger: EventLedger) -> None:
    before = ledger.held(RETAIL)
    event = ledger.publish()
    ledger.commit_at(SELECT_MS)
    assert ledger.event(event).state is EventState.FAILED
    assert ledger.held(RETAIL) == before
    assert [due.step for due in agenda.entries(ledger.state)] == [Step.EXPIRE]


def test_too_few_are_all_selected(ledger: EventLedger) -> None:
    event = answered(ledger, quantity_w=100_000)
    ledger.commit_at(SELECT_MS)
    assert whys(ledger, event) == [CHOSEN] * 3
    assert ledger.event(event).reached_w == 7_500


def test_who_can_not_answer_is_set_aside_and_told_why(ledger: EventLedger) -> None:
    event = answered(ledger)
    ledger.done(HOUSE, transaction.RETRACT, Retract(ledger.board(HOUSE).kid, 1).row())
    ledger.offer(NEIGHBOUR, response_ms=5_001)
    ledger.offer(THIRD, holds_ms=3_599_999)
    ledger.commit_at(SELECT_MS)
    assert [why for _, why in whys(ledger, event)] == ["offer_gone", "too_slow", "too_short"]
    assert ledger.event(event).state is EventState.FAILED


def test_who_declares_nothing_for_some_interval_is_no_whole_load(ledger: EventLedger) -> None:
    event = ledger.publish()
    ledger.declare_load(event, HOUSE, (0, 2_500, 2_500, 2_500))
    ledger.commit_at(SELECT_MS)
    assert ledger.quota(event, HOUSE).why == "no_quota"


def test_the_suspended_rest(ledger: EventLedger) -> None:
    event = answered(ledger)
    view = State(ledger.state)
    conduct.charge(view, ledger.market, HOUSE.kid, "self_dealing", SHOWN, CREATED_MS)
    ledger.state.update({row: value for row, value in view.changes() if value is not None})
    ledger.commit_at(SELECT_MS)
    assert whys(ledger, event) == [("released", "suspended"), CHOSEN, CHOSEN]


def test_a_fault_on_record_makes_an_offer_dearer(ledger: EventLedger) -> None:
    event = answered(ledger)
    view = State(ledger.state)
    conduct.charge(view, ledger.market, HOUSE.kid, "uncommanded", SHOWN, CREATED_MS)
    ledger.state.update({row: value for row, value in view.changes() if value is not None})
    ledger.commit_at(SELECT_MS)
    merits = [ledger.quota(event, user).merit for user in USERS]
    assert merits[0] is not None
    assert merits[1] is not None
    assert merits[0] < merits[1]
    assert whys(ledger, event) == [DEARER, CHOSEN, CHOSEN]


@pytest.mark.parametrize(
    ("later_ms", "why"),
    [(0, "busy"), (4 * INTERVAL_MS, "busy"), (5 * INTERVAL_MS, "chosen")],
)
def test_no_load_is_sold_twice_nor_without_its_rest(
    ledger: EventLedger, later_ms: int, why: str
) -> None:
    """Their offers ask for ten minutes between two calls."""
    first = ledger.publish(quantity_w=1)
    ledger.declare_load(first, HOUSE)
    second = ledger.publish(quantity_w=1, begin_ms=BEGIN_MS + later_ms, select_ms=SELECT_MS + 1)
    ledger.declare_load(second, HOUSE)
    ledger.commit_at(SELECT_MS)
    ledger.commit_at(SELECT_MS + 1)
    assert ledger.quota(first, HOUSE).status is QuotaStatus.SELECTED
    assert ledger.quota(second, HOUSE).why == why


@pytest.mark.parametrize(
    ("near", "lines"),
    [("north/f1", (0, 3, 4)), ("north/f2/s1", (4, 0, 3)), ("north/f2/s2", (4, 2, 0))],
)
def test_of_equal_loads_the_one_with_the_fewest_lines_to_the_need_is_selected(
    ledger: EventLedger, near: str, lines: tuple[int, int, int]
) -> None:
    for user, place in zip(USERS, ("north/f1/s1", "north/f2/s1", "north/f2/s2/s3"), strict=True):
        ledger.offer(user, area=place)
    event = ledger.publish(quantity_w=1, near=near)
    for user in USERS:
        ledger.declare_load(event, user)
    ledger.commit_at(SELECT_MS)
    found = [ledger.quota(event, user) for user in USERS]
    # The start value for score and reputation, 3 of 5 s left, rested: weights 4, 2, 2, 1, 1.
    assert [quota.merit for quota in found] == [
        (4 * 500 + 2 * 500 + 2 * 600 + (1_000 - 100 * far) + 1_000) // 10 for far in lines
    ]
    assert [quota.distance for quota in found] == list(lines)
    assert [quota.was_selected for quota in found] == [far == 0 for far in lines]


def test_whom_no_line_joins_with_the_need_is_not_called(ledger: EventLedger) -> None:
    ledger.offer(HOUSE, area="south/f1")
    ledger.offer(NEIGHBOUR, area="north2/f1")
    ledger.offer(THIRD, area="north/f9")
    event = answered(ledger, area="", near="north/f1")
    ledger.commit_at(SELECT_MS)
    apart = ("released", "not_connected")
    assert whys(ledger, event) == [apart, apart, CHOSEN]
    assert [ledger.quota(event, user).distance for user in USERS] == [None, None, 2]


def test_where_nothing_says_where_the_need_is_nobody_is_far(ledger: EventLedger) -> None:
    for user, place in zip(USERS, ("north", "north/f1", "south/f1/s1"), strict=True):
        ledger.offer(user, area=place)
    event = answered(ledger, area="")
    ledger.commit_at(SELECT_MS)
    assert len({ledger.quota(event, user).merit for user in USERS}) == 1
    assert whys(ledger, event) == [CHOSEN, CHOSEN, DEARER]


def test_a_realtime_event_asks_the_standing_offers(ledger: EventLedger) -> None:
    ledger.offer(HOUSE, price=EVENT.energy_price + 1)
    ledger.offer(NEIGHBOUR, area="south")
    now_ms = CREATED_MS - CREATED_MS % INTERVAL_MS
    event = ledger.publish(method=event_bodies.REALTIME, select_ms=0, begin_ms=now_ms)
    (quota,) = ledger.quotas(event)
    assert quota.meter == ledger.board(THIRD).kid
    assert (quota.status, quota.why, quota.order) == (QuotaStatus.SELECTED, "chosen", event)
    assert quota.origin == THIRD.kid
    row = ledger.event(event)
    assert (row.declared, row.reached_w, row.uniform_price) == (1, 3_000, 90_000)
    late = ledger.declaration(event, HOUSE)
    assert ledger.send(HOUSE, DECLARE, late) == classes.SELECTION_OVER


def test_a_realtime_event_that_nobody_can_answer_fails_at_once(ledger: EventLedger) -> None:
    before = ledger.held(RETAIL)
    now_ms = CREATED_MS - CREATED_MS % INTERVAL_MS
    event = ledger.publish(method=event_bodies.REALTIME, select_ms=0, begin_ms=now_ms, within_ms=1)
    assert ledger.event(event).state is EventState.FAILED
    assert ledger.held(RETAIL) == before
