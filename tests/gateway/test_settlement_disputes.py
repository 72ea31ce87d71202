"""Disputes, answers, decisions: what each does, and each refusal by what earns it alone (D40; SPEC
section 12)."""

from copy import deepcopy
from functools import cache

import pytest
from wattle_gateway.contracts import classes
from wattle_gateway.contracts.events.rows import EventState
from wattle_gateway.contracts.settlement import disputes
from wattle_gateway.contracts.settlement.disputes import DisputeRow
from wattle_gateway.ledger.settlement_bodies import Answer, Decide, Dispute, Fund
from wattle_gateway.ledger.transaction import ANSWER, DECIDE, DISPUTE, FUND
from wattle_testkit.account_ledger import (
    AGGREGATOR,
    FACTORY,
    GRID,
    REGULATOR,
    RETAIL,
    Signer,
    User,
)
from wattle_testkit.event_ledger import HOUSE, NEIGHBOUR, THIRD
from wattle_testkit.settled_event import (
    FINAL_MS,
    MARKET,
    SETTLE_MS,
    SettledEvent,
    fresh,
    fresh_called,
)

NOTHING = bytes(32)


@cache
def _stated() -> tuple[SettledEvent, bytes]:
    made, digest = fresh_called()
    made.deliver(digest, {HOUSE: 800, NEIGHBOUR: 2_400})
    made.commit_at(SETTLE_MS)
    return made, digest


@pytest.fixture
def stated() -> tuple[SettledEvent, bytes]:
    return deepcopy(_stated())


@pytest.fixture
def ledger(stated: tuple[SettledEvent, bytes]) -> SettledEvent:
    """With an event that has its first statement; HOUSE delivered a third."""
    return stated[0]


@pytest.fixture
def event(stated: tuple[SettledEvent, bytes]) -> bytes:
    """Its digest."""
    return stated[1]


def body(ledger: SettledEvent, event: bytes, user: User = HOUSE, index: int = 1) -> list[object]:
    return Dispute(event, ledger.board(user).kid, 1, index, "the meter was exchanged").row()


def opened(ledger: SettledEvent, event: bytes, who: Signer = HOUSE) -> bytes:
    return ledger.done(who, DISPUTE, body(ledger, event))


def found(ledger: SettledEvent, digest: bytes) -> DisputeRow:
    row = disputes.dispute(ledger.state, digest)
    assert row is not None
    return row


class TestOpen:
    """Kind 21."""

    @pytest.mark.parametrize("who", [HOUSE, RETAIL])
    def test_either_side_may(self, ledger: SettledEvent, event: bytes, who: Signer) -> None:
        digest = opened(ledger, event, who)
        row = found(ledger, digest)
        assert (row.opened.kid, row.index, row.opened.time_ms) == (who.kid, 1, SETTLE_MS)
        assert ledger.result(event, HOUSE).disputes == (digest,)

    def test_refused_of_no_event(self, ledger: SettledEvent, event: bytes) -> None:
        verdict = ledger.send(HOUSE, DISPUTE, body(ledger, NOTHING))
        assert verdict == classes.EVENT_UNKNOWN

    def test_refused_before_the_first_statement(self) -> None:
        ledger, called = fresh_called()
        assert ledger.send(HOUSE, DISPUTE, body(ledger, called)) == classes.NOT_SETTLED

    def test_refused_after_the_last_statement(self, ledger: SettledEvent, event: bytes) -> None:
        ledger.commit_at(FINAL_MS)
        assert ledger.send(HOUSE, DISPUTE, body(ledger, event)) == classes.NOT_SETTLED

    def test_refused_of_who_was_not_selected(self, ledger: SettledEvent, event: bytes) -> None:
        verdict = ledger.send(THIRD, DISPUTE, body(ledger, event, THIRD))
        assert verdict == classes.NOT_SELECTED

    def test_refused_of_no_interval(self, ledger: SettledEvent, event: bytes) -> None:
        verdict = ledger.send(HOUSE, DISPUTE, body(ledger, event, index=4))
        assert verdict == classes.INTERVAL_UNKNOWN

    @pytest.mark.parametrize("who", [NEIGHBOUR, FACTORY, AGGREGATOR])
    def test_refused_from_others(self, ledger: SettledEvent, event: bytes, who: Signer) -> None:
        assert ledger.send(who, DISPUTE, body(ledger, event)) == classes.NOT_A_SIDE

    def test_refused_when_the_window_is_over(self, ledger: SettledEvent, event: bytes) -> None:
        opened(ledger, event)
        verdict = ledger.send(HOUSE, DISPUTE, body(ledger, event), time_ms=FINAL_MS + 1)
        assert ledger.event(event).state is EventState.SETTLED
        assert verdict == classes.DISPUTE_CLOSED

    def test_refused_one_more_than_people_can_decide(
        self, ledger: SettledEvent, event: bytes
    ) -> None:
        for _ in range(8):
            opened(ledger, event)
        assert ledger.send(HOUSE, DISPUTE, body(ledger, event)) == classes.DISPUTES_FULL


