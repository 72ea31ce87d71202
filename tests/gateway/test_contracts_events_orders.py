"""Loads are called and answer: `dispatch`, clause by clause, and what `0/cmd` of committed samples
says (SPEC section 12; D14, D21, D22)."""

import pytest
from wattle_gateway.contracts import classes
from wattle_gateway.contracts.events import confirming, rows
from wattle_gateway.contracts.events.rows import OrderRow, QuotaRow
from wattle_gateway.contracts.reputation.standing import standing
from wattle_gateway.contracts.state import State, key
from wattle_gateway.ledger import event_bodies
from wattle_gateway.ledger.event_bodies import Dispatch, Setpoint
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_gateway.ledger.transaction import DISPATCH, WITHDRAW
from wattle_testkit.account_ledger import AGGREGATOR, GRID, RETAIL, Signer, User
from wattle_testkit.alliance import CREATED_MS, reading, sample_entry
from wattle_testkit.event_ledger import (
    BEGIN_MS,
    HOUSE,
    INTERVAL_MS,
    NEIGHBOUR,
    SELECT_MS,
    THIRD,
    EventLedger,
)
from wattle_wire import cbor

END_MS = BEGIN_MS + 4 * INTERVAL_MS
ORDER_MS = SELECT_MS + 1_000


@pytest.fixture
def ledger() -> EventLedger:
    return EventLedger()


@pytest.fixture
def event(ledger: EventLedger) -> bytes:
    """Of three loads the two cheaper ones are selected: those of HOUSE and NEIGHBOUR."""
    digest = ledger.publish()
    for user, price in ((HOUSE, 80_000), (NEIGHBOUR, 90_000), (THIRD, 100_000)):
        ledger.declare_load(digest, user, price=price)
    ledger.commit_at(SELECT_MS)
    return digest


def told(
    ledger: EventLedger,
    seq: int,
    command: tuple[bytes, int] | None,
    time_ms: int,
    user: User = HOUSE,
) -> SignedSample:
    """A sample of a user's board, with one reading."""
    return ledger.board(user).sample(seq, [reading(time_ms)], command=command)


def commit(ledger: EventLedger, time_ms: int, *samples: SignedSample) -> None:
    executed = ledger.commit_at(time_ms, *(sample_entry(sample) for sample in samples))
    assert all(outcome.effect == "recorded" for outcome in executed.outcomes)


def confirmed(quota: QuotaRow) -> tuple[int | None, int | None]:
    return quota.confirmed_ms, quota.confirmed_w


def faults(ledger: EventLedger, kid: bytes) -> dict[str, int]:
    return dict(standing(ledger.state, ledger.market, kid, CREATED_MS).faults)


def test_an_order_to_all_that_are_selected(ledger: EventLedger, event: bytes) -> None:
    body = ledger.order_of(event)
    digest = ledger.done(RETAIL, DISPATCH, body, time_ms=ORDER_MS)
    assert rows.order(ledger.state, digest) == OrderRow(digest, event, ORDER_MS, END_MS, 2)
    for user in (HOUSE, NEIGHBOUR):
        quota = ledger.quota(event, user)
        # Their offers say that "called" is 500 W.
        assert (quota.order, quota.ordered_ms, quota.setpoint_w) == (digest, ORDER_MS, 500)
    assert ledger.quota(event, THIRD).order is None


def test_an_order_to_some_at_another_setpoint_and_later(ledger: EventLedger, event: bytes) -> None:
    load = Setpoint(ledger.board(HOUSE).kid, 1, -40)
    body = Dispatch(event, BEGIN_MS, (load,)).row()
    digest = ledger.done(RETAIL, DISPATCH, body, time_ms=ORDER_MS)
    quota = ledger.quota(event, HOUSE)
    assert (quota.order, quota.ordered_ms, quota.setpoint_w) == (digest, BEGIN_MS, -40)
    assert ledger.quota(event, NEIGHBOUR).order is None
    rest = ledger.done(RETAIL, DISPATCH, ledger.order_of(event))
    assert ledger.quota(event, NEIGHBOUR).order == rest
    assert ledger.quota(event, HOUSE).order == digest


