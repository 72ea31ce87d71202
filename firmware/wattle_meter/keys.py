"""The meter's three P-256 pairs: made on the board at its first start, kept in its store.

Nothing here prints a key or puts one into an error. A record that is damaged is an error for
people to look at: new keys in its place would be another meter.
"""

import hashlib

from wattle_wire import cose, p256
from wattle_wire.errors import WireError

from wattle_meter.board import Store
from wattle_meter.errors import MeterError

_KEY = "keys"
_VERSION = b"\x01"
_SUM_BYTES = 8
_RECORD_BYTES = len(_VERSION) + 3 * p256.PRIVATE_BYTES + _SUM_BYTES

# RFC 5915 section 3: SEQUENCE { 1, OCTET STRING, [0] prime256v1, [1] BIT STRING }
_DER_START = bytes.fromhex("30770201010420")
_DER_MIDDLE = bytes.fromhex("a00a06082a8648ce3d030107a144034200")


class KeyDamagedError(MeterError):
    """The stored keys are not what was stored."""


class Pair:
    """A P-256 pair: `private` 32 bytes, `public` 65 bytes (04 || x || y)."""

    def __init__(self, private: bytes) -> None:
        self.private = private
        self.public = p256.public_from_private(private)

    def der(self) -> bytes:
        """The private key as an ECPrivateKey (RFC 5915, DER), the form that TLS stacks load."""
        return _DER_START + self.private + _DER_MIDDLE + self.public


class Keys:
    """`signing`, `link` (ECDH with gateways) and `tls` (client certificate) pairs."""

    def __init__(self, signing: Pair, link: Pair, tls: Pair) -> None:
        self.signing = signing
        self.link = link
        self.tls = tls

    def kid(self) -> bytes:
        """The meter's id (8 bytes): the kid of its signing key."""
        return cose.kid_of(self.signing.public)


def load(store: Store) -> Keys | None:
    """The keys in `store`, None if there never were any. Raises KeyDamagedError."""
    record = store.get(_KEY)
    if record is None:
        return None
    body = record[:-_SUM_BYTES]
    if len(record) != _RECORD_BYTES or record[:1] != _VERSION or record[-_SUM_BYTES:] != _sum(body):
        raise KeyDamagedError(
            "the record '%s' in the board's store is damaged (%d bytes, expected %d with a "
            "matching check sum); this meter cannot sign: enrol it anew with an empty store"
            % (_KEY, len(record), _RECORD_BYTES)
        )
    pairs = []
    for at in range(3):
        start = len(_VERSION) + at * p256.PRIVATE_BYTES
        try:
            pairs.append(Pair(body[start : start + p256.PRIVATE_BYTES]))
        except WireError:
            raise KeyDamagedError("the record '%s' holds no P-256 keys" % _KEY) from None
    return Keys(pairs[0], pairs[1], pairs[2])


def create(store: Store, random) -> Keys:  # type: ignore[no-untyped-def]
    """New keys from `random(n)`, which gives n bytes of the board's random source; stored.

    Must not be called while there are any. Raises OSError: then none were made.
    """
    assert store.get(_KEY) is None
    privates = [p256.private_from_random(random(p256.RANDOM_BYTES)) for _ in range(3)]
    body = _VERSION + b"".join(privates)
    store.set(_KEY, body + _sum(body))
    store.commit()
    return Keys(Pair(privates[0]), Pair(privates[1]), Pair(privates[2]))


def _sum(body: bytes) -> bytes:
    return bytes(hashlib.sha256(body).digest()[:_SUM_BYTES])
