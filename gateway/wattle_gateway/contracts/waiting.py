"""What needs a second party's yes: `register`, the first `issue` of an asset, `assign`, `contract`,
`move` (SPEC 12).

Such a transaction is checked in full when it is sent, and again, as its originator's, when the
other party approves it: what it found true may have changed in between.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from wattle_wire import cbor, cose, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts import accounts, classes, moving, ownership, parties, payments
from wattle_gateway.contracts.errors import RefusedError, StateError
from wattle_gateway.contracts.parties import Party
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.settlement import agreements
from wattle_gateway.contracts.state import State, key, keys_beginning, prefix
from wattle_gateway.ledger import (
    account_bodies,
    genesis,
    move_body,
    settlement_bodies,
    transaction,
)
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.transaction import DIGEST_BYTES, Transaction

KINDS = (
    transaction.REGISTER,
    transaction.ISSUE,
    transaction.ASSIGN,
    transaction.CONTRACT,
    transaction.MOVE,
)
# Here one party is asked by name, whatever its role.
_NAMED = (transaction.ASSIGN, transaction.CONTRACT)


@dataclass(frozen=True)
class Waiting:
    """A transaction that waits until `until_ms`; `origin` kid of who sent it, `body` as it stands
    in the transaction."""

    digest: bytes
    until_ms: int
    origin: bytes
    kind: int
    body: object


def find(state: Rows, digest: bytes) -> Waiting | None:
    """What waits under the digest of its transaction, or None. Raises StateError."""
    value = state.get(key("waiting", digest))
    return None if value is None else _decode(digest, value)


def everything(state: Mapping[bytes, bytes]) -> list[Waiting]:
    """All that waits, expired ones too, by rising digest."""
    begin = prefix("waiting", 1)
    rows = keys_beginning(state, begin)
    return [_decode(row[-DIGEST_BYTES:], state[row]) for row in rows]


def may_approve(state: Rows, waiting: Waiting, epoch: Epoch, kid: bytes) -> bool:
    """Whether the party with this kid is one who is asked."""
    party = parties.party(state, epoch, kid)
    origin = parties.party(state, epoch, waiting.origin)
    if party is None or origin is None:
        return False
    try:
        _check_approver(waiting, origin, party)
    except RefusedError:
        return False
    return True


def send(state: State, tx: Transaction, party: Party, setting: Setting) -> bytes | None:
    """Execute a transaction of one of KINDS: it waits, or needs nobody's yes and is done. Gives the
    kid of the meter that it changed, if any.

    Raises RefusedError or, for a malformed body, FormatError.
    """
    if _needs_approval(state, tx, party, setting.epoch):
        _check(state, tx.kind, tx.body, party, setting)
        row = [tx.until_ms, party.kid, tx.kind, tx.body]
        state.put(key("waiting", tx.digest), cbor.encode(row))
        return None
    return _carry_out(state, tx.kind, tx.body, party, setting)


def approve(state: State, waiting: Waiting, party: Party, setting: Setting) -> bytes | None:
    """Carry out what waits, with the yes of `party`; gives as `send`. Raises RefusedError."""
    if waiting.kind not in _NAMED and party.role not in genesis.VOTING_ROLES:
        raise RefusedError(classes.ROLE_NOT_ALLOWED)
    if waiting.until_ms < setting.time_ms:
        raise RefusedError(classes.EXPIRED)
    origin = parties.party(state, setting.epoch, waiting.origin)
    if origin is None:
        raise RefusedError(classes.MEMBER_UNKNOWN)
    _check_approver(waiting, origin, party)
    meter = _carry_out(state, waiting.kind, waiting.body, origin, setting)
    state.delete(key("waiting", waiting.digest))
    return meter


def _needs_approval(state: State, tx: Transaction, party: Party, epoch: Epoch) -> bool:
    if tx.kind in _NAMED:
        return True
    if tx.kind == transaction.MOVE:
        body = move_body.parse_move(tx.body)
        if body.home != party.kid:
            return True
        if moving.keeps_home(state, body):
            return False
    if tx.kind == transaction.ISSUE:
        declared = accounts.asset(state, account_bodies.parse_issue(tx.body).asset)
        if declared is not None:
            return False
    return needs_another_role(party.role, epoch)


def needs_another_role(role: int, epoch: Epoch) -> bool:
    """Whether somebody of another interest than this role's has to agree, and there is one."""
    return epoch.constants.enrol_approvals > 1 and any(
        member.role != role for member in epoch.members
    )


def _check_approver(waiting: Waiting, origin: Party, party: Party) -> None:
    asked = _asked(waiting)
    if asked is not None:
        if party.kid != asked:
            raise RefusedError(classes.NOT_ASKED)
    elif party.role not in genesis.VOTING_ROLES:
        raise RefusedError(classes.ROLE_NOT_ALLOWED)
    elif party.role == origin.role:
        raise RefusedError(classes.SAME_ROLE)


def _asked(waiting: Waiting) -> bytes | None:
    """The kid of the one party who is asked by name, None where a role is asked."""
    if waiting.kind == transaction.ASSIGN:
        return account_bodies.parse_assign(waiting.body).owner
    if waiting.kind == transaction.CONTRACT:
        return settlement_bodies.parse_contract(waiting.body).other
    if waiting.kind == transaction.MOVE:
        home = move_body.parse_move(waiting.body).home
        return None if home == waiting.origin else home
    return None


def _check(state: State, kind: int, body: object, party: Party, setting: Setting) -> None:
    if kind == transaction.REGISTER:
        parties.check_register(state, account_bodies.parse_register(body), party, setting)
    elif kind == transaction.ISSUE:
        payments.check_issue(state, account_bodies.parse_issue(body), party)
    elif kind == transaction.CONTRACT:
        contract = settlement_bodies.parse_contract(body)
        agreements.check_contract(state, contract, party, setting)
    elif kind == transaction.MOVE:
        moving.check_move(state, move_body.parse_move(body), party, setting)
    else:
        ownership.check_assign(state, account_bodies.parse_assign(body), party, setting)


def _carry_out(
    state: State, kind: int, body: object, party: Party, setting: Setting
) -> bytes | None:
    if kind == transaction.MOVE:
        return moving.move(state, move_body.parse_move(body), party, setting)
    if kind == transaction.REGISTER:
        parties.register(state, account_bodies.parse_register(body), party, setting)
    elif kind == transaction.ISSUE:
        payments.issue(state, account_bodies.parse_issue(body), party)
    elif kind == transaction.CONTRACT:
        agreements.contract(state, settlement_bodies.parse_contract(body), party, setting)
    else:
        ownership.assign(state, account_bodies.parse_assign(body), party, setting)
    return None


def _decode(digest: bytes, value: bytes) -> Waiting:
    try:
        row = structure.array(cbor.decode(value), 4, "waiting")
        kind = structure.uint(row[2], "kind")
        if kind not in KINDS:
            raise StateError(f"waiting {digest.hex()}: kind {kind}, expected one of {KINDS}")
        origin = structure.octets(row[1], cose.KID_BYTES, "originator")
        return Waiting(digest, structure.uint(row[0], "until_ms"), origin, kind, row[3])
    except WireError as error:
        raise StateError(f"waiting {digest.hex()}: {error}") from error