class TestAnswer:
    """Kind 22."""

    @pytest.mark.parametrize(("who", "other"), [(HOUSE, RETAIL), (RETAIL, HOUSE)])
    def test_the_other_side_answers(
        self, ledger: SettledEvent, event: bytes, who: Signer, other: Signer
    ) -> None:
        digest = opened(ledger, event, who)
        ledger.done(other, ANSWER, Answer(digest, "it was not").row())
        answer = found(ledger, digest).answer
        assert answer is not None
        assert (answer.kid, answer.text) == (other.kid, "it was not")

    def test_refused_to_no_dispute(self, ledger: SettledEvent, event: bytes) -> None:
        verdict = ledger.send(RETAIL, ANSWER, Answer(NOTHING, "no").row())
        assert verdict == classes.DISPUTE_UNKNOWN

    @pytest.mark.parametrize("who", [HOUSE, NEIGHBOUR, GRID])
    def test_refused_from_others(self, ledger: SettledEvent, event: bytes, who: Signer) -> None:
        digest = opened(ledger, event)
        assert ledger.send(who, ANSWER, Answer(digest, "no").row()) == classes.NOT_A_SIDE

    def test_refused_a_second_time(self, ledger: SettledEvent, event: bytes) -> None:
        digest = opened(ledger, event)
        ledger.done(RETAIL, ANSWER, Answer(digest, "no").row())
        verdict = ledger.send(RETAIL, ANSWER, Answer(digest, "never").row())
        assert verdict == classes.ANSWERED_ALREADY

    def test_refused_to_what_is_decided(self, ledger: SettledEvent, event: bytes) -> None:
        digest = opened(ledger, event)
        ledger.done(GRID, DECIDE, Decide(digest, 1, "so be it").row())
        verdict = ledger.send(RETAIL, ANSWER, Answer(digest, "no").row())
        assert verdict == classes.DISPUTE_CLOSED


