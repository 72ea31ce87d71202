"""Execution of transactions: S' = W(S, T), each clause with its own refusal (SPEC section 12)."""

from collections.abc import Mapping
from typing import NamedTuple

from wattle_gateway.contracts import (
    alliance,
    changes,
    classes,
    enrolment,
    offering,
    payments,
    registry,
    waiting,
)
from wattle_gateway.contracts.errors import RefusedError
from wattle_gateway.contracts.events import transactions as event_transactions
from wattle_gateway.contracts.parties import OWNING_ROLES, Party
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.settlement import transactions as settlement_transactions
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger import account_bodies, genesis, offer_bodies, transaction
from wattle_gateway.ledger.epoch import EpochChange
from wattle_gateway.ledger.errors import FormatError
from wattle_gateway.ledger.transaction import Transaction

# Who brings users to the ledger: those who have customers.
HOSTING_ROLES = (genesis.RETAILER, genesis.AGGREGATOR, genesis.ENERGY_SERVICE_COMPANY)

# Who may send which kind. Whoever votes puts meters on the ledger, takes them off, changes the
# alliance and declares assets.
_ROLES_1: Mapping[int, tuple[int, ...]] = dict.fromkeys(
    (transaction.ENROL, transaction.REVOKE, transaction.CHANGE, transaction.APPROVE),
    genesis.VOTING_ROLES,
)
_ROLES_2: Mapping[int, tuple[int, ...]] = {
    **_ROLES_1,
    transaction.APPROVE: OWNING_ROLES,
    transaction.REGISTER: HOSTING_ROLES,
    transaction.OPEN: OWNING_ROLES,
    transaction.ISSUE: genesis.VOTING_ROLES,
    transaction.REDEEM: genesis.VOTING_ROLES,
    transaction.TRANSFER: OWNING_ROLES,
    transaction.LOCK: OWNING_ROLES,
    transaction.UNLOCK: OWNING_ROLES,
    transaction.ASSIGN: OWNING_ROLES,
    transaction.OFFER: OWNING_ROLES,
    transaction.RETRACT: OWNING_ROLES,
}
# Who buys adjustments: whoever runs the grid or sells energy, and an aggregator those of its users.
BUYING_ROLES = (genesis.GRID_COMPANY, genesis.RETAILER, genesis.AGGREGATOR)
_ROLES_3: Mapping[int, tuple[int, ...]] = {
    **_ROLES_2,
    transaction.PUBLISH: BUYING_ROLES,
    transaction.DECLARE: OWNING_ROLES,
    transaction.WITHDRAW: OWNING_ROLES,
    transaction.DISPATCH: BUYING_ROLES,
    transaction.CONTRACT: settlement_transactions.CONTRACT_ROLES,
    transaction.FUND: OWNING_ROLES,
    transaction.DISPUTE: OWNING_ROLES,
    transaction.ANSWER: OWNING_ROLES,
    transaction.DECIDE: settlement_transactions.DECIDING_ROLES,
    transaction.MOVE: genesis.VOTING_ROLES,
}
ROLES: Mapping[int, Mapping[int, tuple[int, ...]]] = {1: _ROLES_1, 2: _ROLES_2, 3: _ROLES_3}
"""Rules -> kind -> roles."""


class Effect(NamedTuple):
    """What a transaction did: its verdict, the kid of the meter that it changed, and what the
    next epoch is made of if it ended this one."""

    verdict: int
    meter: bytes | None = None
    ended: EpochChange | None = None


_DONE = Effect(classes.ACCEPTED)


