"""Private keys in files, and the three things the gateway does with them: sign, agree, name.

Signatures leave here as SPEC section 2 wants them (r || s, low-S, deterministic nonce) and
nothing but `wattle_wire` and plain bytes crosses the border, so that only this package knows
the library.
"""

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from wattle_wire import cose
from wattle_wire.errors import PointError, SignatureError

from wattle_gateway.errors import HomeError

SIGNATURE_BYTES = 64
PRIVATE_FILE_MODE = 0o600

# SEC 2 section 2.4.2: order of the base point of secp256r1
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_PREHASHED = ec.ECDSA(Prehashed(SHA256()))
_PREHASHED_RFC6979 = ec.ECDSA(Prehashed(SHA256()), deterministic_signing=True)

PublicKey = ec.EllipticCurvePublicKey
PrivateKey = ec.EllipticCurvePrivateKey
CheckpointKey = ed25519.Ed25519PrivateKey


def new_p256() -> PrivateKey:
    """A new P-256 pair from the host's random source."""
    return ec.generate_private_key(ec.SECP256R1())


def new_ed25519() -> CheckpointKey:
    """A new Ed25519 pair from the host's random source."""
    return ed25519.Ed25519PrivateKey.generate()


def point_of(key: PrivateKey | PublicKey) -> bytes:
    """The uncompressed point (65 bytes) of a pair or a public key."""
    public = key.public_key() if isinstance(key, ec.EllipticCurvePrivateKey) else key
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def checkpoint_public(key: CheckpointKey) -> bytes:
    """The 32 bytes of an Ed25519 public key (RFC 8032 section 5.1.5)."""
    return key.public_key().public_bytes_raw()


def public_key(point: bytes) -> PublicKey:
    """The key of an uncompressed point; PointError unless it lies on P-256."""
    if len(point) != 65 or point[0] != 4:
        raise PointError("public key is not an uncompressed point of 65 bytes")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError as error:
        raise PointError("public key is not a point of P-256") from error


def sign(key: PrivateKey, digest: bytes) -> bytes:
    """The signature (64 bytes, low-S, RFC 6979 nonce) of a 32-byte digest."""
    r, s = decode_dss_signature(key.sign(digest, _PREHASHED_RFC6979))
    if s > _ORDER // 2:
        s = _ORDER - s
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def verify(key: PublicKey, digest: bytes, signature: bytes) -> None:
    """Raise SignatureError unless `signature` (64 bytes, checked low-S by cose) is one of `digest`.

    Releases the GIL while OpenSSL works, so threads use all cores.
    """
    r = int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:], "big")
    try:
        key.verify(encode_dss_signature(r, s), digest, _PREHASHED)
    except InvalidSignature as error:
        raise SignatureError("the signature does not verify under this key") from error


def sign_message(key: PrivateKey, kind: str, ledger_id: bytes, payload: bytes) -> bytes:
    """A whole COSE_Sign1 of `payload` by `key` (SPEC section 3)."""
    kid = cose.kid_of(point_of(key))
    return cose.sign1(kid, payload, sign(key, cose.digest(kind, ledger_id, kid, payload)))


def shared_x(key: PrivateKey, point: bytes) -> bytes:
    """The 32-byte ECDH secret of our pair and another's point; PointError if it is no point."""
    return key.exchange(ec.ECDH(), public_key(point))


def save_private(path: Path, key: PrivateKey | CheckpointKey) -> None:
    """Write a new PEM file (PKCS 8, mode 0600); an existing file is never overwritten."""
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())


def load_p256(path: Path) -> PrivateKey:
    """The P-256 pair in a PEM file; HomeError names the file and what is wrong."""
    key = _load(path)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise HomeError(f"{path}: expected a P-256 private key")
    return key


def load_ed25519(path: Path) -> CheckpointKey:
    """The Ed25519 pair in a PEM file; HomeError names the file and what is wrong."""
    key = _load(path)
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise HomeError(f"{path}: expected an Ed25519 private key")
    return key


def fingerprint(data: bytes) -> str:
    """SHA-256 in hex, as people compare it."""
    return hashlib.sha256(data).hexdigest()


def _load(path: Path) -> object:
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise HomeError(f"{path}: cannot read the key: {error.strerror}") from error
    try:
        return load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise HomeError(f"{path}: not a private key in PEM form") from error
