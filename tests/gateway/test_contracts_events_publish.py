"""An event is published: `publish`, clause by clause (SPEC section 12; D17, D36)."""

from dataclasses import replace

import pytest
from wattle_gateway.contracts import classes
from wattle_gateway.contracts.baseline import presets, rule_form
from wattle_gateway.contracts.events import agenda, publishing
from wattle_gateway.contracts.events.agenda import Due, Step
from wattle_gateway.contracts.events.rows import EventState
from wattle_gateway.contracts.reputation.standing import standing
from wattle_gateway.contracts.settlement import funds
from wattle_gateway.contracts.state import key
from wattle_gateway.ledger import event_bodies, genesis
from wattle_gateway.ledger.account_bodies import Transfer
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.settlement_bodies import Fund
from wattle_gateway.ledger.transaction import FUND, OPEN, PUBLISH, TRANSFER
from wattle_testkit.account_ledger import (
    AGGREGATOR,
    FACTORY,
    GRID,
    REGULATOR,
    RETAIL,
    AccountLedger,
    Signer,
)
from wattle_testkit.alliance import CREATED_MS
from wattle_testkit.event_ledger import (
    BEGIN_MS,
    EVENT,
    HOUSE,
    INTERVAL_MS,
    SELECT_MS,
    EventLedger,
)
from wattle_wire import cbor, structure

DAY_MS = 86_400_000


@pytest.fixture
def ledger() -> EventLedger:
    return EventLedger()


def refused(ledger: EventLedger, **changes: object) -> int:
    return ledger.send(RETAIL, PUBLISH, replace(EVENT, **changes).row())  # type: ignore[arg-type]


def test_a_published_event_stands_with_what_is_reserved_and_what_is_due(
    ledger: EventLedger,
) -> None:
    before = ledger.held(RETAIL)[0]
    digest = ledger.publish()
    event = ledger.event(digest)
    assert (event.publisher, event.published_ms, event.body) == (RETAIL.kid, CREATED_MS, EVENT)
    assert (event.state, event.version, event.declared) == (EventState.OPEN, 0, 0)
    assert (event.begin_ms, event.end_ms) == (BEGIN_MS, BEGIN_MS + 4 * INTERVAL_MS)
    # 4 kW for an hour at 50,000 per MW and hour, and 1.2 times 4 kWh at 200,000 per MWh.
    assert event.reserved == 200 + 960
    assert ledger.held(RETAIL) == (before - 1_160, 1_160)
    assert agenda.entries(ledger.state) == (
        Due(SELECT_MS, Step.SELECT, digest),
        Due(event.end_ms + ledger.market.settle_ms, Step.SETTLE, digest),
        Due(event.end_ms + ledger.market.dispute_ms, Step.FINALISE, digest),
    )
    assert ledger.state[key("market", ledger.market.digest)] == ledger.market.raw
    ledger.check_money()


def test_the_row_is_that_of_spec(ledger: EventLedger) -> None:
    digest = ledger.publish()
    assert ledger.state[key("event", digest)] == cbor.encode(
        [
            RETAIL.kid,
            CREATED_MS,
            ledger.market.digest,
            900,
            EVENT.row(),
            "open",
            1_160,
            None,
            0,
            0,
            0,
        ]
    )


def test_the_reserve_is_rounded_up_once(ledger: EventLedger) -> None:
    digest = ledger.publish(quantity_w=1, intervals=1, availability_price=1, energy_price=1)
    assert ledger.event(digest).reserved == 1


@pytest.mark.parametrize("who", [GRID, RETAIL, AGGREGATOR])
def test_grid_retailer_and_aggregator_publish(ledger: EventLedger, who: Signer) -> None:
    assert ledger.send(who, PUBLISH, EVENT.row()) == classes.ACCEPTED