def execute_transaction(state: State, tx: Transaction, party: Party, setting: Setting) -> Effect:
    """Execute an authentic transaction of `party` whose nonce is the next of its lane.

    The nonce is consumed whatever the verdict; a refusal changes nothing else, but that of an
    event's transaction, and some of its settlement's, are faults of their originator.
    """
    registry.put_next_nonce(state, party.kid, tx.lane, tx.nonce + 1)
    roles = ROLES[setting.epoch.rules]
    try:
        if tx.until_ms < setting.time_ms:
            raise RefusedError(classes.EXPIRED)
        if tx.kind not in roles:
            raise RefusedError(classes.KIND_UNKNOWN)
        if party.role not in roles[tx.kind]:
            raise RefusedError(classes.ROLE_NOT_ALLOWED)
        if tx.kind in (transaction.ENROL, transaction.REVOKE, transaction.CHANGE):
            return _registry_effect(state, tx, party, setting)
        if tx.kind == transaction.APPROVE:
            return _approve(state, tx, party, setting)
        if tx.kind in waiting.KINDS:
            return Effect(classes.ACCEPTED, waiting.send(state, tx, party, setting))
        if tx.kind in event_transactions.KINDS:
            event_transactions.execute(state, tx, party, setting)
        elif tx.kind in settlement_transactions.KINDS:
            settlement_transactions.execute(state, tx, party, setting)
        elif tx.kind == transaction.OFFER:
            offering.offer(state, tx, offer_bodies.parse_offer(tx.body), party, setting)
        elif tx.kind == transaction.RETRACT:
            offering.retract(state, offer_bodies.parse_retract(tx.body), party, setting)
        else:
            _pay(state, tx, party, setting)
        return _DONE
    except FormatError:
        code = classes.MALFORMED_BODY
    except RefusedError as refusal:
        code = refusal.code
    if tx.kind in roles and tx.kind in event_transactions.KINDS:
        event_transactions.refused(state, tx, party, code, setting)
    elif tx.kind in roles and tx.kind in settlement_transactions.CHARGED:
        settlement_transactions.refused(state, tx, party, code, setting)
    return Effect(code)


def _registry_effect(state: State, tx: Transaction, party: Party, setting: Setting) -> Effect:
    if tx.kind == transaction.ENROL:
        return Effect(classes.ACCEPTED, enrolment.enrol(state, tx, party, setting))
    if tx.kind == transaction.REVOKE:
        return Effect(classes.ACCEPTED, enrolment.revoke(state, tx, party, setting))
    return Effect(classes.ACCEPTED, ended=changes.propose(state, tx, party, setting))


def _approve(state: State, tx: Transaction, party: Party, setting: Setting) -> Effect:
    digest = transaction.parse_approve(tx.body).digest
    found = waiting.find(state, digest)
    if found is not None:
        return Effect(classes.ACCEPTED, waiting.approve(state, found, party, setting))
    change = changes.waiting(state, digest, setting)
    pending = alliance.pending_enrolment(state, digest) if change is None else None
    if change is None and pending is None:
        raise RefusedError(classes.NOTHING_WAITS)
    if party.role not in genesis.VOTING_ROLES:
        raise RefusedError(classes.ROLE_NOT_ALLOWED)
    if change is not None:
        return Effect(classes.ACCEPTED, ended=changes.approve(state, change, party, setting))
    assert pending is not None
    return Effect(classes.ACCEPTED, enrolment.approve(state, pending, party, setting))


def _pay(state: State, tx: Transaction, party: Party, setting: Setting) -> None:
    if tx.kind == transaction.OPEN:
        payments.open_account(state, account_bodies.parse_open(tx.body), party)
    elif tx.kind == transaction.REDEEM:
        payments.redeem(state, account_bodies.parse_redeem(tx.body), party)
    elif tx.kind == transaction.TRANSFER:
        payments.transfer(state, account_bodies.parse_transfer(tx.body), party)
    elif tx.kind == transaction.LOCK:
        payments.lock(state, account_bodies.parse_lock(tx.body), party, tx.digest)
    else:
        assert tx.kind == transaction.UNLOCK, tx.kind
        payments.unlock(state, account_bodies.parse_unlock(tx.body), party, setting.time_ms)
