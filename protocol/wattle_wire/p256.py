"""ECDSA and ECDH over NIST P-256 with SHA-256 digests, for keys that live on a board.

Signatures are r || s, 32 bytes each, big-endian, with the nonce of RFC 6979 and the lower of
the two possible s ("low-S"). `verify` refuses the higher one and has no switch for it: with
(r, s) also (r, n - s) verifies, so whoever carries a signature could change its bytes, and
the ledger wants one valid form for each.

`sign`, `ecdh` and `verify` are the same computations as `sign_steps`, `ecdh_steps` and
`verify_steps`, run to the end; in steps, a board can serve its other tasks meanwhile. See
`curve_p256` for what is and is not done against side channels; the two inversions and the
product with the private key are blinded here, by numbers that are derived from the nonce: a
signature needs no random source.
"""

from wattle_wire import curve_p256 as curve
from wattle_wire.errors import PointError, SignatureError, WireError
from wattle_wire.mac import hmac_sha256

TYPE_CHECKING = False  # there is no typing on MicroPython; a type checker reads this as true
if TYPE_CHECKING:
    from collections.abc import Generator

PRIVATE_BYTES = 32
PUBLIC_BYTES = 65
DIGEST_BYTES = 32
SIGNATURE_BYTES = 64
# FIPS 186-5 A.2.1 asks for 64 bits more than the order has; 48 bytes are 128 bits more.
RANDOM_BYTES = 48

_N = curve.N
_HALF_N = curve.N >> 1
_UNCOMPRESSED = 4  # SEC 1 section 2.3.3
_BLIND_BITS = 128


def private_from_random(random_48: bytes) -> bytes:
    """A private key (32 bytes) from 48 random bytes, by FIPS 186-5 A.2.1 (extra random bits).

    Raises WireError for another length.
    """
    if len(random_48) != RANDOM_BYTES:
        raise WireError(f"{len(random_48)} random bytes, expected {RANDOM_BYTES}")
    return _to_32(int.from_bytes(random_48, "big") % (_N - 1) + 1)


def public_from_private(private_32: bytes) -> bytes:
    """The public key of a private key: 65 bytes, 0x04 || x || y (SEC 1 section 2.3.3).

    Raises WireError for a private key that is not 32 bytes or not in 1 to n - 1.
    """
    private = _private(private_32)
    blind, _ = _blinds(private_32, b"public")
    [(x, y)] = curve.to_affine([_drain(curve.multiply_generator_steps(private, blind))])
    return bytes([_UNCOMPRESSED]) + _to_32(x) + _to_32(y)


def ecdh(private_32: bytes, public_65: bytes) -> bytes:
    """The shared secret of SP 800-56A section 5.7.1.2: x of private * public, 32 bytes.

    Raises WireError for a bad private key, PointError for a bad public one.
    """
    *_, shared = ecdh_steps(private_32, public_65)
    assert shared is not None
    return shared


def ecdh_steps(private_32: bytes, public_65: bytes) -> "Generator[bytes | None, None, None]":
    """`ecdh` in slices: yields None between them and last of all the secret.

    Raises as `ecdh` does, at the first step.
    """
    private = _private(private_32)
    x, y = _public(public_65)
    blind, _ = _blinds(private_32, public_65)
    # The order of the group is prime, so a valid point times 1 to n - 1 is never infinity.
    point = yield from curve.multiply_steps(private, x, y, blind)
    yield _to_32(curve.x_of(point))


def sign(private_32: bytes, digest_32: bytes) -> bytes:
    """The signature (64 bytes r || s, low-S) of a SHA-256 digest; RFC 6979 deterministic.

    Raises WireError for a private key that is not 32 bytes or not in 1 to n - 1, or a digest
    that is not 32 bytes.
    """
    *_, signature = sign_steps(private_32, digest_32)
    assert signature is not None
    return signature


def sign_steps(private_32: bytes, digest_32: bytes) -> "Generator[bytes | None, None, None]":
    """`sign` in slices: yields None between them and last of all the signature.

    Raises as `sign` does, at the first step. In a coroutine:

        for signature in sign_steps(private_32, digest_32):
            await asyncio.sleep(0)
    """
    private = _private(private_32)
    message = _message(digest_32)
    for nonce in _nonces(private_32, message):
        yield None
        point_blind, blind = _blinds(_to_32(nonce), b"sign")
        point = yield from curve.multiply_generator_steps(nonce, point_blind)
        r = curve.x_of(point) % _N
        yield None
        # s = (message + r * private) / nonce, both sides of the division times `blind`
        blinded = (message * blind + private * blind % _N * r) % _N
        s = curve.inverse(nonce * blind % _N, _N) * blinded % _N
        if r and s:  # else the next nonce: RFC 6979 section 3.4, FIPS 186-5 6.4.1
            yield _to_32(r) + _to_32(min(s, _N - s))
            return


