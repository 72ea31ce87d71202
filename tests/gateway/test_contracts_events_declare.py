"""Loads take part in an event: `declare` and `withdraw`, clause by clause (SPEC section 12; D19,
D22)."""

from dataclasses import replace

import pytest
from wattle_gateway.contracts import classes
from wattle_gateway.contracts.events import quota_count
from wattle_gateway.contracts.events.rows import QuotaStatus
from wattle_gateway.contracts.reputation import conduct
from wattle_gateway.contracts.reputation.standing import Standing, standing
from wattle_gateway.contracts.state import State, key
from wattle_gateway.ledger import event_bodies, transaction
from wattle_gateway.ledger.account_bodies import Assign
from wattle_gateway.ledger.event_bodies import Declare, Withdraw
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.offer_bodies import Retract
from wattle_gateway.ledger.settlement_bodies import Contract
from wattle_gateway.ledger.transaction import APPROVE, DECLARE, WITHDRAW, Approve, Revoke
from wattle_testkit.account_ledger import AGGREGATOR, FACTORY, GRID, RETAIL, Signer, User
from wattle_testkit.alliance import CREATED_MS
from wattle_testkit.event_ledger import (
    BEGIN_MS,
    CAPACITY_W,
    EVENT,
    HOUSE,
    INTERVAL_MS,
    NEIGHBOUR,
    SELECT_MS,
    TERMS,
    EventLedger,
)
from wattle_testkit.shown_fault import SHOWN
from wattle_wire import cbor


@pytest.fixture
def ledger() -> EventLedger:
    return EventLedger()


@pytest.fixture
def event(ledger: EventLedger) -> bytes:
    return ledger.publish()


def stands(ledger: EventLedger, who: Signer) -> Standing:
    return standing(ledger.state, ledger.market, who.kid, CREATED_MS)


def refused(
    ledger: EventLedger,
    event: bytes,
    user: User = HOUSE,
    quotas_w: tuple[int, ...] = (2_500,) * 4,
    price: int = 90_000,
    who: Signer | None = None,
) -> int:
    return ledger.send(who or user, DECLARE, ledger.declaration(event, user, quotas_w, price))


@pytest.mark.parametrize("who", [HOUSE, AGGREGATOR])
def test_an_owner_declares_or_its_host_does(ledger: EventLedger, event: bytes, who: Signer) -> None:
    quotas_w = (0, 1_000, 2_000, CAPACITY_W)
    digest = ledger.declare_load(event, HOUSE, quotas_w, who=who)
    quota = ledger.quota(event, HOUSE)
    assert (quota.digest, quota.origin, quota.owner) == (digest, who.kid, HOUSE.kid)
    assert (quota.quotas_w, quota.price, quota.status) == (quotas_w, 90_000, QuotaStatus.DECLARED)
    assert ledger.event(event).declared == 1


def test_the_row_is_that_of_spec(ledger: EventLedger, event: bytes) -> None:
    digest = ledger.declare_load(event, HOUSE)
    assert ledger.state[key("quota", event, ledger.board(HOUSE).kid, 1)] == cbor.encode(
        [
            digest,
            HOUSE.kid,
            HOUSE.kid,
            [2_500],
            90_000,
            "declared",
            None,
            None,
            None,
            None,
            None,
            None,
            "",
        ]
    )


def test_a_newer_declaration_replaces_the_older(ledger: EventLedger, event: bytes) -> None:
    ledger.declare_load(event, HOUSE)
    ledger.declare_load(event, HOUSE, (1, 2, 3, 4), price=7)
    quota = ledger.quota(event, HOUSE)
    assert (quota.quotas_w, quota.price, ledger.event(event).declared) == ((1, 2, 3, 4), 7, 1)


def test_49_there_is_such_an_event(ledger: EventLedger) -> None:
    assert refused(ledger, bytes(32)) == classes.EVENT_UNKNOWN
    body = Withdraw(bytes(32), ledger.board(HOUSE).kid, 1).row()
    assert ledger.send(HOUSE, WITHDRAW, body) == classes.EVENT_UNKNOWN


def test_50_not_after_the_selection(ledger: EventLedger, event: bytes) -> None:
    ledger.declare_load(event, NEIGHBOUR)
    ledger.commit_at(SELECT_MS - 1)
    ledger.declare_load(event, HOUSE)
    ledger.commit_at(SELECT_MS)
    assert refused(ledger, event) == classes.SELECTION_OVER


def test_52_one_quota_for_each_interval(ledger: EventLedger, event: bytes) -> None:
    assert refused(ledger, event, quotas_w=(1,) * 3) == classes.QUOTAS_MISCOUNTED
    assert refused(ledger, event, quotas_w=(1,) * 5) == classes.QUOTAS_MISCOUNTED