def test_the_loads_of_an_order_are_read_off_their_quotas(ledger: EventLedger, event: bytes) -> None:
    digest = ledger.done(RETAIL, DISPATCH, ledger.order_of(event), time_ms=ORDER_MS)
    assert rows.ordered(State(ledger.state), ledger.event(event), digest) == [
        quota for quota in ledger.quotas(event) if quota.order == digest
    ]


def test_49_there_is_such_an_event(ledger: EventLedger) -> None:
    assert ledger.send(RETAIL, DISPATCH, ledger.order_of(bytes(32))) == classes.EVENT_UNKNOWN


@pytest.mark.parametrize("who", [GRID, AGGREGATOR])
def test_51_who_published_it_orders(ledger: EventLedger, event: bytes, who: Signer) -> None:
    refused = ledger.send(who, DISPATCH, ledger.order_of(event))
    assert refused == classes.NOT_THE_PUBLISHER


def test_77_not_after_the_end(ledger: EventLedger, event: bytes) -> None:
    late = Dispatch(event, END_MS, None).row()
    assert ledger.send(RETAIL, DISPATCH, late) == classes.EVENT_OVER
    body = ledger.order_of(event)
    assert ledger.send(RETAIL, DISPATCH, body, time_ms=END_MS) == classes.EVENT_OVER


def test_68_only_what_is_selected_is_called(ledger: EventLedger, event: bytes) -> None:
    early = ledger.publish(begin_ms=END_MS, select_ms=BEGIN_MS)
    assert ledger.send(RETAIL, DISPATCH, ledger.order_of(early)) == classes.NOT_SELECTED
    body = ledger.order_of(event, HOUSE, THIRD)
    assert ledger.send(RETAIL, DISPATCH, body) == classes.NOT_SELECTED
    ledger.done(HOUSE, WITHDRAW, ledger.withdrawal(event, HOUSE))
    assert ledger.send(RETAIL, DISPATCH, ledger.order_of(event, HOUSE)) == classes.NOT_SELECTED


def test_78_each_load_has_one_order(ledger: EventLedger, event: bytes) -> None:
    ledger.done(RETAIL, DISPATCH, ledger.order_of(event, HOUSE))
    again = ledger.order_of(event, HOUSE, NEIGHBOUR)
    assert ledger.send(RETAIL, DISPATCH, again) == classes.ORDERED_ALREADY
    ledger.done(RETAIL, DISPATCH, ledger.order_of(event))
    assert ledger.send(RETAIL, DISPATCH, ledger.order_of(event)) == classes.ORDERED_ALREADY


def test_the_first_sample_that_repeats_an_order_confirms_it(
    ledger: EventLedger, event: bytes
) -> None:
    order = ledger.done(RETAIL, DISPATCH, ledger.order_of(event), time_ms=ORDER_MS)
    assert confirmed(ledger.quota(event, HOUSE)) == (None, None)
    commit(ledger, ORDER_MS + 3_000, told(ledger, 1, (order, 520), ORDER_MS + 2_000))
    commit(ledger, ORDER_MS + 9_000, told(ledger, 2, (order, 500), ORDER_MS + 8_000))
    assert confirmed(ledger.quota(event, HOUSE)) == (ORDER_MS + 2_000, 520)
    assert confirmed(ledger.quota(event, NEIGHBOUR)) == (None, None)
    assert faults(ledger, GRID.kid) == {}


@pytest.mark.parametrize(("said_ms", "counts_ms"), [(-5_000, 0), (60_000, 3_000)])
def test_no_clock_answers_before_the_order_or_after_the_commit(
    ledger: EventLedger, event: bytes, said_ms: int, counts_ms: int
) -> None:
    order = ledger.done(RETAIL, DISPATCH, ledger.order_of(event), time_ms=ORDER_MS)
    commit(ledger, ORDER_MS + 3_000, told(ledger, 1, (order, 500), ORDER_MS + said_ms))
    assert confirmed(ledger.quota(event, HOUSE)) == (ORDER_MS + counts_ms, 500)


