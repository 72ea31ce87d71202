"""Private keys: made, kept in files, read again; and the secret that two of them agree on."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from wattle_gateway.errors import HomeError
from wattle_gateway.ledger import crypto

PRIVATE_FILE_MODE = 0o600

PublicKey = ec.EllipticCurvePublicKey
PrivateKey = ec.EllipticCurvePrivateKey
CheckpointKey = ed25519.Ed25519PrivateKey


def new_p256() -> PrivateKey:
    """A new P-256 pair from the host's random source."""
    return ec.generate_private_key(ec.SECP256R1())


def new_ed25519() -> CheckpointKey:
    """A new Ed25519 pair from the host's random source."""
    return ed25519.Ed25519PrivateKey.generate()


def checkpoint_public(key: CheckpointKey) -> bytes:
    """The 32 bytes of an Ed25519 public key (RFC 8032 section 5.1.5)."""
    return key.public_key().public_bytes_raw()


def shared_x(key: PrivateKey, point: bytes) -> bytes:
    """The 32-byte ECDH secret of our pair and another's point; SignatureError if it is no point."""
    return key.exchange(ec.ECDH(), crypto.load_public(point))


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


def _load(path: Path) -> object:
    try:
        pem = path.read_bytes()
    except OSError as error:
        raise HomeError(f"{path}: cannot read the key: {error.strerror}") from error
    try:
        return load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise HomeError(f"{path}: not a private key in PEM form") from error