def test_1_a_declaration_of_nothing_is_malformed(ledger: EventLedger, event: bytes) -> None:
    assert refused(ledger, event, quotas_w=(0,) * 4) == classes.MALFORMED_BODY


@pytest.mark.parametrize("method", [event_bodies.FIXED, event_bodies.CONTRACT])
def test_54_no_price_where_the_method_asks_none(ledger: EventLedger, method: int) -> None:
    event = ledger.publish(method=method)
    assert refused(ledger, event, price=1) == classes.PRICE_NOT_ASKED


def test_8_and_34_a_load_is_a_point_of_a_meter(ledger: EventLedger, event: bytes) -> None:
    board = ledger.board(HOUSE).kid
    quotas_w = (1,) * 4
    for meter, device, code in (
        (bytes(8), 1, classes.METER_UNKNOWN),
        (board, 2, classes.POINT_UNKNOWN),
    ):
        declared = Declare(event, meter, device, 0, quotas_w).row()
        assert ledger.send(HOUSE, DECLARE, declared) == code
        assert ledger.send(HOUSE, WITHDRAW, Withdraw(event, meter, device).row()) == code


def test_9_nothing_behind_a_revoked_meter(ledger: EventLedger, event: bytes) -> None:
    body = transaction.revoke_body(Revoke(ledger.board(HOUSE).kid, 0))
    ledger.done(GRID, transaction.REVOKE, body)
    assert refused(ledger, event) == classes.ALREADY_REVOKED


@pytest.mark.parametrize("who", [NEIGHBOUR, GRID, RETAIL, FACTORY])
def test_39_nobody_else_declares_or_withdraws_it(
    ledger: EventLedger, event: bytes, who: Signer
) -> None:
    assert refused(ledger, event, who=who) == classes.NOT_OWNER_OR_HOST
    ledger.declare_load(event, HOUSE)
    body = ledger.withdrawal(event, HOUSE)
    assert ledger.send(who, WITHDRAW, body) == classes.NOT_OWNER_OR_HOST


def own_a_load(ledger: EventLedger, owner: Signer, user: User = HOUSE) -> None:
    """A user's point becomes somebody else's, who offers it."""
    board = ledger.board(user).kid
    body = Assign(board, 1, CREATED_MS + 1, owner.kid).row()
    digest = ledger.done(user, transaction.ASSIGN, body)
    ledger.done(owner, APPROVE, transaction.approve_body(Approve(digest)))
    ledger.commit_at(CREATED_MS + 1)
    ledger.done(owner, transaction.OFFER, [board, 1, TERMS.row()])


def test_76_a_buyer_that_sells_to_itself_is_a_cheat(ledger: EventLedger, event: bytes) -> None:
    own_a_load(ledger, RETAIL)
    assert refused(ledger, event, who=RETAIL) == classes.SELF_DEALING
    found = stands(ledger, RETAIL)
    assert (dict(found.faults), found.reputation) == ({"self_dealing": 1}, 0)


def test_76_nor_does_a_host_buy_of_its_users(ledger: EventLedger, event: bytes) -> None:
    """The user that answers is no cheat: it may have changed its host a moment before."""
    ledger.host(HOUSE, RETAIL, version=2)
    assert refused(ledger, event) == classes.SELF_DEALING
    assert dict(stands(ledger, HOUSE).faults) == {}


def test_79_an_aggregators_event_is_for_its_users(ledger: EventLedger) -> None:
    event = ledger.publish(AGGREGATOR)
    ledger.declare_load(event, HOUSE)
    ledger.host(NEIGHBOUR, RETAIL, version=2)
    assert refused(ledger, event, NEIGHBOUR) == classes.NOT_HOSTED


def test_58_the_suspended_declare_nothing(ledger: EventLedger, event: bytes) -> None:
    view = State(ledger.state)
    conduct.charge(view, ledger.market, HOUSE.kid, "self_dealing", SHOWN, CREATED_MS)
    ledger.state.update({row: value for row, value in view.changes() if value is not None})
    assert refused(ledger, event) == classes.SUSPENDED
    ledger.declare_load(event, HOUSE, who=AGGREGATOR)


def test_41_only_what_is_offered_is_declared(ledger: EventLedger, event: bytes) -> None:
    body = Retract(ledger.board(HOUSE).kid, 1).row()
    ledger.done(HOUSE, transaction.RETRACT, body)
    assert refused(ledger, event) == classes.OFFER_UNKNOWN


