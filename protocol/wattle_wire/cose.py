"""COSE_Sign1 and COSE_Mac0 in the one form that SPEC section 3 allows.

This file knows no curve: a signer is anything that turns a 32-byte digest into a
64-byte signature (`wattle_wire.p256`, a library, a secure element), so that the
gateway can use a fast library and a board its own.
"""

import hashlib

from wattle_wire import cbor, mac
from wattle_wire.errors import MalformedError, SignatureError

# Every kind of signed or authenticated message; anything else is a typing error of ours.
SIGNED_KINDS = ("sample", "birth", "enrol", "block", "tx", "ready", "party", "peer", "update")
MAC_KINDS = ("ack", "cmd")

KID_BYTES = 8
LEDGER_ID_BYTES = 16
SIGNATURE_BYTES = 64
MAC_BYTES = 32

_SIGN1_HEAD = b"\xd2\x84"  # tag 18, array of 4
_ALG_ES256 = -7  # RFC 9053 section 2.1
_ALG_HMAC_256 = 5  # RFC 9053 section 3.1
_HALF_ORDER = bytes.fromhex(  # floor(n / 2) of P-256: s above it is the malleable twin
    "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8"
)


class Signed:
    """A parsed COSE_Sign1 whose signature nobody has verified yet.

    `kid` 8 bytes, `payload` bytes, `signature` 64 bytes (low-S, checked), `raw` the bytes
    it came as, `digest` the 32 bytes that were signed.
    """

    __slots__ = ("digest", "kid", "payload", "raw", "signature")

    def __init__(
        self, kid: bytes, payload: bytes, signature: bytes, raw: bytes, digest: bytes
    ) -> None:
        self.kid = kid
        self.payload = payload
        self.signature = signature
        self.raw = raw
        self.digest = digest


def kid_of(public_65: bytes) -> bytes:
    """Key id of an uncompressed P-256 point: first 8 bytes of its SHA-256 (SPEC section 2)."""
    return hashlib.sha256(public_65).digest()[:KID_BYTES]


def external_aad(kind: str, ledger_id: bytes) -> bytes:
    """What binds a message to its kind and ledger (SPEC section 3)."""
    assert kind in SIGNED_KINDS or kind in MAC_KINDS, kind
    assert len(ledger_id) == LEDGER_ID_BYTES
    return cbor.encode(["wattle/1/" + kind, ledger_id])


def digest(kind: str, ledger_id: bytes, kid: bytes, payload: bytes) -> bytes:
    """The digest (32 bytes) of a signed thing: SHA-256 of its Sig_structure (RFC 9052 4.4)."""
    protected = _protected(_ALG_ES256, kid)
    return _digest(protected, external_aad(kind, ledger_id), payload)


def sign1(kid: bytes, payload: bytes, signature: bytes) -> bytes:
    """The COSE_Sign1 of a payload, `signature` = 64 bytes r||s over its `digest`.

    Raises SignatureError for a signature that is not 64 bytes or not low-S.
    """
    _check_signature(signature)
    start = cbor.encode(_protected(_ALG_ES256, kid)) + b"\xa0" + cbor.bytes_head(len(payload))
    # In one piece, because the heap of a board that has run for long is in many.
    return b"".join((_SIGN1_HEAD, start, payload, cbor.encode(signature)))


def parse_sign1(kind: str, ledger_id: bytes, raw: bytes) -> Signed:
    """Take a COSE_Sign1 apart and compute its digest; the signature is NOT verified here.

    Raises MalformedError (or its kinds) if `raw` is not exactly the form of SPEC section 3,
    SignatureError if the signature is not low-S.
    """
    protected, payload, signature = _parts(raw, cbor.TAG_SIGN1)
    kid = _kid_in(protected, _ALG_ES256)
    _check_signature(signature)
    return Signed(
        kid, payload, signature, raw, _digest(protected, external_aad(kind, ledger_id), payload)
    )


