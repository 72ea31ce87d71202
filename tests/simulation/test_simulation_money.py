"""The checker of money sees what is missing, what is too much, and a lock that is nobody's."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from wattle_gateway.contracts import accounts
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.account_bodies import Lock
from wattle_testkit.account_ledger import GRID, RETAIL, AccountLedger
from wattle_testkit.simulation.checkers import ViolationError
from wattle_testkit.simulation.payments import check_money


def checked(ledger: AccountLedger) -> None:
    driver = SimpleNamespace(state=ledger.state)
    check_money(SimpleNamespace(address="gateway", driver=driver))  # type: ignore[arg-type]


@pytest.fixture
def ledger() -> AccountLedger:
    made = AccountLedger()
    checked(made)
    made.declare()
    made.open(RETAIL)
    made.done(GRID, transaction.LOCK, Lock("CNY", 30, RETAIL.kid, 0).row())
    checked(made)
    return made


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"unlocked": 971}, "1001 in accounts, issued 1000 less 0"),
        ({"unlocked": 969}, "999 in accounts"),
        ({"unlocked": 971, "locked": 29}, "29 locked, in 1 locks"),
        ({"locks": 2}, "30 locked, in 1 locks"),
    ],
)
def test_what_does_not_add_up_is_seen(
    ledger: AccountLedger, change: dict[str, int], said: str
) -> None:
    view = State(ledger.state)
    account = accounts.account(ledger.state, GRID.kid, "CNY")
    assert account is not None
    accounts.put_account(view, replace(account, **change))
    for row, value in view.changes():
        assert value is not None
        ledger.state[row] = value
    with pytest.raises(ViolationError, match=said):
        checked(ledger)
