"""Execution of `enrol`, its approval, and `revoke`: which meters the ledger knows (SPEC 12)."""

from dataclasses import replace

from wattle_wire import cose, uplink
from wattle_wire.errors import WireError

from wattle_gateway.contracts import alliance, classes, parties, registry, waiting
from wattle_gateway.contracts import chain as chain_rules
from wattle_gateway.contracts.alliance import PendingEnrolment
from wattle_gateway.contracts.errors import RefusedError
from wattle_gateway.contracts.parties import Party
from wattle_gateway.contracts.registry import Meter, Revocation
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.crypto import Verify, load_public
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import SignatureError
from wattle_gateway.ledger.genesis import ACCOUNT_RULES
from wattle_gateway.ledger.transaction import Enrol, Transaction


def enrol(state: State, tx: Transaction, party: Party, setting: Setting) -> bytes | None:
    """Enrol a meter at its home; gives its kid, None if it waits for an approval."""
    body = transaction.parse_enrol(tx.body)
    meter = _proved_meter(body, setting.epoch.ledger_id, setting.verify)
    _check_free(state, meter)
    _check_named(state, meter, setting.epoch)
    if party.kid != body.home:
        raise RefusedError(classes.APPROVAL_MISSING)
    if waiting.needs_another_role(party.role, setting.epoch):
        alliance.put_enrolment(state, PendingEnrolment(tx.digest, tx.until_ms, meter))
        return None
    registry.put_meter(state, meter)
    return meter.kid


def approve(state: State, pending: PendingEnrolment, party: Party, setting: Setting) -> bytes:
    """Carry out an enrolment that waits; gives the meter's kid."""
    if pending.until_ms < setting.time_ms:
        raise RefusedError(classes.EXPIRED)
    home = setting.epoch.party_of(pending.meter.home)
    if home is not None and home.role == party.role:
        raise RefusedError(classes.SAME_ROLE)
    _check_free(state, pending.meter)
    _check_named(state, pending.meter, setting.epoch)
    registry.put_meter(state, pending.meter)
    alliance.delete_enrolment(state, pending.digest)
    return pending.meter.kid


def revoke(state: State, tx: Transaction, party: Party, setting: Setting) -> bytes:
    """Revoke a meter; gives its kid."""
    body = transaction.parse_revoke(tx.body)
    meter = registry.meter(state, body.meter)
    if meter is None:
        raise RefusedError(classes.METER_UNKNOWN)
    if meter.revoked is not None:
        raise RefusedError(classes.ALREADY_REVOKED)
    chain = registry.chain(state, meter.kid, meter.first_seq)
    if body.last_seq < chain.final:
        raise RefusedError(classes.LAST_SEQ_BELOW_FINAL)
    # A meter whose home has left must not stay for ever.
    if party.kid != meter.home and setting.epoch.author_of(meter.home) is not None:
        raise RefusedError(classes.APPROVAL_MISSING)
    revocation = Revocation(body.last_seq, setting.time_ms)
    registry.put_meter(state, replace(meter, revoked=revocation))
    if chain.gaps:
        registry.put_chain(state, meter.kid, chain_rules.close_gaps(chain))
    return meter.kid


def _check_free(state: State, meter: Meter) -> None:
    if registry.meter(state, meter.kid) is not None:
        raise RefusedError(classes.ALREADY_ENROLLED)
    if registry.holder_of_eui64(state, meter.eui64) is not None:
        raise RefusedError(classes.EUI64_IN_USE)


def _check_named(state: State, meter: Meter, epoch: Epoch) -> None:
    if any(epoch.party_of(kid) is None for kid in (meter.home, *meter.further)):
        raise RefusedError(classes.MEMBER_UNKNOWN)
    # Rules 1 let observers own points, and know no party but members.
    owners = [parties.party(state, epoch, point.owner) for point in meter.points]
    for owner in owners:
        if owner is None or (epoch.rules >= ACCOUNT_RULES and not owner.owns):
            raise RefusedError(classes.MEMBER_UNKNOWN)


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
        raise RefusedError(classes.PROOF_FAILS) from error
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
