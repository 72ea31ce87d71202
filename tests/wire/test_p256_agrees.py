"""P-256 against an independent library for any key and digest, and how regular it is."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from wattle_wire import curve_p256, p256

N = curve_p256.N
CURVE = ec.SECP256R1()
DIGEST_ALGORITHM = ec.ECDSA(Prehashed(SHA256()))

# Where a recoding or a formula for special points would go wrong: the ends of the range, single
# bits and their neighbours, runs of zeros and of ones, and what is half or a multiple of them.
EDGES = sorted(
    {
        scalar % N
        for bit in (1, *range(0, 257, 4))
        for scalar in ((1 << bit) - 1, 1 << bit, (1 << bit) + 1, N - (1 << bit), N // 2 + bit)
        if scalar % N
    }
)

scalars = st.one_of(
    st.integers(1, N - 1),
    st.sampled_from(EDGES),
    # few bits, far from each other
    st.lists(st.integers(0, 255), min_size=1, max_size=3).map(
        lambda bits: sum(1 << bit for bit in set(bits)) % N or 1
    ),
)
digests = st.one_of(
    st.binary(min_size=32, max_size=32),
    st.sampled_from([0, 1, N - 1, N, N + 1, (1 << 256) - 1]).map(lambda i: i.to_bytes(32, "big")),
)
many_examples = settings(max_examples=150, deadline=None, derandomize=True)


def to_32(number: int) -> bytes:
    return number.to_bytes(32, "big")


def their_public(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


@pytest.mark.parametrize("scalar", EDGES)
def test_public_key_of_edge_scalars(scalar: int) -> None:
    expected = their_public(ec.derive_private_key(scalar, CURVE))
    assert p256.public_from_private(to_32(scalar)) == expected


@many_examples
@given(scalars, digests)
def test_signature_is_theirs_with_the_lower_s(scalar: int, digest: bytes) -> None:
    """Theirs is deterministic too (RFC 6979), so r and s are known but for the sign of s."""
    key = ec.derive_private_key(scalar, CURVE)
    algorithm = ec.ECDSA(Prehashed(SHA256()), deterministic_signing=True)
    r, s = decode_dss_signature(key.sign(digest, algorithm))
    signature = p256.sign(to_32(scalar), digest)
    assert signature == to_32(r) + to_32(min(s, N - s))
    der = encode_dss_signature(r, int.from_bytes(signature[32:], "big"))
    key.public_key().verify(der, digest, DIGEST_ALGORITHM)


@many_examples
@given(scalars, digests)
def test_their_signature_verifies_here(scalar: int, digest: bytes) -> None:
    key = ec.derive_private_key(scalar, CURVE)
    r, s = decode_dss_signature(key.sign(digest, DIGEST_ALGORITHM))
    p256.verify(their_public(key), digest, to_32(r) + to_32(min(s, N - s)))


@many_examples
@given(scalars, scalars)
def test_shared_secret_is_theirs(left: int, right: int) -> None:
    key = ec.derive_private_key(left, CURVE)
    peer = ec.derive_private_key(right, CURVE)
    expected = key.exchange(ec.ECDH(), peer.public_key())
    assert p256.ecdh(to_32(left), their_public(peer)) == expected


@pytest.fixture
def operations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the curve operations that are called, in their order."""
    log: list[str] = []
    for name in ("double", "add_affine", "inverse"):
        original = getattr(curve_p256, name)

        def logged(*arguments: object, name: str = name, original: object = original) -> object:
            log.append(name)
            assert callable(original)
            return original(*arguments)

        monkeypatch.setattr(curve_p256, name, logged)
    return log


def slices_of_signature(scalar: int, operations: list[str]) -> list[list[str]]:
    """The operations between the yields of one signature."""
    slices = []
    for _ in p256.sign_steps(to_32(scalar), hashlib.sha256(b"sample").digest()):
        slices.append(operations.copy())
        operations.clear()
    return slices


def test_every_signature_has_the_same_operations(operations: list[str]) -> None:
    first = slices_of_signature(EDGES[0], operations)
    flat = [name for part in first for name in part]
    assert flat.count("add_affine") == 52  # of them one into the blinded infinity
    assert flat.count("double") == 12
    assert flat.count("inverse") == 2
    assert max(len(part) for part in first) == 5
    for scalar in EDGES:
        assert slices_of_signature(scalar, operations) == first


def test_every_multiplication_has_the_same_operations(operations: list[str]) -> None:
    """Of the edges only n - 2 times a point differs: its last addition is a doubling."""
    peer = their_public(ec.derive_private_key(3, CURVE))
    of_generator = {}
    of_point = {}
    for scalar in EDGES:
        operations.clear()
        p256.public_from_private(to_32(scalar))
        of_generator[scalar] = tuple(operations)
        operations.clear()
        p256.ecdh(to_32(scalar), peer)
        of_point[scalar] = tuple(operations)
    assert len(set(of_generator.values())) == 1
    assert of_point.pop(N - 2).count("double") == of_point[1].count("double") + 1
    assert len(set(of_point.values())) == 1


def test_blinding_changes_the_numbers_and_not_the_point() -> None:
    points = []
    for blind in (1, 2, 3 << 127):
        steps = curve_p256.multiply_generator_steps(12345, blind)
        while True:
            try:
                next(steps)
            except StopIteration as finished:
                points.append(finished.value)
                break
    for coordinate in range(4):
        assert len({point[coordinate] for point in points}) == 3
    assert len(set(curve_p256.to_affine(points))) == 1


def test_every_secret_computation_has_its_own_blinding(monkeypatch: pytest.MonkeyPatch) -> None:
    blinds: list[int] = []
    for name in ("multiply_generator_steps", "multiply_steps"):
        original = getattr(curve_p256, name)

        def noted(*arguments: int, original: object = original) -> object:
            blinds.append(arguments[-1])
            assert callable(original)
            return original(*arguments)

        monkeypatch.setattr(curve_p256, name, noted)
    private = to_32(12345)
    own = p256.public_from_private(private)
    peer = their_public(ec.derive_private_key(54321, CURVE))
    p256.ecdh(private, own)
    p256.ecdh(private, peer)
    p256.sign(private, bytes(32))
    p256.sign(private, b"\x01" * 32)
    assert len(set(blinds)) == 5
    assert all(1 << 128 <= blind < 1 << 129 for blind in blinds)
