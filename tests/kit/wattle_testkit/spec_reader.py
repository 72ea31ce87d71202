"""SPEC read once more, with cbor2, hashlib and ecdsa: nothing of ours is used here.

What our encoder and our decoder would misread alike, this reader does not.
"""

import hashlib
from typing import Any

import cbor2
import ecdsa


def sha256(*parts: bytes) -> bytes:
    """The hash of everything in SPEC."""
    return hashlib.sha256(b"".join(parts)).digest()


def tree_root(items: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, written as the RFC defines it."""
    if not items:
        return sha256()
    if len(items) == 1:
        return sha256(b"\x00", items[0])
    split = 1
    while split * 2 < len(items):
        split *= 2
    return sha256(b"\x01", tree_root(items[:split]), tree_root(items[split:]))


def opened(kind: str, ledger_id: bytes, message: bytes, public: bytes) -> tuple[Any, bytes]:
    """(payload, digest) of a COSE_Sign1 whose signature verifies under `public` (SPEC 3)."""
    protected, unprotected, payload, signature = cbor2.loads(message).value
    assert cbor2.loads(protected) == {1: -7, 4: sha256(public)[:8]}
    assert unprotected == {}
    aad = cbor2.dumps([f"wattle/1/{kind}", ledger_id])
    structure = cbor2.dumps(["Signature1", protected, aad, payload])
    key = ecdsa.VerifyingKey.from_string(public, ecdsa.NIST256p)
    assert key.verify(signature, structure, hashlib.sha256)
    return cbor2.loads(payload), sha256(structure)


def epoch_digest(ledger_id: bytes, number: int, last: bytes, made_of: list[Any]) -> bytes:
    """SPEC section 9; `made_of` = members, rules, constants as decoded."""
    return sha256(cbor2.dumps(["wattle/1/epoch", ledger_id, number, last, *made_of]))
