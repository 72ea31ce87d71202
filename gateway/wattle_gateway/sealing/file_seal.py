"""A whole file under AES-256-GCM, for what leaves a sealed folder: `gateway/STORAGE.md`.

mark (16) || number of the key (2, big-endian) || nonce (12) || ciphertext || tag (16)
"""

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from wattle_gateway.errors import StorageKeyError
from wattle_gateway.sealing.row_seal import NONCE_BYTES, NUMBER_BYTES, TAG_BYTES

MARK = b"wattle/1/sealed\0"
_NONCE_AT = len(MARK) + NUMBER_BYTES
_SEALED_AT = _NONCE_AT + NONCE_BYTES


def close(number: int, key: bytes, name: str, content: bytes) -> bytes:
    """The file `name`, sealed under archive key `number`."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    head = MARK + number.to_bytes(NUMBER_BYTES, "big") + nonce
    return head + AESGCM(key).encrypt(nonce, content, _bound(name))


def number_of(sealed: bytes) -> int:
    """The number of the key; StorageKeyError for what is no sealed file."""
    if not sealed.startswith(MARK) or len(sealed) < _SEALED_AT + TAG_BYTES:
        raise StorageKeyError(f"{len(sealed)} bytes that are no sealed file")
    return int.from_bytes(sealed[len(MARK) : _NONCE_AT], "big")


def open_file(key: bytes, name: str, sealed: bytes) -> bytes:
    """What `close` was given; StorageKeyError if it is damaged, or of another name."""
    try:
        return AESGCM(key).decrypt(sealed[_NONCE_AT:_SEALED_AT], sealed[_SEALED_AT:], _bound(name))
    except InvalidTag:
        raise StorageKeyError(
            f"does not open under archive key {number_of(sealed)}: damaged, or put there from "
            "another file"
        ) from None


def _bound(name: str) -> bytes:
    return b"wattle/1/archive\0" + name.encode()