def test_what_a_meter_says_of_its_release_confirms_nothing(
    ledger: EventLedger, event: bytes
) -> None:
    order = ledger.done(RETAIL, DISPATCH, ledger.order_of(event), time_ms=ORDER_MS)
    ledger.done(NEIGHBOUR, WITHDRAW, ledger.withdrawal(event, NEIGHBOUR), time_ms=BEGIN_MS + 1)
    over_ms = BEGIN_MS + INTERVAL_MS
    commit(ledger, over_ms, told(ledger, 1, (order, 3_000), over_ms, NEIGHBOUR))
    commit(ledger, END_MS, told(ledger, 1, (order, 3_000), END_MS))
    assert confirmed(ledger.quota(event, HOUSE)) == (None, None)
    assert confirmed(ledger.quota(event, NEIGHBOUR)) == (None, None)
    assert faults(ledger, GRID.kid) == {}


def test_an_order_that_is_committed_after_its_answer_is_confirmed_by_it(
    ledger: EventLedger, event: bytes
) -> None:
    """A gateway acts on an emergency event's order when it has accepted its block."""
    raw = ledger.entry(RETAIL, DISPATCH, ledger.order_of(event))
    order = ledger.digest(raw)
    commit(ledger, ORDER_MS, told(ledger, 1, (order, 510), ORDER_MS - 500))
    commit(ledger, ORDER_MS + 1_000, told(ledger, 2, (order, 500), ORDER_MS + 500))
    ledger.commit_at(ORDER_MS + 2_000, raw)
    # Not before it was ordered: what comes first counts as an answer at once.
    assert confirmed(ledger.quota(event, HOUSE)) == (ORDER_MS + 2_000, 510)
    assert key("unexplained", ledger.board(HOUSE).kid) not in ledger.state
    assert faults(ledger, GRID.kid) == {}


def test_what_nobody_ordered_is_charged_when_no_order_comes(ledger: EventLedger) -> None:
    commit(ledger, ORDER_MS, told(ledger, 1, (bytes(32), 0), ORDER_MS))
    assert faults(ledger, GRID.kid) == {}
    soon_ms = ORDER_MS + confirming.UNEXPLAINED_MS
    commit(ledger, soon_ms, told(ledger, 2, None, soon_ms))
    assert faults(ledger, GRID.kid) == {}
    commit(ledger, soon_ms + 1, told(ledger, 3, None, soon_ms))
    assert faults(ledger, GRID.kid) == {"uncommanded": 1}
    commit(ledger, soon_ms + 2, told(ledger, 4, None, soon_ms))
    assert faults(ledger, GRID.kid) == {"uncommanded": 1}


def test_only_one_unknown_order_is_kept_of_a_meter(ledger: EventLedger) -> None:
    for seq in (1, 2, 3):
        commit(ledger, ORDER_MS, told(ledger, seq, (bytes([seq]) * 32, 0), ORDER_MS))
    assert faults(ledger, GRID.kid) == {"uncommanded": 1}
    assert sum(row.startswith(b"\x82kunexplained") for row in ledger.state) == 1


def test_an_order_to_others_explains_nothing(ledger: EventLedger, event: bytes) -> None:
    order = ledger.done(RETAIL, DISPATCH, ledger.order_of(event, HOUSE), time_ms=ORDER_MS)
    commit(ledger, ORDER_MS + 1, told(ledger, 1, (order, 500), ORDER_MS, NEIGHBOUR))
    assert faults(ledger, GRID.kid) == {"uncommanded": 1}
    assert confirmed(ledger.quota(event, NEIGHBOUR)) == (None, None)


