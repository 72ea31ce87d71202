"""Signatures of the gateway: the same bytes as the board makes, and nothing else accepted."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.errors import SignatureError
from wattle_testkit.alliance import private_key
from wattle_wire import p256

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
KEY = private_key("a key")
PUBLIC = crypto.public_of(KEY)
DIGEST = bytes(range(32))
SIGNATURE = crypto.signer(KEY)(DIGEST)


def test_nonce_is_that_of_rfc_6979() -> None:
    # RFC 6979 appendix A.2.5, SHA-256, message "sample"; its s is above n/2 and becomes n - s.
    secret = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
    digest = bytes.fromhex("af2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bf")
    r = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
    s = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8
    signature = crypto.signer(ec.derive_private_key(secret, ec.SECP256R1()))(digest)
    assert signature == r.to_bytes(32, "big") + (ORDER - s).to_bytes(32, "big")


@settings(max_examples=20)
@given(st.integers(1, ORDER - 1), st.binary(min_size=32, max_size=32))
def test_gateway_and_board_sign_alike(secret: int, digest: bytes) -> None:
    key = ec.derive_private_key(secret, ec.SECP256R1())
    signature = crypto.signer(key)(digest)
    assert signature == p256.sign(secret.to_bytes(32, "big"), digest)
    crypto.verify(crypto.public_of(key), digest, signature)


def test_another_digest_does_not_verify() -> None:
    with pytest.raises(SignatureError, match="does not verify"):
        crypto.verify(PUBLIC, bytes(32), SIGNATURE)


def test_another_key_does_not_verify() -> None:
    with pytest.raises(SignatureError, match="does not verify"):
        crypto.verify(crypto.public_of(private_key("other")), DIGEST, SIGNATURE)


def test_the_malleable_twin_is_refused() -> None:
    s = ORDER - int.from_bytes(SIGNATURE[32:], "big")
    with pytest.raises(SignatureError, match="low-S"):
        crypto.verify(PUBLIC, DIGEST, SIGNATURE[:32] + s.to_bytes(32, "big"))


@pytest.mark.parametrize("r", [0, ORDER, 2**256 - 1])
def test_r_out_of_range_is_refused(r: int) -> None:
    with pytest.raises(SignatureError, match="out of range"):
        crypto.verify(PUBLIC, DIGEST, r.to_bytes(32, "big") + SIGNATURE[32:])


def test_s_of_zero_is_refused() -> None:
    with pytest.raises(SignatureError, match="out of range"):
        crypto.verify(PUBLIC, DIGEST, SIGNATURE[:32] + bytes(32))


@pytest.mark.parametrize(("digest", "signature"), [(31, 64), (32, 63), (32, 65)])
def test_wrong_lengths_are_refused(digest: int, signature: int) -> None:
    with pytest.raises(SignatureError, match="expected 32 and 64"):
        crypto.verify(PUBLIC, bytes(digest), bytes(signature))


@pytest.mark.parametrize(
    "public",
    [b"", b"\x02" + PUBLIC[1:33], PUBLIC[:64], PUBLIC + b"\0", b"\x06" + PUBLIC[1:]],
    ids=["empty", "compressed", "short", "long", "hybrid"],
)
def test_other_forms_of_a_point_are_refused(public: bytes) -> None:
    with pytest.raises(SignatureError, match="uncompressed"):
        crypto.load_public(public)


def test_a_point_off_the_curve_is_refused() -> None:
    with pytest.raises(SignatureError, match="not a point"):
        crypto.load_public(PUBLIC[:64] + bytes([PUBLIC[64] ^ 1]))
