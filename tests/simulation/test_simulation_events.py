"""Simulated members call each other's loads: events come to their end whatever fails, and the
checker of money knows what is reserved for them."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger.account_bodies import Issue, Lock
from wattle_gateway.ledger.transaction import ISSUE, LOCK
from wattle_testkit.account_ledger import GRID, RETAIL
from wattle_testkit.event_ledger import EventLedger
from wattle_testkit.simulation.__main__ import told
from wattle_testkit.simulation.campaign import run_options
from wattle_testkit.simulation.checkers import ViolationError
from wattle_testkit.simulation.options import draw, trading
from wattle_testkit.simulation.payments import ASSET, check_money


def checked(ledger: EventLedger) -> None:
    driver = SimpleNamespace(state=ledger.state)
    check_money(SimpleNamespace(address="gateway", driver=driver))  # type: ignore[arg-type]


@pytest.mark.slow
def test_events_come_to_their_end_while_everything_fails() -> None:
    """As `make events` has it, of one short run: the other checks are those of every seed."""
    options = replace(trading(draw(10, 4)), faults_ms=60_000)
    result = run_options(options)
    assert result.failure is None, "\n" + told(result, events=True)
    assert result.tally is not None
    assert result.tally.events >= 10
    assert result.tally.final >= 1


def test_what_is_reserved_for_an_event_is_not_lost_and_what_is_not_is_seen() -> None:
    ledger = EventLedger()
    ledger.done(GRID, ISSUE, Issue(ASSET, 2, GRID.kid, 1_000).row())
    ledger.open(RETAIL, asset=ASSET)
    ledger.done(GRID, LOCK, Lock(ASSET, 30, RETAIL.kid, 0).row())
    event = ledger.event(ledger.publish(GRID, asset=ASSET, energy_price=0))
    assert event.reserved == 200
    checked(ledger)
    view = State(ledger.state)
    rows.put_event(view, replace(event, reserved=199))
    ledger.state.update({row: value for row, value in view.changes() if value is not None})
    with pytest.raises(ViolationError, match="230 locked, in 1 locks and 199"):
        checked(ledger)