@pytest.mark.parametrize("known", [True, False])
def test_a_meter_that_lies_costs_its_home_one_fault_a_day(
    ledger: EventLedger, event: bytes, known: bool
) -> None:
    """It names orders that there are not, or one to others, in each sample; others lie, too."""
    order = ledger.done(RETAIL, DISPATCH, ledger.order_of(event, HOUSE), time_ms=ORDER_MS)
    day_ms = confirming.CHARGE_EVERY_MS
    counts = []
    for seq, at_ms in enumerate((0, 1, 2, day_ms - 1, day_ms + 1, day_ms + 2), start=1):
        word = order if known else bytes([seq]) * 32
        commit(ledger, ORDER_MS + at_ms, told(ledger, seq, (word, 0), ORDER_MS + at_ms, NEIGHBOUR))
        counts.append(faults(ledger, GRID.kid).get("uncommanded", 0))
    assert counts == ([1, 1, 1, 1, 2, 2] if known else [0, 1, 1, 1, 2, 2])
    late_ms = ORDER_MS + day_ms + 3
    for seq in (1, 2):
        commit(ledger, late_ms, told(ledger, seq, (bytes([seq]) * 32, 0), late_ms, THIRD))
    assert faults(ledger, GRID.kid) == {"uncommanded": 3}


def test_who_obeys_an_order_that_comes_to_nothing_is_not_charged(
    ledger: EventLedger, event: bytes
) -> None:
    """Its publisher signed two orders under one nonce; or it is refused when it is committed."""
    raw = ledger.entry(RETAIL, DISPATCH, ledger.order_of(event))
    lost = ledger.digest(raw)
    twin = ledger.entry_again(RETAIL, DISPATCH, ledger.order_of(event, HOUSE))
    ledger.commit_at(ORDER_MS, twin, raw)
    refused = ledger.entry(RETAIL, DISPATCH, ledger.order_of(event, HOUSE))
    ledger.commit_at(ORDER_MS, refused)
    late_ms = ORDER_MS + confirming.UNEXPLAINED_MS + 1
    for user, digest in ((HOUSE, lost), (NEIGHBOUR, ledger.digest(refused))):
        commit(ledger, ORDER_MS, told(ledger, 1, (digest, 500), ORDER_MS, user))
        commit(ledger, late_ms, told(ledger, 2, None, late_ms, user))
    assert faults(ledger, GRID.kid) == {}
    assert faults(ledger, RETAIL.kid) == {}  # that each load has its order may be news to it


def test_vain_orders_are_bounded(ledger: EventLedger, event: bytes) -> None:
    bodies = [ledger.order_of(bytes([number]) * 32) for number in range(confirming.VAIN_MAX + 3)]
    entries = [ledger.entry(RETAIL, DISPATCH, body) for body in bodies]
    ledger.commit_at(ORDER_MS, *entries)
    kept = cbor.decode(ledger.state[key("vain", RETAIL.kid)])
    assert kept == [ledger.digest(raw) for raw in entries[3:]]


def test_what_is_older_than_what_is_kept_accuses_nobody(ledger: EventLedger) -> None:
    kept_ms = ledger.market.keep_days * 86_400_000
    commit(ledger, ORDER_MS + kept_ms, told(ledger, 1, (bytes(32), 0), ORDER_MS))
    assert key("unexplained", ledger.board(HOUSE).kid) not in ledger.state


def test_a_realtime_event_orders_with_its_publication(ledger: EventLedger) -> None:
    now_ms = CREATED_MS - CREATED_MS % INTERVAL_MS + INTERVAL_MS
    digest = ledger.publish(
        time_ms=now_ms + 5,
        method=event_bodies.REALTIME,
        emergency=True,
        select_ms=0,
        begin_ms=now_ms,
        quantity_w=5_000,
    )
    found = rows.order(ledger.state, digest)
    assert found == OrderRow(digest, digest, now_ms + 5, now_ms + 4 * INTERVAL_MS, 2)
    called = [quota for quota in ledger.quotas(digest) if quota.order == digest]
    assert [quota.quotas_w for quota in called] == [(3_000,) * 4] * 2
    assert {quota.price_mwh for quota in called} == {90_000}
    assert ledger.event(digest).uniform_price == 90_000
