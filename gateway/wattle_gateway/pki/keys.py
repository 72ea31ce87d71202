"""Private keys: made, kept in files, read again; and the secret that two of them agree on.

In a sealed folder the files are encrypted PKCS 8 (RFC 5958, PBES2 with AES-256-CBC), whose password
is a random key of the keyring: `openssl pkcs8` and every TLS library read that form.
"""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from wattle_gateway.errors import HomeError
from wattle_gateway.ledger import crypto
from wattle_gateway.sealing import ring as rings

PRIVATE_FILE_MODE = 0o600
_ENCRYPTED = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"

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
    """Write a new PEM file (PKCS 8, mode 0600), encrypted if its folder is sealed; an existing
    file is never overwritten. Raises OSError, StorageKeyError."""
    pem = private_pem(key, _password(path))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())


def private_pem(key: PrivateKey | CheckpointKey, password: bytes | None) -> bytes:
    """A private key in PEM form, encrypted under the password if there is one."""
    encryption: KeySerializationEncryption = NoEncryption()
    if password is not None:
        encryption = BestAvailableEncryption(password)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def is_encrypted(path: Path) -> bool:
    """Whether a key file is of no use without the storage key. HomeError if it cannot be read."""
    return _ENCRYPTED in _read(path)


def password_of(path: Path) -> bytes | None:
    """What opens a key file, for libraries that read it themselves; None for a plain one.

    Raises HomeError, StorageKeyError.
    """
    if not is_encrypted(path):
        return None
    password = _password(path)
    if password is None:
        raise HomeError(
            f"{path}: encrypted, and {rings.NAME} of its folder is gone; restore it from a backup"
        )
    return password


def load_plain_pem(path: Path) -> bytes:
    """A key file's content, decrypted: for a program that cannot. Raises as `password_of`."""
    password = password_of(path)
    if password is None:
        return _read(path)
    key = _load(path)
    assert isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey)
    return private_pem(key, None)


def encrypted(path: Path, password: bytes) -> bytes:
    """The content of a plain key file, encrypted. HomeError if it is none."""
    key = _load(path)
    assert isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey)
    return private_pem(key, password)


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
    password = password_of(path)
    try:
        return load_pem_private_key(_read(path), password)
    except (ValueError, TypeError) as error:
        form = "a private key in PEM form" if password is None else "a key of this keyring"
        raise HomeError(f"{path}: not {form}") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise HomeError(f"{path}: cannot read the key: {error.strerror}") from error


def _password(path: Path) -> bytes | None:
    # Key files lie one folder deeper than the keyring.
    ring = rings.beside(path.parent)
    return None if ring is None else ring.files_password
