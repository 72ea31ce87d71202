"""Execution of `fund`, `dispute`, `answer`, `decide` (SPEC section 12); `contract` is one of those
that wait (`contracts.waiting`)."""

from collections.abc import Mapping

from wattle_gateway.contracts import classes
from wattle_gateway.contracts.errors import RefusedError
from wattle_gateway.contracts.events import agenda
from wattle_gateway.contracts.events.agenda import Due, Step
from wattle_gateway.contracts.parties import Party
from wattle_gateway.contracts.reputation import conduct, fault_record
from wattle_gateway.contracts.reputation.fault_record import Shown
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.settlement import disputes, funds, parameters
from wattle_gateway.contracts.state import State
from wattle_gateway.contracts.weights import ERROR
from wattle_gateway.ledger import genesis, settlement_bodies, transaction
from wattle_gateway.ledger.transaction import Transaction

KINDS = (transaction.FUND, transaction.DISPUTE, transaction.ANSWER, transaction.DECIDE)
# Who buys adjustments, and who hosts those who sell them.
CONTRACT_ROLES = (
    genesis.GRID_COMPANY,
    genesis.RETAILER,
    genesis.AGGREGATOR,
    genesis.ENERGY_SERVICE_COMPANY,
)
# Who decides: the grid, and who watches the market.
DECIDING_ROLES = (genesis.GRID_COMPANY, genesis.OBSERVER)
# Refusals that cost their sender a fault (D14): nobody else's commit and no passing of time can
# have brought them about, since what they ask for stays true once it is. A body's form, whom it
# names as the other side, who is a side, which loads were selected and how many intervals there are
# never change; assets and accounts never go. All others may have been right when they were sent.
CHARGED: Mapping[int, frozenset[int]] = {
    transaction.CONTRACT: frozenset(
        {classes.MALFORMED_BODY, classes.ASSET_UNKNOWN, classes.TO_ITSELF}
    ),
    transaction.FUND: frozenset(
        {classes.MALFORMED_BODY, classes.ASSET_UNKNOWN, classes.ACCOUNT_UNKNOWN}
    ),
    transaction.DISPUTE: frozenset(
        {
            classes.MALFORMED_BODY,
            classes.NOT_SELECTED,
            classes.INTERVAL_UNKNOWN,
            classes.NOT_A_SIDE,
        }
    ),
    transaction.ANSWER: frozenset({classes.MALFORMED_BODY, classes.NOT_A_SIDE}),
    transaction.DECIDE: frozenset({classes.MALFORMED_BODY, classes.SIDE_DECIDES}),
}


def execute(state: State, tx: Transaction, party: Party, setting: Setting) -> None:
    """Execute a transaction of one of KINDS. Raises RefusedError, for a malformed body
    FormatError."""
    time_ms = setting.time_ms
    if tx.kind == transaction.FUND:
        _fund(state, tx, party, setting)
    elif tx.kind == transaction.DISPUTE:
        body = settlement_bodies.parse_dispute(tx.body)
        disputes.open_dispute(state, body, tx.digest, party, time_ms)
    elif tx.kind == transaction.ANSWER:
        disputes.answer(state, settlement_bodies.parse_answer(tx.body), party, time_ms)
    else:
        assert tx.kind == transaction.DECIDE, tx.kind
        _decide(state, tx, party, time_ms)


def refused(state: State, tx: Transaction, party: Party, code: int, setting: Setting) -> None:
    """A transaction of one of the kinds in CHARGED was refused: only what nobody honest sends is a
    fault of its originator."""
    market = setting.epoch.constants.market
    assert market is not None, "settlement is of rules 3"
    if code in CHARGED[tx.kind]:
        shown = Shown(fault_record.TRANSACTION, tx.digest, setting.index)
        conduct.charge(state, market, party.kid, ERROR, shown, setting.time_ms)


def _fund(state: State, tx: Transaction, party: Party, setting: Setting) -> None:
    body = settlement_bodies.parse_fund(tx.body)
    if not agenda.has_room(state, 1):
        raise RefusedError(classes.EVENTS_FULL)
    funds.fill(state, body, tx.digest, party, setting)
    agenda.add(state, Due(body.until_ms + 1, Step.RELEASE, tx.digest))


def _decide(state: State, tx: Transaction, party: Party, time_ms: int) -> None:
    """An event that has waited for it past its dispute window may be over now."""
    body = settlement_bodies.parse_decide(tx.body)
    event = disputes.decide(state, body, party, time_ms)
    if time_ms >= event.end_ms + parameters.market_of(state, event).dispute_ms:
        agenda.drop(state, event.digest)
        agenda.add(state, Due(time_ms, Step.FINALISE, event.digest))
