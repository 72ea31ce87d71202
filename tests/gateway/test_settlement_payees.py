"""Who is paid, by whose money: hosts and hosted users, contracts, funds (D17, D18, D37, D38)."""

import pytest
from wattle_gateway.contracts.settlement import funds
from wattle_gateway.ledger import event_bodies, transaction
from wattle_gateway.ledger.settlement_bodies import Contract, Fund
from wattle_gateway.ledger.transaction import APPROVE, CONTRACT, FUND, Approve
from wattle_testkit.account_ledger import AGGREGATOR, GRID, RETAIL, Signer
from wattle_testkit.alliance import CREATED_MS
from wattle_testkit.event_ledger import BEGIN_MS, HOUSE, NEIGHBOUR
from wattle_testkit.settled_event import FINAL_MS, HOUR_MS, SettledEvent, fresh

FROM_MS = CREATED_MS + 1
UNTIL_MS = BEGIN_MS + 24 * HOUR_MS


@pytest.fixture
def ledger() -> SettledEvent:
    return fresh()


def agree(ledger: SettledEvent, first: Signer, other: Signer, *terms: int) -> None:
    body = Contract(other.kid, "EUR", *terms, FROM_MS, UNTIL_MS)
    digest = ledger.done(first, CONTRACT, body.row())
    ledger.done(other, APPROVE, transaction.approve_body(Approve(digest)))


def settle(ledger: SettledEvent, event: bytes, given_w: int = 2_400) -> None:
    ledger.deliver(event, dict.fromkeys(ledger.called(event), given_w))
    ledger.commit_at(FINAL_MS)
    ledger.check_money()


def test_without_a_contract_the_owner_gets_what_its_host_declared(ledger: SettledEvent) -> None:
    before = ledger.held(AGGREGATOR)
    event = ledger.call(declarer=AGGREGATOR)
    settle(ledger, event)
    assert ledger.held(HOUSE) == ledger.held(NEIGHBOUR) == (360, 0)
    assert ledger.held(AGGREGATOR) == before


def test_a_split_is_of_the_owner_what_the_contract_says(ledger: SettledEvent) -> None:
    agree(ledger, AGGREGATOR, HOUSE, 0, 0, 0, 703)
    unlocked, _ = ledger.held(AGGREGATOR)
    event = ledger.call(declarer=AGGREGATOR)
    settle(ledger, event)
    # 360 x 0.703 = 253.08: the rest of a cent stays with the host.
    assert ledger.held(HOUSE) == (253, 0)
    assert ledger.held(NEIGHBOUR) == (360, 0)
    assert ledger.held(AGGREGATOR) == (unlocked + 107, 0)


def test_debts_are_split_likewise(ledger: SettledEvent) -> None:
    agree(ledger, AGGREGATOR, HOUSE, 0, 0, 0, 250)
    event = ledger.call(declarer=AGGREGATOR, penalty_price=1_000_000, prices={HOUSE: 90_000})
    settle(ledger, event, given_w=0)
    assert ledger.result(event, HOUSE).net == -2_160
    assert (ledger.carried(HOUSE), ledger.carried(AGGREGATOR)) == (-540, -1_620)


def test_what_an_owner_declares_itself_is_all_its_own(ledger: SettledEvent) -> None:
    agree(ledger, AGGREGATOR, HOUSE, 0, 0, 0, 100)
    event = ledger.call()
    settle(ledger, event)
    assert ledger.held(HOUSE) == (360, 0)


def test_prices_of_a_contract(ledger: SettledEvent) -> None:
    agree(ledger, RETAIL, HOUSE, 10_000, 150_000, 500_000, 0)
    agree(ledger, RETAIL, NEIGHBOUR, 40_000, 200_000, 0, 0)
    event = ledger.call(
        method=event_bodies.CONTRACT, prices={HOUSE: 0, NEIGHBOUR: 0}, penalty_price=1
    )
    settle(ledger, event, given_w=800)
    house, neighbour = ledger.result(event, HOUSE), ledger.result(event, NEIGHBOUR)
    assert (house.availability_price, house.energy_price, house.penalty_price) == (
        *(10_000, 150_000),
        500_000,
    )
    assert (neighbour.availability_price, neighbour.energy_price) == (40_000, 200_000)
    # 0.0006 MW h x 10,000 + 0.0002 MWh x 150,000 - 0.00037 MWh x 500,000
    assert {line.net for line in house.lines} == {6 + 30 - 185}
    assert {line.net for line in neighbour.lines} == {24 + 40}


class TestFund:
    """An event paid by money with a purpose."""

    @pytest.fixture
    def fund(self, ledger: SettledEvent) -> bytes:
        body = Fund("green-peak", "EUR", 2_000, RETAIL.kid, FINAL_MS - 1)
        return ledger.done(GRID, FUND, body.row())

    def test_its_filler_pays(self, ledger: SettledEvent, fund: bytes) -> None:
        unlocked, locked = ledger.held(GRID)
        retail = ledger.held(RETAIL)
        event = ledger.call(fund=fund)
        assert ledger.held(RETAIL) == retail
        held = funds.fund(ledger.state, fund)
        assert held is not None
        assert held.reserved == ledger.event(event).reserved > 0
        settle(ledger, event)
        assert ledger.held(HOUSE) == (360, 0)
        assert ledger.held(RETAIL) == retail
        # It was over a moment before: all that was left has returned.
        assert ledger.held(GRID) == (unlocked + 2_000 - 720, locked - 2_000)
        held = funds.fund(ledger.state, fund)
        assert held is not None
        assert (held.left, held.reserved, held.spent, held.over) == (0, 0, 720, True)

    def test_debts_to_a_fund_are_the_funds(self, ledger: SettledEvent, fund: bytes) -> None:
        event = ledger.call(fund=fund, penalty_price=1_000_000, prices={HOUSE: 90_000})
        settle(ledger, event, given_w=0)
        assert ledger.carried(HOUSE) == 0
        assert ledger.carried(HOUSE, fund) == -2_160