@pytest.mark.parametrize("changes", [{"area": "south"}, {"direction": 2}, {"asset": "CNY"}])
def test_53_the_offer_fits_the_event(
    ledger: EventLedger, event: bytes, changes: dict[str, int | str]
) -> None:
    ledger.declare("CNY", 10)
    ledger.offer(HOUSE, **changes)
    assert refused(ledger, event) == classes.OFFER_UNFIT


@pytest.mark.parametrize(
    ("asked", "stands", "fits"),
    [
        ("north", "north/feeder-7/section-2", True),
        ("north/feeder-7", "north/feeder-7/section-2", True),
        ("north/feeder-7", "north/feeder-70", False),
        ("north", "north2", False),
        ("north/feeder-7", "north", False),
    ],
)
def test_53_an_area_has_all_that_lies_behind_it(
    ledger: EventLedger, asked: str, stands: str, fits: bool
) -> None:
    event = ledger.publish(area=asked)
    ledger.offer(HOUSE, area=stands)
    if fits:
        ledger.declare_load(event, HOUSE)
    else:
        assert refused(ledger, event) == classes.OFFER_UNFIT


def test_an_event_without_an_area_is_for_all(ledger: EventLedger) -> None:
    ledger.offer(HOUSE, area="south")
    ledger.declare_load(ledger.publish(area=""), HOUSE)


def test_40_no_more_than_is_offered(ledger: EventLedger, event: bytes) -> None:
    assert refused(ledger, event, quotas_w=(1, 1, CAPACITY_W + 1, 1)) == classes.ABOVE_CAPACITY
    assert dict(stands(ledger, HOUSE).faults) == {"declared_above_rating": 1}


def test_40_the_offer_may_have_become_smaller_meanwhile(ledger: EventLedger, event: bytes) -> None:
    """Owner and host both offer and declare: what the registry allows is no fault."""
    ledger.offer(HOUSE, capacity_w=CAPACITY_W - 1)
    quotas_w = (CAPACITY_W,) * 4
    assert refused(ledger, event, quotas_w=quotas_w, who=AGGREGATOR) == classes.ABOVE_CAPACITY
    assert dict(stands(ledger, AGGREGATOR).faults) == {}


def test_a_declaration_that_nobody_honest_sends_is_a_fault(
    ledger: EventLedger, event: bytes
) -> None:
    """What races explain, the other tests here see charged with nothing."""
    strangers = Declare(event, bytes(8), 1, 0, (1,) * 4)
    for body, code in (
        ([], classes.MALFORMED_BODY),
        (strangers.row(), classes.METER_UNKNOWN),
        (ledger.declaration(event, HOUSE, (1,) * 3), classes.QUOTAS_MISCOUNTED),
    ):
        assert ledger.send(HOUSE, DECLARE, body) == code
    assert dict(stands(ledger, HOUSE).faults) == {"error": 3}


@pytest.mark.parametrize("method", [event_bodies.COST, event_bodies.BID])
def test_55_no_dearer_than_the_event_pays(ledger: EventLedger, method: int) -> None:
    event = ledger.publish(method=method)
    assert refused(ledger, event, price=EVENT.energy_price + 1) == classes.PRICE_ABOVE_CAP
    ledger.declare_load(event, HOUSE, price=EVENT.energy_price)


def agree(ledger: EventLedger, **changes: int) -> None:
    """RETAIL and AGGREGATOR make a contract."""
    terms = Contract(
        AGGREGATOR.kid, "EUR", 50_000, 150_000, 1, 500, CREATED_MS, BEGIN_MS + INTERVAL_MS
    )
    body = replace(terms, **changes).row()  # type: ignore[arg-type]
    digest = ledger.done(RETAIL, transaction.CONTRACT, body)
    ledger.done(AGGREGATOR, APPROVE, transaction.approve_body(Approve(digest)))


def test_80_buyer_and_seller_have_a_contract_where_it_says_the_price(ledger: EventLedger) -> None:
    event = ledger.publish(method=event_bodies.CONTRACT)
    assert refused(ledger, event, price=0, who=AGGREGATOR) == classes.NO_CONTRACT
    agree(ledger)
    ledger.declare_load(event, HOUSE, price=0, who=AGGREGATOR)


@pytest.mark.parametrize("dear", ["availability_price", "energy_price"])
def test_55_a_contract_is_no_dearer_than_its_event_either(ledger: EventLedger, dear: str) -> None:
    agree(ledger, **{dear: 10**9})
    event = ledger.publish(method=event_bodies.CONTRACT)
    assert refused(ledger, event, price=0, who=AGGREGATOR) == classes.PRICE_ABOVE_CAP


