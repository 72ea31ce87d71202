"""Contracts between two parties and funds, by transactions: what each does, and each refusal by
what earns it alone (SPEC section 12)."""

from datetime import UTC, datetime, timedelta

import pytest
from wattle_gateway.contracts import accounts, classes, waiting
from wattle_gateway.contracts.errors import RefusedError
from wattle_gateway.contracts.settlement import agreements, funds
from wattle_gateway.contracts.state import State, key
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.account_bodies import Transfer
from wattle_gateway.ledger.genesis import EVENT_RULES
from wattle_gateway.ledger.settlement_bodies import Contract, Fund
from wattle_gateway.ledger.transaction import APPROVE, CONTRACT, FUND, TRANSFER, Approve
from wattle_gateway.reports import alliance as alliance_report
from wattle_testkit.account_ledger import (
    AGGREGATOR,
    FACTORY,
    GRID,
    REGULATOR,
    RETAIL,
    AccountLedger,
    Signer,
    User,
)
from wattle_testkit.alliance import CREATED_MS
from wattle_wire import cbor

HOUSE = User("house 7")
NOBODY = bytes(8)
FROM_MS = CREATED_MS + 60_000
DAY_MS = 86_400_000
TERMS = Contract(AGGREGATOR.kid, "CNY", 10, 20, 30, 0, FROM_MS, FROM_MS + DAY_MS)
ANYTHING = [[], "", 0, 0, None, None, None, None]
GREEN = Fund("green-peak", "CNY", 600, RETAIL.kid, FROM_MS)


@pytest.fixture
def ledger() -> AccountLedger:
    """GRID has issued 10.00 CNY to itself; RETAIL and a user of AGGREGATOR have empty accounts."""
    made = AccountLedger(rules=EVENT_RULES)
    made.host(HOUSE)
    made.declare()
    made.open(RETAIL, HOUSE)
    return made


def agreed(ledger: AccountLedger, first: Signer, other: Signer, body: Contract) -> bytes:
    digest = ledger.done(first, CONTRACT, body.row())
    ledger.done(other, APPROVE, transaction.approve_body(Approve(digest)))
    return digest


