"""Execution of transactions: S' = W(S, T), each clause with its own refusal (SPEC section 12)."""

from typing import NamedTuple

from wattle_gateway.contracts import changes, classes, enrolment, registry
from wattle_gateway.contracts.errors import RefusedError
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger import genesis, transaction
from wattle_gateway.ledger.epoch import Epoch, EpochChange
from wattle_gateway.ledger.errors import FormatError
from wattle_gateway.ledger.genesis import Member
from wattle_gateway.ledger.transaction import Transaction

# Who may put meters on the ledger, take them off and change the alliance: whoever votes.
_ROLES = dict.fromkeys(
    (transaction.ENROL, transaction.REVOKE, transaction.CHANGE, transaction.APPROVE),
    genesis.VOTING_ROLES,
)


class Effect(NamedTuple):
    """What a transaction did: its verdict, the kid of the meter that it changed, and what the
    next epoch is made of if it ended this one."""

    verdict: int
    meter: bytes | None = None
    ended: EpochChange | None = None


def originator(epoch: Epoch, kid: bytes) -> Member | None:
    """The party that signs under this kid, None if nobody does."""
    return epoch.party_of(kid)


def execute_transaction(state: State, tx: Transaction, party: Member, setting: Setting) -> Effect:
    """Execute an authentic transaction of `party` whose nonce is the next of its lane.

    The nonce is consumed whatever the verdict; a refusal changes nothing else.
    """
    registry.put_next_nonce(state, party.kid, tx.lane, tx.nonce + 1)
    try:
        if tx.until_ms < setting.time_ms:
            raise RefusedError(classes.EXPIRED)
        if tx.kind not in _ROLES:
            raise RefusedError(classes.KIND_UNKNOWN)
        if party.role not in _ROLES[tx.kind]:
            raise RefusedError(classes.ROLE_NOT_ALLOWED)
        return _carry_out(state, tx, party, setting)
    except FormatError:
        return Effect(classes.MALFORMED_BODY)
    except RefusedError as refusal:
        return Effect(refusal.code)


def _carry_out(state: State, tx: Transaction, party: Member, setting: Setting) -> Effect:
    if tx.kind == transaction.ENROL:
        return Effect(classes.ACCEPTED, enrolment.enrol(state, tx, party, setting))
    if tx.kind == transaction.REVOKE:
        return Effect(classes.ACCEPTED, enrolment.revoke(state, tx, party, setting))
    if tx.kind == transaction.CHANGE:
        return Effect(classes.ACCEPTED, ended=changes.propose(state, tx, party, setting))
    digest = transaction.parse_approve(tx.body).digest
    change = changes.waiting(state, digest, setting)
    if change is not None:
        return Effect(classes.ACCEPTED, ended=changes.approve(state, change, party, setting))
    return Effect(classes.ACCEPTED, enrolment.approve(state, digest, party, setting))
