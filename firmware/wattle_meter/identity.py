"""Who a meter is: keys made at its first start, and the proof that it holds them."""

from wattle_wire import cose, uplink_writer

from wattle_meter import keys, reservation
from wattle_meter.board import Random, Store
from wattle_meter.journal import FIRST_SEQ
from wattle_meter.keys import KeyDamagedError, Keys
from wattle_meter.signer import Signer


def keys_of(store: Store, random: Random) -> Keys:
    """The meter's keys; made now if this is its first start.

    Raises KeyDamagedError if they are damaged, or gone although this board has signed before:
    silently another meter is the last thing it may become; or if they are there but the record
    of used seqs is not: a second sample of one seq is a forgery in everybody's eyes. Raises
    OSError.
    """
    found = keys.load(store)
    if found is not None:
        if not reservation.has_begun(store):
            raise KeyDamagedError(
                "the board's store has keys but no record of the sequence numbers used with "
                "them; restore it, or enrol this meter anew with an empty store"
            )
        return found
    if reservation.was_used(store, FIRST_SEQ):
        raise KeyDamagedError(
            "the board's store has no keys but has used sequence numbers: its keys were lost; "
            "enrol it anew with an empty store"
        )
    reservation.begin(store, FIRST_SEQ)
    return keys.create(store, random.bytes)


def enrolment_proof(
    found: Keys, signer: Signer, eui64: bytes, ledger_id: bytes, protection: str
) -> bytes:
    """The signed proof of possession (SPEC section 7); `eui64` 8 bytes, `ledger_id` 16."""
    payload = uplink_writer.encode_proof(
        eui64,
        signer.public,
        found.link.public,
        found.tls.public,
        FIRST_SEQ,
        protection,
    )
    digest = cose.digest("enrol", ledger_id, signer.kid, payload)
    *_, signature = signer.steps(digest)
    assert signature is not None
    return cose.sign1(signer.kid, payload, signature)