class TestContract:
    """Kind 19."""

    def test_it_holds_once_the_other_side_has_agreed(self, ledger: AccountLedger) -> None:
        digest = ledger.done(GRID, CONTRACT, TERMS.row())
        assert key("contract", GRID.kid, AGGREGATOR.kid) not in ledger.state
        ledger.done(AGGREGATOR, APPROVE, transaction.approve_body(Approve(digest)))
        row = cbor.decode(ledger.state[key("contract", GRID.kid, AGGREGATOR.kid)])
        assert row == [[CREATED_MS, *TERMS.row()[1:]]]

    def test_the_other_side_is_shown_what_it_agrees_to(self, ledger: AccountLedger) -> None:
        body = Contract(HOUSE.kid, "CNY", 1_050, 20_000, 3, 703, FROM_MS, FROM_MS + DAY_MS)
        digest = ledger.done(AGGREGATOR, CONTRACT, body.row())
        found = waiting.find(ledger.state, digest)
        assert found is not None
        line = alliance_report.waiting_line(ledger.state, found, ledger.epoch)
        assert (line.kind, [who.kid for who in line.approvers]) == ("contract", [HOUSE.kid.hex()])
        assert "availability 10.50 per MW and hour, energy 200.00 and penalty 0.03" in line.what
        assert "70.3 % are its own" in line.what
        begin = datetime.fromtimestamp(FROM_MS / 1000, UTC)
        assert f"from {begin.isoformat()} to {(begin + timedelta(days=1)).isoformat()}" in line.what

    def test_only_the_other_side_may_agree(self, ledger: AccountLedger) -> None:
        digest = ledger.done(GRID, CONTRACT, TERMS.row())
        body = transaction.approve_body(Approve(digest))
        assert ledger.send(RETAIL, APPROVE, body) == classes.NOT_ASKED

    def test_a_hosted_user_may_agree(self, ledger: AccountLedger) -> None:
        body = Contract(HOUSE.kid, "CNY", 0, 0, 0, 700, FROM_MS, FROM_MS + 1)
        agreed(ledger, AGGREGATOR, HOUSE, body)
        found = agreements.terms(ledger.state, AGGREGATOR.kid, HOUSE.kid, "CNY", FROM_MS)
        assert found == body

    def test_it_covers_events_that_begin_in_its_time(self, ledger: AccountLedger) -> None:
        agreed(ledger, GRID, AGGREGATOR, TERMS)

        def price(time_ms: int, asset: str = "CNY") -> tuple[int, int, int] | None:
            return agreements.contract_price(ledger.state, GRID.kid, AGGREGATOR.kid, asset, time_ms)

        assert price(FROM_MS - 1) is None
        assert price(FROM_MS) == price(FROM_MS + DAY_MS - 1) == (10, 20, 30)
        assert price(FROM_MS + DAY_MS) is None
        assert price(FROM_MS, "EUR") is None
        assert agreements.terms(ledger.state, AGGREGATOR.kid, GRID.kid, "CNY", FROM_MS) is None

    def test_of_two_the_later_agreed_counts(self, ledger: AccountLedger) -> None:
        agreed(ledger, GRID, AGGREGATOR, TERMS)
        shorter = Contract(AGGREGATOR.kid, "CNY", 11, 21, 31, 0, FROM_MS + 1_000, FROM_MS + 2_000)
        agreed(ledger, GRID, AGGREGATOR, shorter)
        begins = (FROM_MS + 999, FROM_MS + 1_000, FROM_MS + 2_000)
        found = [
            agreements.terms(ledger.state, GRID.kid, AGGREGATOR.kid, "CNY", begin)
            for begin in begins
        ]
        assert found == [TERMS, shorter, TERMS]

    def test_refused_with_itself(self, ledger: AccountLedger) -> None:
        body = Contract(GRID.kid, "CNY", 0, 0, 0, 0, FROM_MS, FROM_MS + 1)
        assert ledger.send(GRID, CONTRACT, body.row()) == classes.TO_ITSELF

    @pytest.mark.parametrize("other", [NOBODY, REGULATOR.kid])
    def test_refused_with_nobody_who_owns(self, ledger: AccountLedger, other: bytes) -> None:
        body = Contract(other, "CNY", 0, 0, 0, 0, FROM_MS, FROM_MS + 1)
        assert ledger.send(GRID, CONTRACT, body.row()) == classes.MEMBER_UNKNOWN

    def test_refused_in_no_asset(self, ledger: AccountLedger) -> None:
        body = Contract(AGGREGATOR.kid, "EUR", 0, 0, 0, 0, FROM_MS, FROM_MS + 1)
        assert ledger.send(GRID, CONTRACT, body.row()) == classes.ASSET_UNKNOWN

    @pytest.mark.parametrize(
        "window", [(CREATED_MS - 1, FROM_MS), (FROM_MS, FROM_MS), (FROM_MS, FROM_MS - 1)]
    )
    def test_refused_backdated_or_for_no_time(
        self, ledger: AccountLedger, window: tuple[int, int]
    ) -> None:
        body = Contract(AGGREGATOR.kid, "CNY", 0, 0, 0, 0, *window)
        assert ledger.send(GRID, CONTRACT, body.row()) == classes.CONTRACT_WINDOW

    def test_refused_when_it_has_become_backdated(self, ledger: AccountLedger) -> None:
        digest = ledger.done(GRID, CONTRACT, TERMS.row())
        body = transaction.approve_body(Approve(digest))
        verdict = ledger.send(AGGREGATOR, APPROVE, body, time_ms=FROM_MS + 1)
        assert verdict == classes.CONTRACT_WINDOW

    def test_refused_one_more_than_statements_could_ask_for(self, ledger: AccountLedger) -> None:
        for _ in range(agreements.CONTRACTS_MAX):
            agreed(ledger, GRID, AGGREGATOR, TERMS)
        assert ledger.send(GRID, CONTRACT, TERMS.row()) == classes.CONTRACTS_FULL
        assert ledger.send(GRID, CONTRACT, Contract(RETAIL.kid, *TERMS.row()[1:]).row()) == 0

    def test_what_nobody_asks_for_any_more_gives_way(self, ledger: AccountLedger) -> None:
        for _ in range(agreements.CONTRACTS_MAX):
            agreed(ledger, GRID, AGGREGATOR, TERMS)
        market = ledger.epoch.constants.market
        assert market is not None
        later_ms = TERMS.until_ms + 2 * market.keep_days * DAY_MS
        assert later_ms < 2 * CREATED_MS
        body = Contract(AGGREGATOR.kid, "CNY", 1, 1, 1, 0, later_ms, later_ms + 1)
        digest = ledger.done(GRID, CONTRACT, body.row(), time_ms=later_ms)
        ledger.done(AGGREGATOR, APPROVE, transaction.approve_body(Approve(digest)))
        kept = agreements.between(ledger.state, GRID.kid, AGGREGATOR.kid)
        assert [one.terms for one in kept] == [body]

    def test_refused_from_who_neither_buys_nor_hosts(self, ledger: AccountLedger) -> None:
        assert ledger.send(FACTORY, CONTRACT, TERMS.row()) == classes.ROLE_NOT_ALLOWED


