"""A signer of the same interface as P-256 that costs a hash.

The public keys are real points, since genesis and enrolment refuse anything else. A signature is
a hash of the public key and the digest: anybody could make one, but nobody in the simulator
does, save the member or meter whose key it is. So it proves as much here as ECDSA does outside.

One byte of a signature is not checked: anybody can make a second valid signature of a signed
thing. ECDSA without the low-S rule would allow that, and nothing but that rule may rest on it.
"""

from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256

from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.crypto import Sign
from wattle_gateway.ledger.errors import SignatureError

from wattle_testkit.alliance import private_key

# Of the 64 bytes of a signature, the first is free.
FREE_BYTE = 0


@lru_cache(maxsize=1024)
def public_key(name: str) -> bytes:
    """A point of P-256 (65 bytes) that depends on nothing but the name."""
    return crypto.public_of(private_key(name))


def checkpoint_key(name: str) -> bytes:
    """What stands for an Ed25519 public key (32 bytes)."""
    return sha256(f"{name} checkpoint".encode()).digest()


def signer(public: bytes) -> Sign:
    """Signs digests (32 bytes) as whoever has this public key."""
    return lambda digest_32: _signature(public, digest_32)


def verify(public: bytes, digest_32: bytes, signature_64: bytes) -> None:
    """As `crypto.verify`: raises SignatureError unless the signature is that of the key."""
    if signature_64[FREE_BYTE + 1 :] != _signature(public, digest_32)[FREE_BYTE + 1 :]:
        raise SignatureError("signature does not verify under this key")


def text_signer(public: bytes) -> Callable[[bytes], bytes]:
    """Signs texts of any length as whoever has this checkpoint key."""
    return lambda text: _signature(public, text)


def _signature(public: bytes, digest_32: bytes) -> bytes:
    """`r || s` with both small enough for the form that COSE messages are checked for."""
    half = sha256(public + digest_32).digest()[1:]
    return b"\0" + half + b"\0" + half