def test_56_a_meter_that_could_not_tell_is_too_coarse(ledger: EventLedger, event: bytes) -> None:
    """2.5 kW in a quarter of an hour are 625 Wh: a step of 10 Wh is more than a hundredth."""
    ledger.offer(HOUSE, resolution_wh=10, period_ms=90_001)
    assert refused(ledger, event) == classes.TOO_COARSE
    ledger.offer(HOUSE, resolution_wh=10, period_ms=90_000)  # ten readings do
    ledger.declare_load(event, HOUSE)
    ledger.offer(NEIGHBOUR, resolution_wh=6, period_ms=90_001)  # and so does the register
    ledger.declare_load(event, NEIGHBOUR)


def test_57_no_more_declarations_than_the_parameters_allow() -> None:
    ledger = EventLedger(Market(declarations_max=1))
    event = ledger.publish()
    ledger.declare_load(event, HOUSE)
    assert refused(ledger, event, NEIGHBOUR) == classes.DECLARATIONS_FULL
    ledger.declare_load(event, HOUSE, (1,) * 4)
    ledger.done(HOUSE, WITHDRAW, ledger.withdrawal(event, HOUSE))
    ledger.declare_load(event, NEIGHBOUR)


def test_57_the_state_has_no_more_quotas_than_it_may(
    ledger: EventLedger, event: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quota_count, "QUOTAS_MAX", 2)
    ledger.declare_load(event, HOUSE)
    ledger.declare_load(event, NEIGHBOUR)
    other = ledger.publish()
    assert refused(ledger, other) == classes.DECLARATIONS_FULL
    assert quota_count.kept(ledger.state) == 2
    ledger.done(HOUSE, WITHDRAW, ledger.withdrawal(event, HOUSE))
    now_ms = CREATED_MS - CREATED_MS % INTERVAL_MS
    at_once = ledger.publish(begin_ms=now_ms, method=event_bodies.REALTIME, select_ms=0)
    assert (len(ledger.quotas(at_once)), quota_count.kept(ledger.state)) == (1, 2)


def test_before_the_selection_a_withdrawal_costs_nothing(ledger: EventLedger, event: bytes) -> None:
    ledger.declare_load(event, HOUSE)
    ledger.done(AGGREGATOR, WITHDRAW, ledger.withdrawal(event, HOUSE))
    assert (ledger.quotas(event), ledger.event(event).declared) == ([], 0)
    assert dict(stands(ledger, HOUSE).faults) == {}


def test_59_what_takes_no_part_is_not_withdrawn(ledger: EventLedger, event: bytes) -> None:
    body = ledger.withdrawal(event, HOUSE)
    assert ledger.send(HOUSE, WITHDRAW, body) == classes.NOT_DECLARED
    ledger.declare_load(event, HOUSE)
    ledger.commit_at(SELECT_MS)
    ledger.done(HOUSE, WITHDRAW, body)
    assert ledger.send(HOUSE, WITHDRAW, body) == classes.NOT_DECLARED


@pytest.mark.parametrize(
    ("time_ms", "first"),
    [
        (SELECT_MS, 0),
        (BEGIN_MS, 0),
        (BEGIN_MS + 1, 1),
        (BEGIN_MS + INTERVAL_MS, 1),
        (BEGIN_MS + 3 * INTERVAL_MS, 3),
    ],
)
def test_an_opt_out_counts_from_the_next_interval_on(
    ledger: EventLedger, event: bytes, time_ms: int, first: int
) -> None:
    ledger.declare_load(event, HOUSE)
    ledger.commit_at(SELECT_MS)
    assert (
        ledger.send(HOUSE, WITHDRAW, ledger.withdrawal(event, HOUSE), time_ms=time_ms)
        == classes.ACCEPTED
    )
    quota = ledger.quota(event, HOUSE)
    assert (quota.status, quota.withdrawn_from) == (QuotaStatus.WITHDRAWN, first)
    assert [quota.quota_w(index) for index in range(4)] == [2_500] * first + [0] * (4 - first)
    assert quota.quotas_w == (2_500,) * 4
    assert dict(stands(ledger, HOUSE).faults) == {}  # the statement will show it


def test_77_there_is_an_interval_left_to_opt_out_of(ledger: EventLedger, event: bytes) -> None:
    ledger.declare_load(event, HOUSE)
    ledger.commit_at(SELECT_MS)
    late_ms = BEGIN_MS + 3 * INTERVAL_MS + 1
    body = ledger.withdrawal(event, HOUSE)
    assert ledger.send(HOUSE, WITHDRAW, body, time_ms=late_ms) == classes.EVENT_OVER