class TestFund:
    """Kind 20."""

    def test_its_money_is_locked_in_the_fillers_account(self, ledger: AccountLedger) -> None:
        digest = ledger.done(GRID, FUND, GREEN.row())
        assert cbor.decode(ledger.state[key("account", GRID.kid, "CNY")]) == [400, 600, 0]
        row = cbor.decode(ledger.state[key("fund", digest)])
        assert row == [GRID.kid, "green-peak", "CNY", 600, 0, 0, RETAIL.kid, FROM_MS, 0, ANYTHING]
        body = Transfer("CNY", RETAIL.kid, 401).row()
        assert ledger.send(GRID, TRANSFER, body) == classes.BALANCE_SHORT

    def test_what_is_left_returns_when_it_is_over(self, ledger: AccountLedger) -> None:
        digest = ledger.done(GRID, FUND, GREEN.row())
        ledger.chain.commit(time_ms=FROM_MS)
        assert cbor.decode(ledger.state[key("account", GRID.kid, "CNY")]) == [400, 600, 0]
        ledger.chain.commit(time_ms=FROM_MS + 1)
        assert cbor.decode(ledger.state[key("account", GRID.kid, "CNY")]) == [1_000, 0, 0]
        found = funds.fund(ledger.state, digest)
        assert found is not None
        assert (found.left, found.over) == (0, True)

    def test_what_is_reserved_stays_until_it_is_given_back(self, ledger: AccountLedger) -> None:
        digest = ledger.done(GRID, FUND, GREEN.row())
        state = State(ledger.state)
        funds.reserve(state, digest, RETAIL.kid, "CNY", 250, CREATED_MS)
        funds.expire(state, digest, FROM_MS + 1)
        account = accounts.account(state, GRID.kid, "CNY")
        assert account is not None
        assert (account.unlocked, account.locked) == (750, 250)
        funds.give_back(state, digest, 250)
        account = accounts.account(state, GRID.kid, "CNY")
        assert account is not None
        assert (account.unlocked, account.locked) == (1_000, 0)

    def test_refused_in_no_asset(self, ledger: AccountLedger) -> None:
        body = Fund("p", "EUR", 1, RETAIL.kid, FROM_MS)
        assert ledger.send(GRID, FUND, body.row()) == classes.ASSET_UNKNOWN

    def test_refused_without_an_account(self, ledger: AccountLedger) -> None:
        assert ledger.send(FACTORY, FUND, GREEN.row()) == classes.ACCOUNT_UNKNOWN

    def test_refused_for_nobody(self, ledger: AccountLedger) -> None:
        body = Fund("p", "CNY", 1, NOBODY, FROM_MS)
        assert ledger.send(GRID, FUND, body.row()) == classes.MEMBER_UNKNOWN

    def test_refused_when_it_is_over(self, ledger: AccountLedger) -> None:
        body = Fund("p", "CNY", 1, RETAIL.kid, CREATED_MS)
        assert ledger.send(GRID, FUND, body.row()) == classes.FUND_OVER

    def test_refused_beyond_the_unlocked_balance(self, ledger: AccountLedger) -> None:
        body = Fund("p", "CNY", 1_001, RETAIL.kid, FROM_MS)
        assert ledger.send(GRID, FUND, body.row()) == classes.BALANCE_SHORT


class TestReserving:
    """What an event that names a fund is refused with."""

    @pytest.fixture
    def held(self, ledger: AccountLedger) -> tuple[State, bytes]:
        digest = ledger.done(GRID, FUND, GREEN.row())
        return State(ledger.state), digest

    @pytest.mark.parametrize(
        ("spender", "asset", "amount", "time_ms", "code"),
        [
            (GRID.kid, "CNY", 1, CREATED_MS, classes.NOT_THE_SPENDER),
            (RETAIL.kid, "CNY", 1, FROM_MS + 1, classes.FUND_OVER),
            (RETAIL.kid, "EUR", 1, CREATED_MS, classes.FUND_ASSET),
            (RETAIL.kid, "CNY", 601, CREATED_MS, classes.FUND_SHORT),
        ],
    )
    def test_refused(
        self,
        held: tuple[State, bytes],
        spender: bytes,
        asset: str,
        amount: int,
        time_ms: int,
        code: int,
    ) -> None:
        state, digest = held
        with pytest.raises(RefusedError) as refusal:
            funds.reserve(state, digest, spender, asset, amount, time_ms)
        assert refusal.value.code == code

    def test_refused_of_no_fund(self, held: tuple[State, bytes]) -> None:
        with pytest.raises(RefusedError) as refusal:
            funds.reserve(held[0], bytes(32), RETAIL.kid, "CNY", 1, CREATED_MS)
        assert refusal.value.code == classes.FUND_UNKNOWN

    def test_up_to_all_that_is_free(self, held: tuple[State, bytes]) -> None:
        state, digest = held
        funds.reserve(state, digest, RETAIL.kid, "CNY", 600, FROM_MS)
        funds.give_back(state, digest, 100)
        funds.reserve(state, digest, RETAIL.kid, "CNY", 100, FROM_MS)
        found = funds.fund(state, digest)
        assert found is not None
        assert (found.left, found.reserved) == (0, 600)
