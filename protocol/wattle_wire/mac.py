"""HMAC-SHA-256 (RFC 2104), HKDF-SHA-256 (RFC 5869) and comparison in constant time.

MicroPython has neither `hmac` nor `hashlib.copy`, so the three are built here from plain
SHA-256 and behave the same on every interpreter.
"""

import hashlib

from wattle_wire.errors import MacError, WireError

MAC_BYTES = 32
BLOCK_BYTES = 64  # of SHA-256, FIPS 180-4 section 1
MAX_HKDF_BYTES = 255 * MAC_BYTES  # RFC 5869 section 2.3: the block counter is one byte

# The pads as one number each: a device XORs them in one operation, not in a loop of 64.
_INNER_PAD = int.from_bytes(b"\x36" * BLOCK_BYTES, "big")
_OUTER_PAD = int.from_bytes(b"\x5c" * BLOCK_BYTES, "big")


def hmac_sha256(key: bytes, *parts: bytes) -> bytes:
    """HMAC-SHA-256 of the concatenated parts, 32 bytes. A key of any length is allowed."""
    if len(key) > BLOCK_BYTES:
        key = hashlib.sha256(key).digest()
    padded = int.from_bytes(key + bytes(BLOCK_BYTES - len(key)), "big")
    inner = hashlib.sha256((padded ^ _INNER_PAD).to_bytes(BLOCK_BYTES, "big"))
    for part in parts:
        inner.update(part)
    outer = hashlib.sha256((padded ^ _OUTER_PAD).to_bytes(BLOCK_BYTES, "big"))
    outer.update(inner.digest())
    return outer.digest()


def hkdf_sha256(key_material: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """`length` bytes derived from `key_material` (RFC 5869); an empty salt means none given.

    Raises WireError if `length` is not in 1 to 8160 bytes.
    """
    if not 1 <= length <= MAX_HKDF_BYTES:
        raise WireError(f"HKDF of {length} bytes, expected 1 to {MAX_HKDF_BYTES}")
    # "Not provided" is 32 zero bytes (section 2.2), and HMAC pads every short key with zeros.
    extracted = hmac_sha256(salt, key_material)
    output = block = b""
    counter = 1
    while len(output) < length:
        block = hmac_sha256(extracted, block, info, bytes([counter]))
        output += block
        counter += 1
    return output[:length]


def equal(left: bytes, right: bytes) -> bool:
    """Whether two byte strings are equal, in a time that depends on their length only."""
    if len(left) != len(right):
        return False
    difference = 0
    for position in range(len(left)):
        difference |= left[position] ^ right[position]
    return difference == 0


def verify(key: bytes, tag: bytes, *parts: bytes) -> None:
    """Check that `tag` (32 bytes) is the HMAC-SHA-256 of the concatenated parts.

    Raises MacError if it is not.
    """
    if len(tag) != MAC_BYTES:
        raise MacError(f"a MAC of {len(tag)} bytes, expected {MAC_BYTES}")
    if not equal(tag, hmac_sha256(key, *parts)):
        raise MacError("the MAC does not match message and key")
