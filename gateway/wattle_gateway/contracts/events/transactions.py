"""Which transaction of an event is executed by what, and what a refused one costs (D14)."""

from collections.abc import Mapping

from wattle_gateway.contracts import classes, offering, weights
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
# A meter stays enrolled with its points for ever, so who names another one never was right.
_NO_POINT = frozenset({classes.METER_UNKNOWN, classes.POINT_UNKNOWN})
# Refusals that cost their sender a fault (D14), by the rule of `settlement.transactions.CHARGED`:
# nobody else's commit and no passing of time can have brought them about. What depends on offers,
# owners, contracts, reputations, balances, the selection or the market's parameters may have been
# right when it was sent.
CHARGED: Mapping[int, frozenset[int]] = {
    transaction.PUBLISH: frozenset(
        {
            classes.MALFORMED_BODY,
            classes.NOTICE_SHORT,
            classes.ASSET_UNKNOWN,
            classes.ACCOUNT_UNKNOWN,
            classes.FUND_UNKNOWN,
            classes.NOT_THE_SPENDER,
            classes.FUND_ASSET,
            classes.FUND_METHOD,
            classes.FUND_AREA,
            classes.FUND_DIRECTION,
            classes.FUND_AVAILABILITY_PRICE,
            classes.FUND_ENERGY_PRICE,
        }
    ),
    transaction.DECLARE: _NO_POINT
    | {
        classes.MALFORMED_BODY,
        classes.QUOTAS_MISCOUNTED,
        classes.PRICE_NOT_ASKED,
        classes.SELF_DEALING,
        classes.ABOVE_CAPACITY,
    },
    transaction.WITHDRAW: _NO_POINT | {classes.MALFORMED_BODY},
    transaction.DISPATCH: frozenset({classes.MALFORMED_BODY, classes.NOT_THE_PUBLISHER}),
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
    """A transaction of one of KINDS was refused: only what nobody honest sends is a fault of its
    originator."""
    fault = _fault(state, tx, party, code)
    if fault is not None:
        shown = Shown(fault_record.TRANSACTION, tx.digest, setting.index)
        conduct.charge(state, _market(setting), party.kid, fault, shown, setting.time_ms)
    came_to_nothing(state, tx, setting)


def came_to_nothing(state: State, tx: Transaction, setting: Setting) -> None:
    """An authentic transaction had no effect: if it would have been an order, some gateway may
    have acted on it already."""
    if tx.kind in _ORDERING and setting.epoch.constants.market is not None:
        confirming.came_to_nothing(state, tx.digest, tx.kid)


def _fault(state: State, tx: Transaction, party: Party, code: int) -> str | None:
    """What a refusal is charged as, None for one that may have been right when it was sent."""
    if code not in CHARGED[tx.kind]:
        return None
    if code == classes.SELF_DEALING:
        return weights.SELF_DEALING if _declares_to_itself(state, tx, party) else None
    if code == classes.ABOVE_CAPACITY:
        return weights.DECLARED_ABOVE_RATING if _is_above_registry(state, tx) else None
    return weights.ERROR


def _declares_to_itself(state: State, tx: Transaction, party: Party) -> bool:
    """Whether who sells is who buys; a user that answers its own host's event is no cheat."""
    event = declaring.event_of(state, event_bodies.parse_declare(tx.body).event)
    return event.publisher == party.kid


def _is_above_registry(state: State, tx: Transaction) -> bool:
    """Whether more is declared than the point can adjust, which never changes. What it offers the
    owner and its host may each have changed a moment before the other declared."""
    body = event_bodies.parse_declare(tx.body)
    _, point = offering.point_of(state, body.meter, body.device)
    return max(body.quotas_w) > min(point.capacity_w, point.rating_w)


def _market(setting: Setting) -> Market:
    market = setting.epoch.constants.market
    assert market is not None, "events are of rules 3"
    return market