@pytest.mark.parametrize("who", [FACTORY, REGULATOR, HOUSE])
def test_3_nobody_else_does(ledger: EventLedger, who: Signer) -> None:
    assert ledger.send(who, PUBLISH, EVENT.row()) == classes.ROLE_NOT_ALLOWED


@pytest.mark.parametrize("rules", [1, 2])
def test_4_older_rules_know_no_events(rules: int) -> None:
    old = AccountLedger(rules=rules)
    assert old.send(GRID, PUBLISH, EVENT.row()) == classes.KIND_UNKNOWN


def test_1_a_rule_that_contradicts_itself_is_malformed(ledger: EventLedger) -> None:
    body = EVENT.row()
    rule = structure.array(body[14], 17, "rule")
    rule[3] = [5, 4, 4]  # five of four days
    assert ledger.send(RETAIL, PUBLISH, body) == classes.MALFORMED_BODY


def test_42_the_window_begins_with_an_interval(ledger: EventLedger) -> None:
    assert refused(ledger, begin_ms=BEGIN_MS + 1) == classes.BEGIN_UNALIGNED


def test_43_no_more_intervals_than_the_parameters_allow() -> None:
    ledger = EventLedger(Market(intervals_max=4))
    assert refused(ledger, intervals=5) == classes.INTERVALS_OVER
    ledger.publish(intervals=4)


def test_44_the_selection_leaves_the_notice(ledger: EventLedger) -> None:
    late_ms = BEGIN_MS - EVENT.notice_ms + 1
    assert refused(ledger, select_ms=late_ms) == classes.NOTICE_SHORT
    ledger.publish(select_ms=late_ms - 1)


def test_45_no_selection_in_the_past(ledger: EventLedger) -> None:
    assert refused(ledger, select_ms=CREATED_MS - 1) == classes.WINDOW_PASSED
    ledger.publish(select_ms=CREATED_MS)


def test_45_no_realtime_event_whose_first_interval_is_over(ledger: EventLedger) -> None:
    now = CREATED_MS - CREATED_MS % INTERVAL_MS
    method = event_bodies.REALTIME
    past = refused(ledger, begin_ms=now - INTERVAL_MS, method=method, select_ms=0)
    assert past == classes.WINDOW_PASSED
    ledger.publish(begin_ms=now, method=method, select_ms=0)


def test_46_no_window_beyond_what_is_kept(ledger: EventLedger) -> None:
    far_ms = BEGIN_MS + 60 * DAY_MS
    assert refused(ledger, begin_ms=far_ms) == classes.WINDOW_TOO_FAR
    ledger.publish(begin_ms=far_ms - 2 * 3_600_000)


def test_47_no_rule_that_looks_back_further_than_the_ledger() -> None:
    ledger = EventLedger(Market(keep_days=44))
    long = rule_form.encode(presets.PRESETS["caiso-10-of-10"].rule)
    short = rule_form.encode(presets.PRESETS["nyiso-high-5-of-10"].rule)
    assert refused(ledger, rule=long) == classes.RULE_UNFIT
    ledger.publish(rule=short)


def test_21_its_asset_is_of_the_ledger(ledger: EventLedger) -> None:
    assert refused(ledger, asset="USD") == classes.ASSET_UNKNOWN


def test_48_no_more_open_events_than_the_parameters_allow() -> None:
    ledger = EventLedger(Market(events_open_max=2))
    ledger.publish()
    ledger.publish()
    assert refused(ledger) == classes.EVENTS_FULL


def test_48_no_more_events_are_kept_than_may_be(
    ledger: EventLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "KEPT_MAX", 1)
    ledger.publish()
    ledger.commit_at(SELECT_MS)  # it fails, and is kept
    body = replace(EVENT, select_ms=SELECT_MS + 1)
    assert ledger.send(RETAIL, PUBLISH, body.row()) == classes.EVENTS_FULL


def test_23_who_pays_has_an_account(ledger: EventLedger) -> None:
    ledger.declare("CNY", 10)
    assert refused(ledger, asset="CNY") == classes.ACCOUNT_UNKNOWN