class TestDecide:
    """Kind 23."""

    @pytest.mark.parametrize("amount", [100, -100])
    @pytest.mark.parametrize("who", [GRID, REGULATOR])
    def test_it_is_paid_with_the_final_statement(
        self, ledger: SettledEvent, event: bytes, who: Signer, amount: int
    ) -> None:
        digest = opened(ledger, event)
        ledger.done(who, DECIDE, Decide(digest, amount, "half of it").row())
        ledger.commit_at(FINAL_MS)
        # 30 + 20 - 37 four times
        assert ledger.result(event, HOUSE).net == 52
        paid = ledger.paid(event, HOUSE)
        assert (paid.own, paid.paid) == (52 + amount, max(0, 52 + amount))
        assert ledger.carried(HOUSE) == min(0, 52 + amount)
        ledger.check_money()

    def test_the_end_waits_for_it(self, ledger: SettledEvent, event: bytes) -> None:
        digest = opened(ledger, event)
        ledger.commit_at(FINAL_MS)
        assert ledger.event(event).state is EventState.SETTLED
        ledger.done(GRID, DECIDE, Decide(digest, 0, "it stands").row())
        ledger.commit_at(FINAL_MS)
        assert ledger.event(event).state is EventState.FINAL

    def test_but_not_for_ever(self, ledger: SettledEvent, event: bytes) -> None:
        digest = opened(ledger, event)
        ledger.commit_at(FINAL_MS)
        until_ms = SETTLE_MS + MARKET.decide_ms
        ledger.commit_at(until_ms)
        assert ledger.event(event).state is EventState.SETTLED
        ledger.commit_at(until_ms + 1)
        assert ledger.event(event).state is EventState.FINAL
        assert found(ledger, digest).decision is None
        assert ledger.paid(event, HOUSE).own == 52

    def test_of_two_both_are_waited_for(self, ledger: SettledEvent, event: bytes) -> None:
        first, second = opened(ledger, event), opened(ledger, event, RETAIL)
        ledger.commit_at(FINAL_MS)
        ledger.done(GRID, DECIDE, Decide(first, 7, "a little").row())
        ledger.commit_at(FINAL_MS)
        assert ledger.event(event).state is EventState.SETTLED
        ledger.done(GRID, DECIDE, Decide(second, -3, "less").row())
        ledger.commit_at(FINAL_MS)
        assert ledger.paid(event, HOUSE).own == 52 + 7 - 3

    def test_refused_of_no_dispute(self, ledger: SettledEvent, event: bytes) -> None:
        verdict = ledger.send(GRID, DECIDE, Decide(NOTHING, 1, "so be it").row())
        assert verdict == classes.DISPUTE_UNKNOWN

    def test_refused_a_second_time(self, ledger: SettledEvent, event: bytes) -> None:
        digest = opened(ledger, event)
        ledger.done(GRID, DECIDE, Decide(digest, 1, "so be it").row())
        verdict = ledger.send(GRID, DECIDE, Decide(digest, 1, "again").row())
        assert verdict == classes.DISPUTE_CLOSED

    def test_refused_when_it_is_too_late(self, ledger: SettledEvent, event: bytes) -> None:
        digest = opened(ledger, event)
        late_ms = SETTLE_MS + MARKET.decide_ms + 1
        verdict = ledger.send(GRID, DECIDE, Decide(digest, 1, "at last").row(), time_ms=late_ms)
        assert verdict == classes.DISPUTE_CLOSED

    @pytest.mark.parametrize("who", [RETAIL, FACTORY, AGGREGATOR, HOUSE])
    def test_refused_from_who_watches_nothing(
        self, ledger: SettledEvent, event: bytes, who: Signer
    ) -> None:
        digest = opened(ledger, event)
        verdict = ledger.send(who, DECIDE, Decide(digest, 1, "mine").row())
        assert verdict == classes.ROLE_NOT_ALLOWED

    @pytest.mark.parametrize("sign", [1, -1])
    def test_refused_for_more_than_the_line_can_be_worth(
        self, ledger: SettledEvent, event: bytes, sign: int
    ) -> None:
        """0.6 kWh: 30 for availability, 72 for what is credited, 129 for what is missing."""
        digest = opened(ledger, event)
        over, most = (Decide(digest, sign * amount, "so be it").row() for amount in (232, 231))
        assert ledger.send(GRID, DECIDE, over) == classes.DECISION_OVER
        ledger.done(GRID, DECIDE, most)
        ledger.commit_at(FINAL_MS)
        assert ledger.paid(event, HOUSE).own == 52 + sign * 231
        ledger.check_money()

    def test_refused_from_a_side(self) -> None:
        ledger = fresh()
        event = ledger.call(who=GRID)
        ledger.deliver(event, {HOUSE: 2_400, NEIGHBOUR: 2_400})
        ledger.commit_at(SETTLE_MS)
        digest = opened(ledger, event)
        verdict = ledger.send(GRID, DECIDE, Decide(digest, 1, "mine").row())
        assert verdict == classes.SIDE_DECIDES

    @pytest.mark.parametrize(
        ("who", "expected"), [(GRID, classes.SIDE_DECIDES), (REGULATOR, classes.ACCEPTED)]
    )
    def test_refused_from_whose_fund_pays(self, who: Signer, expected: int) -> None:
        """What is not paid would be its own again."""
        ledger = fresh()
        body = Fund("green-peak", "EUR", 50_000, RETAIL.kid, FINAL_MS)
        event = ledger.call(fund=ledger.done(GRID, FUND, body.row()))
        ledger.deliver(event, {HOUSE: 800, NEIGHBOUR: 2_400})
        ledger.commit_at(SETTLE_MS)
        digest = opened(ledger, event)
        assert ledger.send(who, DECIDE, Decide(digest, -1, "less").row()) == expected
