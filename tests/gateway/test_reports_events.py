"""Events as reports show them and as gateways act on them, on a ledger that grows in the test."""

from dataclasses import replace

import pytest
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import crypto, genesis, transaction
from wattle_gateway.ledger.account_bodies import Issue
from wattle_gateway.ledger.event_bodies import Declare, Dispatch, Setpoint, Withdraw
from wattle_gateway.ledger.offer_bodies import DOWN, OfferBody, OfferTerms
from wattle_gateway.orders import ledger_orders
from wattle_gateway.orders.book import PointOrder
from wattle_gateway.reports import pool
from wattle_gateway.reports.events import EventBook
from wattle_testkit.account_ledger import FACTORY, GRID, RETAIL, AccountLedger
from wattle_testkit.alliance import CREATED_MS, Board
from wattle_testkit.event_ledger import FIXED_PRICE

QUARTER_MS = 900_000
BEGIN_MS = (CREATED_MS // QUARTER_MS + 4) * QUARTER_MS
SELECT_MS = BEGIN_MS - QUARTER_MS
END_MS = BEGIN_MS + 4 * QUARTER_MS
TERMS = OfferTerms("north", 0, DOWN, 3_000, "EUR", 9_000, 2_000, 7_200_000, 0, 10_000, 1, 500)
PUBLISH = replace(FIXED_PRICE, begin_ms=BEGIN_MS, notice_ms=QUARTER_MS, select_ms=SELECT_MS)


class Story:
    """A grid company's event, and two loads, of a factory and of a retailer."""

    def __init__(self, **changes: object) -> None:
        self.ledger = ledger = AccountLedger(rules=genesis.EVENT_RULES)
        ledger.done(GRID, transaction.ISSUE, Issue("EUR", 2, GRID.kid, 10**9).row())
        self.owners = (FACTORY, RETAIL)
        self.boards = [Board(owner.name, ledger.epoch) for owner in self.owners]
        for owner, board in zip(self.owners, self.boards, strict=True):
            point = replace(board.point(1), capacity_w=3_000, owner=owner.kid)
            body = transaction.enrol_body(board.enrol(point, home=GRID.kid))
            ledger.done(GRID, transaction.ENROL, body)
            ledger.done(owner, transaction.OFFER, OfferBody(board.kid, 1, TERMS).row())
        body = replace(PUBLISH, **changes)  # type: ignore[arg-type]
        self.event = ledger.done(GRID, transaction.PUBLISH, body.row())

    def declare(self, number: int, *quotas_w: int) -> None:
        body = Declare(self.event, self.boards[number].kid, 1, 0, quotas_w * (4 // len(quotas_w)))
        self.ledger.done(self.owners[number], transaction.DECLARE, body.row())

    def select(self) -> None:
        self.ledger.chain.commit(time_ms=SELECT_MS)

    def dispatch(self, *loads: Setpoint) -> bytes:
        body = Dispatch(self.event, 0, loads or None)
        return self.ledger.done(GRID, transaction.DISPATCH, body.row(), time_ms=BEGIN_MS)

    def withdraw(self, number: int, time_ms: int) -> None:
        body = Withdraw(self.event, self.boards[number].kid, 1)
        self.ledger.done(self.owners[number], transaction.WITHDRAW, body.row(), time_ms=time_ms)

    def book(self, time_ms: int) -> EventBook:
        return EventBook(self.ledger.state, self.ledger.epoch, time_ms)

    def orders(self, time_ms: int) -> list[PointOrder]:
        return ledger_orders.standing(self.ledger.state, time_ms)


@pytest.mark.parametrize(
    ("asked", "shown"),
    [("north/f1", True), ("north/f1/s2", True), ("north", True), ("north/f2", False)],
)
def test_the_events_of_an_area_are_those_that_some_load_of_it_may_answer(
    asked: str, shown: bool
) -> None:
    book = Story(area="north/f1", near="north/f1/s3").book(CREATED_MS)
    assert [line.as_json()["near"] for line in book.lines(asked, None)] == ["north/f1/s3"] * shown


def test_an_event_from_its_publication_to_an_order() -> None:
    story = Story()
    (line,) = story.book(CREATED_MS).lines("north", None)
    assert (line.phase, line.publisher.name, line.counts["declared"]) == ("open", "grid", 0)
    assert story.book(CREATED_MS).lines("south", None) == []
    story.declare(0, 3_000)
    story.declare(1, 2_000)
    story.select()
    (line,) = story.book(SELECT_MS).lines(None, "selected")
    assert (line.phase, line.row.reached_w) == ("selected", 3_000)
    assert (line.counts["declared"], line.counts["selected"]) == (2, 1)
    chosen, other = story.book(SELECT_MS).parts(line.row)
    assert (chosen.row.why, chosen.origin.name) == ("chosen", "factory")
    assert {chosen.row.rank, other.row.rank} == {1, 2}
    assert (chosen.as_json()["distance"], other.as_json()["distance"]) == (0, 0)
    assert (other.row.why, str(other.row.status)) == ("dearer", "released")
    assert story.orders(SELECT_MS) == []
    order = story.dispatch()
    (line,) = story.book(BEGIN_MS).lines(None, None)
    assert line.phase == "called"
    content = line.as_json()
    assert (content["decimals"], content["loads"]["called"]) == (2, 1)
    meter = story.boards[0].kid
    expected = PointOrder(story.event, order, meter, 1, 500, BEGIN_MS, END_MS)
    assert story.orders(BEGIN_MS) == [expected]
    assert story.orders(END_MS) == []
    assert story.book(END_MS).lines(None, None)[0].phase == "over"


def test_the_pool_says_what_is_called_and_when() -> None:
    story = Story()
    story.declare(0, 3_000, 2_500)
    story.select()
    story.dispatch()
    called = [
        sum(line.called_w for line in pool.pool(story.ledger.state, time_ms, None))
        for time_ms in (SELECT_MS, BEGIN_MS, BEGIN_MS + QUARTER_MS, END_MS)
    ]
    assert called == [0, 3_000, 2_500, 0]
    assert {line.confirmed_w for line in pool.pool(story.ledger.state, BEGIN_MS, None)} == {0}


def test_who_opts_out_is_released_with_its_interval() -> None:
    story = Story()
    story.declare(0, 3_000)
    story.select()
    story.dispatch()
    story.withdraw(0, BEGIN_MS + QUARTER_MS + 1)
    (order,) = story.orders(BEGIN_MS + QUARTER_MS + 1)
    assert order.until_ms == BEGIN_MS + 2 * QUARTER_MS
    (line,) = story.book(BEGIN_MS).lines(None, None)
    (part,) = story.book(BEGIN_MS).parts(line.row)
    assert (part.row.withdrawn_from, line.counts["withdrawn"]) == (2, 1)


def early(story: Story, entry: bytes, time_ms: int = BEGIN_MS) -> list[PointOrder]:
    """What a block with this entry makes gateways do before it is committed."""
    chain = story.ledger.chain
    setting = Setting(time_ms, story.ledger.epoch, chain.head, crypto.verify, lambda _: None)
    return ledger_orders.early(
        story.ledger.state, [b"\x82\x01\x40", b"\x82\x02\x40", entry], setting
    )


def test_only_an_emergency_counts_before_its_commit() -> None:
    for emergency in (False, True):
        story = Story(emergency=emergency)
        story.declare(0, 3_000)
        story.select()
        load = Setpoint(story.boards[0].kid, 1, 700)
        body = Dispatch(story.event, 0, (load,)).row()
        entry = story.ledger.entry(GRID, transaction.DISPATCH, body)
        found = early(story, entry)
        assert [(one.watts, one.committed) for one in found] == [(700, False)] * emergency
    assert early(story, entry, END_MS) == []  # the ledger would refuse it


def test_an_emergency_order_is_checked_before_it_counts() -> None:
    story = Story(emergency=True)
    story.declare(0, 3_000)
    load = Setpoint(story.boards[0].kid, 1, 700)
    named = Dispatch(story.event, 0, (load,)).row()
    before = story.ledger.entry(GRID, transaction.DISPATCH, named)
    assert early(story, before) == []  # nothing is selected yet
    assert story.ledger.chain.one(before).verdict != 0
    story.select()
    stranger = story.ledger.entry(RETAIL, transaction.DISPATCH, named)
    other = Setpoint(story.boards[1].kid, 1, 700)
    unselected = story.ledger.entry(
        GRID, transaction.DISPATCH, Dispatch(story.event, 0, (other,)).row()
    )
    assert early(story, stranger) == []
    assert early(story, unselected) == []
    later = story.ledger.entry(GRID, transaction.DISPATCH, named)
    assert early(story, later) == []  # its nonce is not the next
    assert story.ledger.chain.one(unselected).verdict != 0
    assert len(early(story, later)) == 1
    forged = later[:-1] + bytes([later[-1] ^ 1])
    assert early(story, forged) == []


def test_an_event_is_named_by_its_first_digits() -> None:
    story = Story()
    digits = story.event.hex()
    assert story.book(CREATED_MS).find(digits[:6].upper()).digest == story.event
    for word in (digits[:3], "ffffffff", ""):
        with pytest.raises(UsageError, match="begin with"):
            story.book(CREATED_MS).find(word)
