"""A fund pays what it is for: `publish` holds an event against its fund's limits, clause by clause
(SPEC section 12; D38)."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.contracts import classes
from wattle_gateway.contracts.errors import RefusedError
from wattle_gateway.contracts.settlement import fund_purpose, funds
from wattle_gateway.contracts.settlement.funds import HeldFund
from wattle_gateway.ledger import event_bodies
from wattle_gateway.ledger.fund_limits import FundLimits
from wattle_gateway.ledger.offer_bodies import DOWN, UP
from wattle_gateway.ledger.settlement_bodies import Fund
from wattle_gateway.ledger.transaction import FUND, PUBLISH
from wattle_testkit.account_ledger import GRID, RETAIL
from wattle_testkit.event_ledger import (
    BEGIN_MS,
    EVENT,
    INTERVAL_MS,
    SELECT_MS,
    USERS,
    EventLedger,
)

END_MS = BEGIN_MS + 4 * INTERVAL_MS
COST = 1_160  # the most that EVENT can cost
# Each limit at the very edge of what EVENT is.
TIGHT = FundLimits(
    (event_bodies.BID,), "north", DOWN, BEGIN_MS, END_MS, 50_000, 200_000, event_amount=COST
)


@pytest.fixture
def ledger() -> EventLedger:
    return EventLedger()


def filled(ledger: EventLedger, limits: FundLimits, amount: int = 5_000) -> bytes:
    """GRID's fund for RETAIL."""
    body = Fund("frost", "EUR", amount, RETAIL.kid, SELECT_MS, limits)
    return ledger.done(GRID, FUND, body.row())


def held(ledger: EventLedger, digest: bytes) -> HeldFund:
    found = funds.fund(ledger.state, digest)
    assert found is not None
    return found


def verdict(ledger: EventLedger, limits: FundLimits, **changes: object) -> int:
    """On EVENT, changed, paid from a fund with these limits."""
    body = replace(EVENT, fund=filled(ledger, limits), **changes)  # type: ignore[arg-type]
    return ledger.send(RETAIL, PUBLISH, body.row())


def test_an_event_within_all_limits_is_paid(ledger: EventLedger) -> None:
    digest = filled(ledger, TIGHT)
    ledger.publish(fund=digest)
    found = held(ledger, digest)
    assert (found.reserved, found.limits) == (COST, TIGHT)


def test_83_a_fund_pays_events_of_its_methods(ledger: EventLedger) -> None:
    code = verdict(ledger, TIGHT, method=event_bodies.FIXED)
    assert code == classes.FUND_METHOD
    both = replace(TIGHT, methods=(event_bodies.FIXED, event_bodies.BID))
    assert verdict(ledger, both, method=event_bodies.FIXED) == classes.ACCEPTED


@pytest.mark.parametrize("area", ["", "south", "north2"])
def test_84_a_fund_pays_for_its_area(ledger: EventLedger, area: str) -> None:
    assert verdict(ledger, TIGHT, area=area) == classes.FUND_AREA


def test_what_lies_behind_its_area_is_in_it(ledger: EventLedger) -> None:
    assert verdict(ledger, TIGHT, area="north/feeder-7") == classes.ACCEPTED
    inner = replace(TIGHT, area="north/feeder-7")
    assert verdict(ledger, inner, area="north") == classes.FUND_AREA


@pytest.mark.parametrize(("way", "other"), [(DOWN, UP), (UP, DOWN)])
def test_85_a_fund_pays_in_its_direction(ledger: EventLedger, way: int, other: int) -> None:
    limits = replace(TIGHT, direction=way)
    assert verdict(ledger, limits, direction=other) == classes.FUND_DIRECTION
    assert verdict(ledger, limits, direction=way) == classes.ACCEPTED


@pytest.mark.parametrize("window", [(BEGIN_MS + 1, None), (0, END_MS - 1)])
def test_86_a_fund_pays_in_its_window(ledger: EventLedger, window: tuple[int, int | None]) -> None:
    limits = replace(TIGHT, from_ms=window[0], to_ms=window[1])
    assert verdict(ledger, limits) == classes.FUND_WINDOW


def test_87_a_fund_pays_so_much_for_availability(ledger: EventLedger) -> None:
    code = verdict(ledger, TIGHT, availability_price=50_001)
    assert code == classes.FUND_AVAILABILITY_PRICE