def verify(public_65: bytes, digest_32: bytes, signature_64: bytes) -> None:
    """Check a signature (64 bytes r || s) of a SHA-256 digest (FIPS 186-5 6.4.2).

    Raises SignatureError if it does not verify, has another length, r or s out of 1 to n - 1,
    or the higher s; PointError for a bad public key; WireError for a digest that is not 32
    bytes.
    """
    for _ in verify_steps(public_65, digest_32, signature_64):
        pass


def verify_steps(
    public_65: bytes, digest_32: bytes, signature_64: bytes
) -> "Generator[None, None, None]":
    """`verify` in slices: yields None between them; raises as `verify` does, or ends."""
    x, y = _public(public_65)
    message = _message(digest_32)
    r, s = _signature(signature_64)
    per_s = curve.inverse(s, _N)
    # Nothing here is secret, so nothing is blinded.
    of_generator = yield from curve.multiply_generator_steps(message * per_s % _N, 1)
    total = yield from curve.multiply_steps(r * per_s % _N, x, y, 1)
    if of_generator[2]:
        [(x, y)] = curve.to_affine([of_generator])
        total = curve.add_affine(total, x, y)
        yield
    if not total[2] or curve.x_of(total) % _N != r:
        raise SignatureError("the signature does not match key and digest")


def _to_32(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _drain(
    steps: "Generator[None, None, tuple[int, int, int, int]]",
) -> tuple[int, int, int, int]:
    """Run a multiplication to its end."""
    try:
        while True:
            next(steps)
    except StopIteration as finished:
        point: tuple[int, int, int, int] = finished.value
        return point


def _private(private_32: bytes) -> int:
    # The messages never show the key.
    if len(private_32) != PRIVATE_BYTES:
        raise WireError(f"private key of {len(private_32)} bytes, expected {PRIVATE_BYTES}")
    private = int.from_bytes(private_32, "big")
    if not 0 < private < _N:
        raise WireError("private key out of range, expected 1 to n - 1")
    return private


def _public(public_65: bytes) -> tuple[int, int]:
    if len(public_65) != PUBLIC_BYTES:
        raise PointError(f"public key of {len(public_65)} bytes, expected {PUBLIC_BYTES}")
    if public_65[0] != _UNCOMPRESSED:
        raise PointError(f"public key begins with {public_65[0]}, expected 4 (uncompressed)")
    x = int.from_bytes(public_65[1:33], "big")
    y = int.from_bytes(public_65[33:], "big")
    if x >= curve.P or y >= curve.P:
        raise PointError("public key with a coordinate out of range, expected below p")
    if not curve.is_on_curve(x, y):
        raise PointError("public key is not a point of P-256")
    return x, y


def _message(digest_32: bytes) -> int:
    if len(digest_32) != DIGEST_BYTES:
        raise WireError(f"digest of {len(digest_32)} bytes, expected {DIGEST_BYTES}")
    return int.from_bytes(digest_32, "big") % _N


def _signature(signature_64: bytes) -> tuple[int, int]:
    if len(signature_64) != SIGNATURE_BYTES:
        raise SignatureError(f"signature of {len(signature_64)} bytes, expected {SIGNATURE_BYTES}")
    r = int.from_bytes(signature_64[:32], "big")
    s = int.from_bytes(signature_64[32:], "big")
    if not 0 < r < _N or not 0 < s < _N:
        raise SignatureError("signature with r or s out of range, expected 1 to n - 1")
    if s > _HALF_N:
        raise SignatureError("signature with the higher s, expected the lower (low-S)")
    return r, s


def _nonces(private_32: bytes, message: int) -> "Generator[int, None, None]":
    """The candidates for the nonce in the order of RFC 6979 section 3.2 (HMAC-DRBG)."""
    key = bytes(32)
    value = b"\x01" * 32
    for separator in (b"\x00", b"\x01"):
        key = hmac_sha256(key, value, separator, private_32, _to_32(message))
        value = hmac_sha256(key, value)
    while True:
        value = hmac_sha256(key, value)
        candidate = int.from_bytes(value, "big")
        if 0 < candidate < _N:
            yield candidate
        key = hmac_sha256(key, value, b"\x00")
        value = hmac_sha256(key, value)


def _blinds(secret_32: bytes, purpose: bytes) -> tuple[int, int]:
    """Two numbers of 129 bits, never zero, that only who knows the secret can tell."""
    mask = hmac_sha256(secret_32, b"wattle blind", purpose)
    top = 1 << _BLIND_BITS
    return top + int.from_bytes(mask[:16], "big"), top + int.from_bytes(mask[16:], "big")
