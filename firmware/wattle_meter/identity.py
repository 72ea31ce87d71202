"""Who a meter is: keys made at its first start, and the proof that it holds them."""

from wattle_wire import cose, p256, uplink

from wattle_meter import keys, reservation
from wattle_meter.board import Random, Store
from wattle_meter.journal import FIRST_SEQ
from wattle_meter.keys import KeyDamagedError, Keys


def keys_of(store: Store, random: Random) -> Keys:
    """The meter's keys; made now if this is its first start.

    Raises KeyDamagedError if they are damaged, or gone although this board has signed before:
    silently another meter is the last thing it may become. Raises OSError.
    """
    found = keys.load(store)
    if found is not None:
        return found
    if reservation.was_used(store):
        raise KeyDamagedError(
            "the board's store has no keys but has used sequence numbers: its keys were lost; "
            "enrol it anew with an empty store"
        )
    return keys.create(store, random.bytes)


def enrolment_proof(found: Keys, eui64: bytes, ledger_id: bytes, protection: str) -> bytes:
    """The signed proof of possession (SPEC section 7); `eui64` 8 bytes, `ledger_id` 16."""
    payload = uplink.encode_proof(
        eui64,
        found.signing.public,
        found.link.public,
        found.tls.public,
        FIRST_SEQ,
        protection,
    )
    digest = cose.digest("enrol", ledger_id, found.kid(), payload)
    return cose.sign1(found.kid(), payload, p256.sign(found.signing.private, digest))
