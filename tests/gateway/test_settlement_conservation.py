"""Money is neither made nor lost by any event, whatever its loads did (D2, D36 to D39).

Random events stand in the state as the commands leave them, with random intervals; statements,
late data, decisions, payments and corrections follow. After every step all accounts together hold
what was issued, and what was owed is paid or carried, to the unit.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from wattle_gateway.contracts import accounts, parties
from wattle_gateway.contracts.baseline import rule_form
from wattle_gateway.contracts.events import reserve, rows
from wattle_gateway.contracts.events.rows import EventRow, EventState, QuotaRow, QuotaStatus
from wattle_gateway.contracts.measurement.interval import Interval
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.settlement import (
    agreements,
    carried,
    course,
    disputes,
    funds,
    paying,
    results,
)
from wattle_gateway.contracts.settlement.disputes import Decision, DisputeRow, Said
from wattle_gateway.contracts.state import State, StateRows, key
from wattle_gateway.contracts.usage import rows as usage_rows
from wattle_gateway.contracts.usage.rows import Span
from wattle_gateway.ledger import crypto, event_bodies
from wattle_gateway.ledger.settlement_bodies import Contract, Fund
from wattle_testkit.account_ledger import AGGREGATOR, GRID, RETAIL
from wattle_testkit.event_ledger import BEGIN_MS, EVENT, INTERVAL_MS, USERS
from wattle_testkit.settled_event import HOUR_BEFORE, HOUR_MS, INTERVALS, MARKET, fresh
from wattle_wire import cbor

DAY_MS = 86_400_000
FUND = bytes(range(32))
FILLED = 2_000_000


@dataclass(frozen=True)
class Load:
    """What one user promises and does; energies in Wh, None for an interval without readings."""

    quotas_w: tuple[int, ...]
    price_mwh: int
    by_host: bool
    withdrawn_from: int | None
    ordered: bool
    energies_wh: tuple[int | None, ...]
    late_wh: tuple[int | None, ...]
    too_late_wh: tuple[int | None, ...]
    decided: int | None


energies = st.tuples(*[st.none() | st.integers(-500, 1_500)] * INTERVALS)
loads = st.builds(
    Load,
    st.tuples(*[st.integers(0, 3_000)] * INTERVALS),
    st.integers(0, 5_000_000),
    st.booleans(),
    st.none() | st.integers(0, INTERVALS - 1),
    st.booleans(),
    energies,
    energies,
    energies,
    st.none() | st.integers(-3_000, 3_000),
)


@dataclass(frozen=True)
class Story:
    """Two events one after the other, of the same payer."""

    events: tuple[tuple[Load, Load, Load], tuple[Load, Load, Load]]
    prices: tuple[int, int]
    split_permille: int | None
    of_fund: bool


stories = st.builds(
    Story,
    st.tuples(*[st.tuples(loads, loads, loads)] * 2),
    st.tuples(st.integers(0, 2_000_000), st.integers(0, 5_000_000)),
    st.none() | st.integers(0, 1_000),
    st.booleans(),
)


@cache
def _ledger() -> Any:
    return fresh()


class _Books:
    """The state of a story, and what everybody was owed and got in it."""

    def __init__(self, story: Story) -> None:
        self.ledger = _ledger()
        self.state = State(StateRows(self.ledger.state))
        self.story = story
        self.owed: dict[tuple[bytes, bytes], int] = {}
        if story.split_permille is not None:
            self._agree(story.split_permille)
        if story.of_fund:
            self._fill()

    def setting(self, time_ms: int) -> Setting:
        chain = self.ledger.chain
        return Setting(time_ms, chain.epoch, chain.head, crypto.verify, chain.digest_of)

    def _agree(self, split_permille: int) -> None:
        for user in USERS[:2]:
            terms = Contract(
                user.kid, "EUR", 0, 0, 0, split_permille, BEGIN_MS - HOUR_MS, BEGIN_MS + DAY_MS
            )
            row = [[0, *terms.row()[1:]]]
            self.state.put(key("contract", AGGREGATOR.kid, user.kid), cbor.encode(row))
            found = agreements.terms(self.state, AGGREGATOR.kid, user.kid, "EUR", BEGIN_MS)
            assert found == terms

    def _fill(self) -> None:
        body = Fund("green", "EUR", FILLED, RETAIL.kid, BEGIN_MS + DAY_MS)
        filler = parties.party(self.state, self.ledger.epoch, GRID.kid)
        assert filler is not None
        funds.fill(self.state, body, FUND, filler, self.setting(BEGIN_MS - HOUR_MS))

    def event(self, number: int) -> EventRow:
        """The event as it stands after its selection, its money reserved."""
        availability_price, penalty_price = self.story.prices
        body = replace(
            EVENT,
            method=event_bodies.COST,
            begin_ms=BEGIN_MS + 4 * HOUR_MS * number,
            availability_price=availability_price,
            energy_price=5_000_000,
            penalty_price=penalty_price,
            rule=rule_form.encode(HOUR_BEFORE),
            fund=FUND if self.story.of_fund else None,
        )
        digest = bytes([number + 1]) * 32
        row = EventRow(digest, RETAIL.kid, 0, MARKET.digest, 900, body, EventState.SELECTED)
        self.state.put(key("market", MARKET.digest), MARKET.raw)
        quotas = list(self._quotas(row, number))
        amount = reserve.of_quotas(row, quotas, None, MARKET)
        reserve.lock_first(self.state, body, RETAIL.kid, amount, MARKET, body.begin_ms - HOUR_MS)
        for quota in quotas:
            rows.put_quota(self.state, quota)
        row = replace(row, reserved=amount, declared=len(quotas))
        rows.put_event(self.state, row)
        return row

    def _quotas(self, event: EventRow, number: int) -> Iterator[QuotaRow]:
        for user, load in zip(USERS, self.story.events[number], strict=True):
            yield QuotaRow(
                event.digest,
                self.ledger.board(user).kid,
                1,
                event.digest,
                AGGREGATOR.kid if load.by_host else user.kid,
                user.kid,
                load.quotas_w,
                load.price_mwh,
                QuotaStatus.SELECTED if load.withdrawn_from is None else QuotaStatus.WITHDRAWN,
                load.price_mwh,
                load.withdrawn_from,
                event.digest if load.ordered else None,
                event.begin_ms if load.ordered else None,
                400 if load.ordered else None,
            )

    def measure(self, event: EventRow, number: int, what: str) -> None:
        """Write the intervals of all loads: 700 Wh in each before the event, then the story's."""
        for user, load in zip(USERS, self.story.events[number], strict=True):
            kid = self.ledger.board(user).kid
            usage_rows.put_span(self.state, kid, 1, Span(event.begin_ms // DAY_MS, 900))
            for index in range(-4, INTERVALS + 1):
                inside = 0 <= index < INTERVALS
                energy_wh = getattr(load, what)[index] if inside else 700
                self._put(kid, event.begin_ms + index * INTERVAL_MS, energy_wh)

    def _put(self, kid: bytes, begin_ms: int, energy_wh: int | None) -> None:
        row = Interval(begin_ms, INTERVAL_MS)
        if energy_wh is not None:
            # The mean power of 90 readings; registers nobody saw.
            row = replace(row, count=90, sum_dw=90 * energy_wh * 40, low_dw=0, high_dw=1)
        usage_rows.put_interval(self.state, kid, 1, row)

    def decide(self, event: EventRow, number: int) -> None:
        """Some resources are disputed and decided."""
        for user, load in zip(USERS, self.story.events[number], strict=True):
            if load.decided is None:
                continue
            kid = self.ledger.board(user).kid
            found = results.result(self.state, event.digest, kid, 1)
            assert found is not None
            said = Said(GRID.kid, "so be it", event.end_ms)
            digest = bytes([16 + number]) * 24 + kid
            row = DisputeRow(
                digest, event.digest, kid, 1, 0, said, None, Decision(load.decided, said)
            )
            disputes.put_dispute(self.state, row)
            results.put_result(self.state, replace(found, disputes=(digest,)))

    def owe(self, event: EventRow) -> None:
        """Note what the last statement owes to whom."""
        for quota in rows.quotas(self.state, event):
            row = results.result(self.state, event.digest, quota.meter, 1)
            assert row is not None
            net = row.net + disputes.decided(self.state, row.disputes)
            self._owe(event, quota, net, row.split_permille)

    def owe_correction(self, event: EventRow) -> None:
        for quota in rows.quotas(self.state, event):
            row = results.result(self.state, event.digest, quota.meter, 1)
            assert row is not None
            if row.correction is not None:
                self._owe(event, quota, row.correction.amount, row.split_permille)

    def _owe(self, event: EventRow, quota: QuotaRow, net: int, split_permille: int) -> None:
        parts = paying.shares(net, quota.origin, quota.owner, split_permille)
        assert sum(part for _, part in parts) == net
        for kid, part in parts:
            at = (paying.payer_of(event), kid)
            self.owed[at] = self.owed.get(at, 0) + part

    def check(self, *ended: EventRow) -> None:
        """All money is there, and each claim is paid or carried."""
        held = accounts.accounts(StateRows(dict(self.everything())))
        asset = accounts.asset(self.state, "EUR")
        assert asset is not None
        total = sum(one.unlocked + one.locked for one in held if one.asset == "EUR")
        assert total == asset.issued - asset.redeemed
        for (payer, payee), amount in self.owed.items():
            got = sum(
                payment.paid
                for event in ended
                if (payment := paying.paid(self.state, event.digest, payee)) is not None
            )
            assert amount == got + carried.carried(self.state, payer, payee, "EUR")
        fund = funds.fund(self.state, FUND)
        if fund is not None:
            assert fund.left + fund.reserved + fund.spent == FILLED

    def everything(self) -> Iterator[tuple[bytes, bytes]]:
        whole: dict[bytes, bytes | None] = dict(self.ledger.state.items())
        whole.update(self.state.changes())
        return ((row, value) for row, value in whole.items() if value is not None)


@settings(max_examples=25, deadline=None)
@given(stories)
def test_every_unit_is_somewhere(story: Story) -> None:
    books = _Books(story)
    state = books.state
    ended: list[EventRow] = []
    for number in (0, 1):
        event = books.event(number)
        books.check(*ended)
        books.measure(event, number, "energies_wh")
        course.compute(state, event, MARKET, books.setting(event.end_ms + MARKET.settle_ms))
        books.measure(event, number, "late_wh")
        for user in USERS:
            state.put(key("stale", event.digest, books.ledger.board(user).kid, 1), b"\x00")
        again = rows.event(state, event.digest)
        assert again is not None
        course.compute(state, again, MARKET, books.setting(event.end_ms + MARKET.settle_ms + 1))
        books.decide(event, number)
        again = rows.event(state, event.digest)
        assert again is not None
        course.finalise(state, again, MARKET, books.setting(event.end_ms + MARKET.dispute_ms))
        ended.append(event)
        books.owe(event)
        books.check(*ended)
        last = rows.event(state, event.digest)
        assert last is not None
        assert (last.state, last.reserved) == (EventState.FINAL, 0)
        books.measure(event, number, "too_late_wh")
        course.compute(state, last, MARKET, books.setting(course.last_change_ms(event, MARKET)))
        books.owe_correction(event)
        books.check(*ended)
    _check_nothing_reserved(books)


def _check_nothing_reserved(books: _Books) -> None:
    """When all is over nothing is locked but what a fund still has."""
    account = accounts.account(books.state, RETAIL.kid, "EUR")
    assert account is not None
    assert account.locked == 0
    if books.story.of_fund:
        filler = accounts.account(books.state, GRID.kid, "EUR")
        fund = funds.fund(books.state, FUND)
        assert filler is not None
        assert fund is not None
        assert (filler.locked, fund.reserved) == (fund.left, 0)


@given(
    st.dictionaries(
        st.binary(min_size=8, max_size=8),
        st.tuples(st.integers(-1_000, 1_000), st.integers(-1_000, 1_000)),
        max_size=6,
    ),
    st.integers(0, 4_000),
)
def test_what_an_event_owes_comes_before_what_earlier_ones_do(
    dues: dict[bytes, tuple[int, int]], reserve_: int
) -> None:
    """Nobody's claim of this event waits for another's old one, and no reserve is overspent."""
    found = paying.allotted(dues, reserve_)
    assert sum(one.paid for one in found.values()) <= reserve_
    for one in found.values():
        assert 0 <= one.paid <= max(0, one.own + one.before)
    own = {kid: max(0, min(own, own + before)) for kid, (own, before) in dues.items()}
    if sum(own.values()) <= reserve_:
        assert all(one.paid >= own[kid] for kid, one in found.items())
    left = reserve_ - sum(one.paid for one in found.values())
    short = [one for one in found.values() if one.after > 0]
    assert not (left and short)