def test_88_a_fund_pays_so_much_for_energy(ledger: EventLedger) -> None:
    assert verdict(ledger, TIGHT, energy_price=200_001) == classes.FUND_ENERGY_PRICE


def test_89_a_fund_gives_one_event_so_much(ledger: EventLedger) -> None:
    limits = replace(TIGHT, event_amount=COST - 1)
    assert verdict(ledger, limits) == classes.FUND_EVENT_AMOUNT


def test_65_comes_after_the_purpose(ledger: EventLedger) -> None:
    """An event that the fund is not for is told so, whatever the fund has."""
    for limits, code in ((TIGHT, classes.FUND_SHORT), (replace(TIGHT, direction=UP), 85)):
        digest = filled(ledger, limits, amount=COST - 1)
        body = replace(EVENT, fund=digest)
        assert ledger.send(RETAIL, PUBLISH, body.row()) == code


def test_a_realtime_event_is_held_against_them_too(ledger: EventLedger) -> None:
    changes = {"method": event_bodies.REALTIME, "select_ms": 0, "notice_ms": 0}
    assert verdict(ledger, TIGHT, **changes) == classes.FUND_METHOD


def test_what_is_chosen_beyond_the_need_takes_no_more_than_the_fund_gives(
    ledger: EventLedger,
) -> None:
    """Whole loads reach beyond the need: a fund with enough in it pays both, unless one event gets
    less; then the second is let go. 250 of availability and 1.2 times 5 kWh at 90,000 are 790; of
    one load, at 80,000, 125 and 240."""
    for event_amount, reserved, whys in (
        (None, 790, ["chosen", "chosen", "dearer"]),
        (789, 365, ["chosen", "unfunded", "dearer"]),
    ):
        made = EventLedger()
        limits = FundLimits(event_amount=event_amount)
        changes = {"quantity_w": 2_501, "energy_price": 100_000}
        event = made.publish(fund=filled(made, limits), **changes)
        for user, price in zip(USERS, (80_000, 90_000, 95_000), strict=True):
            made.declare_load(event, user, price=price)
        made.commit_at(SELECT_MS)
        by_price = sorted(made.quotas(event), key=lambda quota: quota.price)
        assert [quota.why for quota in by_price] == whys
        assert made.event(event).reserved == reserved
        made.check_money()


EDGES: tuple[Callable[[FundLimits], FundLimits], ...] = (
    lambda one: replace(one, methods=()),
    lambda one: replace(one, area=""),
    lambda one: replace(one, direction=0),
    lambda one: replace(one, from_ms=0),
    lambda one: replace(one, to_ms=None),
    lambda one: replace(one, availability_price=None),
    lambda one: replace(one, energy_price=None),
    lambda one: replace(one, event_amount=None),
)


def code_of(limits: FundLimits, body: event_bodies.Publish, amount: int) -> int:
    try:
        fund_purpose.check(limits, body, INTERVAL_MS, amount)
    except RefusedError as refusal:
        return refusal.code
    return classes.ACCEPTED


bodies = st.builds(
    replace,
    st.just(EVENT),
    method=st.integers(1, 5),
    area=st.sampled_from(["", "north", "north/feeder-7", "south"]),
    direction=st.sampled_from([DOWN, UP]),
    begin_ms=st.sampled_from([BEGIN_MS - INTERVAL_MS, BEGIN_MS, BEGIN_MS + INTERVAL_MS]),
    availability_price=st.integers(49_999, 50_001),
    energy_price=st.integers(199_999, 200_001),
)


@given(bodies, st.integers(COST - 1, COST + 1), st.sets(st.sampled_from(range(len(EDGES)))))
def test_fewer_limits_never_refuse_more(
    body: event_bodies.Publish, amount: int, dropped: set[int]
) -> None:
    loose = TIGHT
    for number in dropped:
        loose = EDGES[number](loose)
    if code_of(TIGHT, body, amount) == classes.ACCEPTED:
        assert code_of(loose, body, amount) == classes.ACCEPTED
    if len(dropped) == len(EDGES):
        assert loose == FundLimits()
        assert code_of(loose, body, amount) == classes.ACCEPTED
