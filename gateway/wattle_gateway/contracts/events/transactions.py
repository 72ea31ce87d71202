"""Which transaction of an event is executed by what, and what a refused one costs (D14)."""

from wattle_gateway.contracts import classes, weights
from wattle_gateway.contracts.baseline import rule_form
from wattle_gateway.contracts.events import confirming, declaring, ordering, publishing
from wattle_gateway.contracts.parties import Party
from wattle_gateway.contracts.reputation import conduct, fault_record
from wattle_gateway.contracts.reputation.fault_record import Shown
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger import event_bodies, transaction
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.transaction import Transaction

KINDS = (
    transaction.PUBLISH,
    transaction.DECLARE,
    transaction.WITHDRAW,
    transaction.DISPATCH,
)
# A realtime event is its own order.
_ORDERING = (transaction.PUBLISH, transaction.DISPATCH)
# A refusal that says more than that somebody erred.
_FAULTS = {
    classes.ABOVE_CAPACITY: weights.DECLARED_ABOVE_RATING,
}


def execute(state: State, tx: Transaction, party: Party, setting: Setting) -> None:
    """Execute a transaction of one of KINDS. Raises RefusedError, for a malformed body
    FormatError."""
    market = _market(setting)
    if tx.kind == transaction.PUBLISH:
        publish = event_bodies.parse_publish(tx.body)
        rule_form.decode(publish.rule)
        publishing.publish(state, publish, tx.digest, party, market, setting)
    elif tx.kind == transaction.DECLARE:
        declare = event_bodies.parse_declare(tx.body)
        declaring.declare(state, declare, tx.digest, party, market, setting)
    elif tx.kind == transaction.WITHDRAW:
        withdraw = event_bodies.parse_withdraw(tx.body)
        declaring.withdraw(state, withdraw, party, setting)
    else:
        assert tx.kind == transaction.DISPATCH, tx.kind
        dispatch = event_bodies.parse_dispatch(tx.body)
        ordering.dispatch(state, dispatch, tx.digest, party, setting)


def refused(state: State, tx: Transaction, party: Party, code: int, setting: Setting) -> None:
    """A transaction of one of KINDS was refused: its originator is charged with a fault."""
    fault = _FAULTS.get(code, weights.ERROR)
    if code == classes.SELF_DEALING and _declares_to_itself(state, tx, party):
        fault = weights.SELF_DEALING
    shown = Shown(fault_record.TRANSACTION, tx.digest, setting.index)
    conduct.charge(state, _market(setting), party.kid, fault, shown, setting.time_ms)
    came_to_nothing(state, tx, setting)


def came_to_nothing(state: State, tx: Transaction, setting: Setting) -> None:
    """An authentic transaction had no effect: if it would have been an order, some gateway may
    have acted on it already."""
    if tx.kind in _ORDERING and setting.epoch.constants.market is not None:
        confirming.came_to_nothing(state, tx.digest, tx.kid)


def _declares_to_itself(state: State, tx: Transaction, party: Party) -> bool:
    """Whether who sells is who buys; a user that answers its own host's event is no cheat."""
    event = declaring.event_of(state, event_bodies.parse_declare(tx.body).event)
    return event.publisher == party.kid


def _market(setting: Setting) -> Market:
    market = setting.epoch.constants.market
    assert market is not None, "events are of rules 3"
    return market
