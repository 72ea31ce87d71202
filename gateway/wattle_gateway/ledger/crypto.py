"""Signatures: ECDSA over P-256 (SPEC sections 2 and 3), Ed25519 for checkpoints (section 16).

Everything but a checkpoint is signed over the SHA-256 of its Sig_structure, so the curve only
ever sees 32 bytes. ECDSA signatures are `r || s`, 64 bytes, low-S.
"""

from collections.abc import Callable
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

from wattle_gateway.ledger.errors import SignatureError

Sign = Callable[[bytes], bytes]
"""digest (32 bytes) -> signature (64 bytes, low-S)."""

Verify = Callable[[bytes, bytes, bytes], None]
"""(public key 65 bytes, digest 32 bytes, signature 64 bytes); raises SignatureError."""

PUBLIC_KEY_BYTES = 65
DIGEST_BYTES = 32
SIGNATURE_BYTES = 64
# Parsed key objects kept: every meter of a large substation, at about 1 kB each.
KEYS_CACHED_MAX = 4096

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # n, SEC 2 2.4.2
_HALF_ORDER = _ORDER // 2
_FIELD = 2**255 - 19  # p of edwards25519, RFC 8032 section 5.1
# y of the points whose order divides 8: under such a key anybody signs anything.
_SMALL_ORDER_Y = (
    0,
    1,
    _FIELD - 1,
    0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
)


@lru_cache(maxsize=KEYS_CACHED_MAX)
def load_public(public_65: bytes) -> ec.EllipticCurvePublicKey:
    """The key object of an uncompressed P-256 point (SEC 1 section 2.3.3).

    Raises SignatureError for any other form and for a point that is not on the curve.
    """
    if len(public_65) != PUBLIC_KEY_BYTES or public_65[0] != 4:
        raise SignatureError(
            f"public key of {len(public_65)} bytes, expected an uncompressed point of "
            f"{PUBLIC_KEY_BYTES}"
        )
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public_65)
    except ValueError as error:
        raise SignatureError("public key is not a point of P-256") from error


def verify(public_65: bytes, digest_32: bytes, signature_64: bytes) -> None:
    """Check one signature; returns nothing, raises SignatureError if it does not hold."""
    if len(digest_32) != DIGEST_BYTES or len(signature_64) != SIGNATURE_BYTES:
        raise SignatureError(
            f"digest of {len(digest_32)} and signature of {len(signature_64)} bytes, "
            f"expected {DIGEST_BYTES} and {SIGNATURE_BYTES}"
        )
    r = int.from_bytes(signature_64[:32], "big")
    s = int.from_bytes(signature_64[32:], "big")
    if not (0 < r < _ORDER and 0 < s <= _HALF_ORDER):
        raise SignatureError("signature is out of range or not low-S")
    try:
        load_public(public_65).verify(
            utils.encode_dss_signature(r, s), digest_32, ec.ECDSA(utils.Prehashed(hashes.SHA256()))
        )
    except InvalidSignature as error:
        raise SignatureError("signature does not verify under this key") from error


def check_ed25519(public_32: bytes) -> None:
    """Refuse an Ed25519 key of small order; verifiers do not agree about its signatures.

    Raises SignatureError. A key that is no point passes: nothing ever verifies under it.
    """
    y = int.from_bytes(public_32, "little") & ((1 << 255) - 1)  # without the sign of x
    if y % _FIELD in _SMALL_ORDER_Y:
        raise SignatureError("Ed25519 key is a point of small order")


def verify_ed25519(public_32: bytes, message: bytes, signature_64: bytes) -> None:
    """Check an Ed25519 signature of RFC 8032; raises SignatureError if it does not hold."""
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public_32).verify(signature_64, message)
    except (ValueError, InvalidSignature) as error:
        raise SignatureError("Ed25519 signature does not verify under this key") from error


def signer(private_key: ec.EllipticCurvePrivateKey) -> Sign:
    """A callable that signs digests with a P-256 key: RFC 6979 nonces, low-S."""
    assert isinstance(private_key.curve, ec.SECP256R1)
    algorithm = ec.ECDSA(utils.Prehashed(hashes.SHA256()), deterministic_signing=True)

    def sign(digest_32: bytes) -> bytes:
        r, s = utils.decode_dss_signature(private_key.sign(digest_32, algorithm))
        return r.to_bytes(32, "big") + min(s, _ORDER - s).to_bytes(32, "big")

    return sign


def public_of(private_key: ec.EllipticCurvePrivateKey) -> bytes:
    """The uncompressed point (65 bytes) of a private key."""
    numbers = private_key.public_key().public_numbers()
    return b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