def test_26_who_pays_has_what_it_can_cost_at_most(ledger: EventLedger) -> None:
    all_of_it = ledger.held(RETAIL)[0]
    ledger.done(RETAIL, TRANSFER, Transfer("EUR", GRID.kid, all_of_it - 1_159).row())
    assert refused(ledger) == classes.BALANCE_SHORT
    ledger.done(GRID, TRANSFER, Transfer("EUR", RETAIL.kid, 1).row())
    ledger.publish()
    assert ledger.held(RETAIL) == (0, 1_160)


def test_62_a_fund_that_is_named_is_there(ledger: EventLedger) -> None:
    assert refused(ledger, fund=bytes(32)) == classes.FUND_UNKNOWN


def filled(ledger: EventLedger, **changes: object) -> bytes:
    """GRID's fund for RETAIL."""
    body = Fund("frost", "EUR", 2_000, RETAIL.kid, SELECT_MS)
    return ledger.done(GRID, FUND, replace(body, **changes).row())  # type: ignore[arg-type]


def test_an_event_may_be_paid_by_a_fund(ledger: EventLedger) -> None:
    own = ledger.held(RETAIL)
    digest = filled(ledger)
    event = ledger.publish(fund=digest)
    held = funds.fund(ledger.state, digest)
    assert held is not None
    assert (ledger.event(event).reserved, held.left, held.reserved) == (1_160, 840, 1_160)
    assert ledger.held(RETAIL) == own
    ledger.commit_at(SELECT_MS)  # nobody has answered
    held = funds.fund(ledger.state, digest)
    assert held is not None
    assert (held.left, held.reserved) == (2_000, 0)
    ledger.check_money()


def test_63_a_fund_is_its_spenders(ledger: EventLedger) -> None:
    assert refused(ledger, fund=filled(ledger, spender=GRID.kid)) == classes.NOT_THE_SPENDER


def test_64_a_fund_is_spent_in_its_time(ledger: EventLedger) -> None:
    digest = filled(ledger, until_ms=CREATED_MS + 1)
    ledger.commit_at(CREATED_MS + 2)
    assert refused(ledger, fund=digest) == classes.FUND_OVER


def test_65_a_fund_has_what_the_event_can_cost(ledger: EventLedger) -> None:
    assert refused(ledger, fund=filled(ledger, amount=1_159)) == classes.FUND_SHORT
    ledger.publish(fund=filled(ledger, amount=1_160))


def test_66_a_fund_pays_in_its_asset(ledger: EventLedger) -> None:
    ledger.declare("CNY", 3_000)
    assert refused(ledger, fund=filled(ledger, asset="CNY")) == classes.FUND_ASSET


def test_a_refusal_is_a_fault_of_who_sent_it(ledger: EventLedger) -> None:
    refused(ledger, asset="USD")
    refused(ledger, asset="USD")
    found = standing(ledger.state, ledger.market, RETAIL.kid, CREATED_MS)
    assert dict(found.faults) == {"error": 2}
    # One that time or others may have made wrong is none, nor is a payment that is refused.
    assert refused(ledger, select_ms=CREATED_MS - 1) == classes.WINDOW_PASSED
    assert ledger.send(RETAIL, OPEN, ["EUR"]) == classes.ACCOUNT_EXISTS
    assert standing(ledger.state, ledger.market, RETAIL.kid, CREATED_MS) == found


def test_the_parameters_of_an_event_are_those_it_was_published_under() -> None:
    ledger = EventLedger(Market(interval_s=1_800))
    assert ledger.epoch.rules == genesis.EVENT_RULES
    begin_ms = (BEGIN_MS // 1_800_000 + 1) * 1_800_000
    event = ledger.event(ledger.publish(begin_ms=begin_ms, intervals=2))
    assert event.market == Market(interval_s=1_800).digest
    assert event.end_ms - event.begin_ms == 3_600_000