def mac0(kind: str, ledger_id: bytes, kid: bytes, payload: bytes, key: bytes) -> bytes:
    """A COSE_Mac0 of `payload` under the 32-byte link key; `kid` is the gateway's link key id."""
    protected = _protected(_ALG_HMAC_256, kid)
    tag = mac.hmac_sha256(key, _mac_structure(protected, external_aad(kind, ledger_id), payload))
    return cbor.encode(cbor.Tag(cbor.TAG_MAC0, [protected, {}, payload, tag]))


def kid_of_mac0(raw: bytes) -> bytes:
    """The kid a COSE_Mac0 names, to choose the key by. Nothing is verified."""
    return _kid_in(_parts(raw, cbor.TAG_MAC0)[0], _ALG_HMAC_256)


def open_mac0(kind: str, ledger_id: bytes, raw: bytes, key: bytes) -> bytes:
    """The payload of a COSE_Mac0 that verifies under `key`.

    Raises MalformedError if it is not the form of SPEC section 3, MacError if it does not verify.
    """
    protected, payload, tag = _parts(raw, cbor.TAG_MAC0)
    _kid_in(protected, _ALG_HMAC_256)
    mac.verify(key, tag, _mac_structure(protected, external_aad(kind, ledger_id), payload))
    return payload


def link_key(shared_x: bytes, ledger_id: bytes, meter_kid: bytes, gateway_link_kid: bytes) -> bytes:
    """The 32-byte MAC key of a meter and a gateway from their ECDH secret (SPEC section 3)."""
    info = cbor.encode(["wattle/1/link", ledger_id, meter_kid, gateway_link_kid])
    return mac.hkdf_sha256(shared_x, b"", info, MAC_BYTES)


def _protected(alg: int, kid: bytes) -> bytes:
    assert len(kid) == KID_BYTES
    return cbor.encode({1: alg, 4: kid})


def _digest(protected: bytes, aad: bytes, payload: bytes) -> bytes:
    start = cbor.array_head(4) + cbor.encode("Signature1")
    start += cbor.encode(protected) + cbor.encode(aad) + cbor.bytes_head(len(payload))
    hashed = hashlib.sha256(start)
    hashed.update(payload)  # not copied: it may be a few kilobytes
    return hashed.digest()


def _mac_structure(protected: bytes, aad: bytes, payload: bytes) -> bytes:
    return cbor.encode(["MAC0", protected, aad, payload])


def _parts(raw: bytes, tag: int) -> tuple[bytes, bytes, bytes]:
    message = cbor.decode(raw)
    if not isinstance(message, cbor.Tag) or message.number != tag:
        raise MalformedError("not a COSE message with tag %d" % tag)
    body = message.value
    if not isinstance(body, list) or len(body) != 4:
        raise MalformedError("COSE body is not an array of 4")
    protected, unprotected, payload, proof = body
    if unprotected != {}:
        raise MalformedError("unprotected header is not an empty map")
    for part in (protected, payload, proof):
        if not isinstance(part, bytes):
            raise MalformedError("a part of the COSE message is not a byte string")
    return protected, payload, proof


def _kid_in(protected: bytes, alg: int) -> bytes:
    header = cbor.decode(protected)
    if not isinstance(header, dict) or len(header) != 2 or header.get(1) != alg:
        raise MalformedError("protected header is not {1: %d, 4: kid}" % alg)
    kid = header.get(4)
    if not isinstance(kid, bytes) or len(kid) != KID_BYTES:
        raise MalformedError("kid is not %d bytes" % KID_BYTES)
    return kid


def _check_signature(signature: bytes) -> None:
    if len(signature) != SIGNATURE_BYTES:
        raise SignatureError(
            "signature of %d bytes, expected %d" % (len(signature), SIGNATURE_BYTES)
        )
    if signature[32:] > _HALF_ORDER:
        raise SignatureError("s is above n/2: not the low-S form")
