"""Execution of transactions: S' = W(S, T), each clause with its own refusal (SPEC section 12)."""

from dataclasses import replace

from wattle_wire import cose, uplink
from wattle_wire.errors import WireError

from wattle_gateway.contracts import chain as chain_rules
from wattle_gateway.contracts import classes, registry
from wattle_gateway.contracts.errors import ContractError
from wattle_gateway.contracts.registry import Meter, Revocation
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger import genesis, transaction
from wattle_gateway.ledger.crypto import Verify, load_public
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import FormatError, SignatureError
from wattle_gateway.ledger.genesis import Member
from wattle_gateway.ledger.transaction import Enrol, Transaction

# Who may put meters on the ledger and take them off: everybody who runs a site.
_REGISTRARS = (
    genesis.GRID_COMPANY,
    genesis.RETAILER,
    genesis.AGGREGATOR,
    genesis.ENERGY_SERVICE_COMPANY,
    genesis.LARGE_USER,
)
_ROLES = {transaction.ENROL: _REGISTRARS, transaction.REVOKE: _REGISTRARS}


class _RefusedError(ContractError):
    """Carries a refusal code to the one place that turns it into a verdict."""

    def __init__(self, code: int) -> None:
        super().__init__(classes.REFUSAL_NAMES[code])
        self.code = code


def originator(epoch: Epoch, kid: bytes) -> Member | None:
    """The party that signs under this kid, None if nobody does."""
    return epoch.party_of(kid)


def execute_transaction(
    state: State, tx: Transaction, party: Member, time_ms: int, epoch: Epoch, verify: Verify
) -> tuple[int, bytes | None]:
    """(verdict, kid of the meter it changed or None) of an authentic transaction of `party` whose
    nonce is the next of its lane.

    The nonce is consumed whatever the verdict; a refusal changes nothing else.
    """
    registry.put_next_nonce(state, party.kid, tx.lane, tx.nonce + 1)
    try:
        if tx.until_ms < time_ms:
            raise _RefusedError(classes.EXPIRED)
        if tx.kind not in _ROLES:
            raise _RefusedError(classes.KIND_UNKNOWN)
        if party.role not in _ROLES[tx.kind]:
            raise _RefusedError(classes.ROLE_NOT_ALLOWED)
        if tx.kind == transaction.ENROL:
            return classes.ACCEPTED, _enrol(state, tx, party, epoch, verify)
        return classes.ACCEPTED, _revoke(state, tx, party, time_ms)
    except FormatError:
        return classes.MALFORMED_BODY, None
    except _RefusedError as refusal:
        return refusal.code, None


def _enrol(state: State, tx: Transaction, party: Member, epoch: Epoch, verify: Verify) -> bytes:
    enrol = transaction.parse_enrol(tx.body)
    meter = _proved_meter(enrol, epoch.ledger_id, verify)
    if registry.meter(state, meter.kid) is not None:
        raise _RefusedError(classes.ALREADY_ENROLLED)
    if registry.holder_of_eui64(state, meter.eui64) is not None:
        raise _RefusedError(classes.EUI64_IN_USE)
    named = [enrol.home, *enrol.further, *(point.owner for point in enrol.points)]
    if any(originator(epoch, kid) is None for kid in named):
        raise _RefusedError(classes.MEMBER_UNKNOWN)
    if party.kid != enrol.home:
        raise _RefusedError(classes.APPROVAL_MISSING)
    registry.put_meter(state, meter)
    return meter.kid


def _proved_meter(enrol: Enrol, ledger_id: bytes, verify: Verify) -> Meter:
    """The meter that an enrol describes, once its proof of possession verifies."""
    try:
        proof = cose.parse_sign1("enrol", ledger_id, enrol.proof)
        content = uplink.decode_proof(proof.payload)
        eui64, signing_key, link_key, tls_key, first_seq, protection = content
        if proof.kid != cose.kid_of(signing_key):
            raise SignatureError("the proof is not signed by the key that it names")
        for public_key in (signing_key, link_key, tls_key):
            load_public(public_key)
        verify(signing_key, proof.digest, proof.signature)
    except (WireError, SignatureError) as error:
        raise _RefusedError(classes.PROOF_FAILS) from error
    return Meter(
        kid=proof.kid,
        eui64=eui64,
        signing_key=signing_key,
        link_key=link_key,
        tls_key=tls_key,
        first_seq=first_seq,
        protection=protection,
        site=enrol.site,
        home=enrol.home,
        further=enrol.further,
        carry=enrol.carry,
        points=enrol.points,
        revoked=None,
    )


def _revoke(state: State, tx: Transaction, party: Member, time_ms: int) -> bytes:
    revoke = transaction.parse_revoke(tx.body)
    meter = registry.meter(state, revoke.meter)
    if meter is None:
        raise _RefusedError(classes.METER_UNKNOWN)
    if meter.revoked is not None:
        raise _RefusedError(classes.ALREADY_REVOKED)
    chain = registry.chain(state, meter.kid, meter.first_seq)
    if revoke.last_seq < chain.final:
        raise _RefusedError(classes.LAST_SEQ_BELOW_FINAL)
    if party.kid != meter.home:
        raise _RefusedError(classes.APPROVAL_MISSING)
    registry.put_meter(state, replace(meter, revoked=Revocation(revoke.last_seq, time_ms)))
    if chain.gaps:
        registry.put_chain(state, meter.kid, chain_rules.close_gaps(chain))
    return meter.kid
