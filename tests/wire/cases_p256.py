"""ECDSA and ECDH over P-256 on every interpreter: published vectors, edges, every refusal."""

import hashlib
from binascii import unhexlify

from wattle_wire import curve_p256, p256
from wattle_wire.errors import PointError, SignatureError, WireError

HEAP = "110k"

N = curve_p256.N
P = curve_p256.P

# RFC 6979 appendix A.2.5
PRIVATE = unhexlify("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")
PUBLIC = unhexlify(
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    + "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
# (message, r, s as printed there)
RFC_6979_ROWS = [
    (
        b"sample",
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    ),
    (
        b"test",
        "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
        "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
    ),
    # Not of the RFC but with its key: the first candidate for the nonce is above n (C2SP/CCTV,
    # folder RFC6979).
    (
        b"wv[vnX",
        "efd9073b652e76da1b5a019c0e4a2e3fa529b035a6abb91ef67f0ed7a1f21234",
        "3db4706c9d9f4a4fe13bb5e08ef0fab53a57dbab2061c83a35fa411c68d2ba33",
    ),
]

G = unhexlify(
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    + "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
)
TWO_G = unhexlify(
    "047cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978"
    + "07775510db8ed040293d9ac69f7430dbba7dade63ce982299e04b79d227873d1"
)

# The only scalars whose last addition is one of equal points, in which the formula for unlike
# points gives zeros: of the comb (found by trying 2 * t for each of its 32 last digits t) ...
COMB_DOUBLING = 0x1FFFFFFFFFFFFDFFFFFFFFFFFFDFFFFFFFFFFFFE0000000000002
# ... and of the windows (2 * t mod n for each of their 16 last digits t).
WINDOW_DOUBLING = N - 2


def to_32(number):
    return number.to_bytes(32, "big")


def signature_of(r, s):
    return to_32(r) + to_32(s)


def negative(public):
    """The point with the same x."""
    return public[:33] + to_32(P - int.from_bytes(public[33:], "big"))


def refusal(error, function, *arguments):
    """The message of the error that the call must raise."""
    raised = None
    try:
        function(*arguments)
    except error as caught:
        raised = caught
    assert type(raised) is error, raised
    return str(raised)


def test_signatures_of_rfc_6979_with_the_lower_s():
    for message, r, s in RFC_6979_ROWS:
        s = int(s, 16)
        expected = unhexlify(r) + to_32(min(s, N - s))
        digest = hashlib.sha256(message).digest()
        assert p256.sign(PRIVATE, digest) == expected, message
        p256.verify(PUBLIC, digest, expected)


def test_signature_in_slices_is_the_signature():
    digest = hashlib.sha256(b"sample").digest()
    slices = list(p256.sign_steps(PRIVATE, digest))
    assert slices[-1] == p256.sign(PRIVATE, digest)
    # one after the nonce, one for each column of the comb, one after the first inversion
    assert slices[:-1] == [None] * 15


def test_a_secret_in_slices_is_the_secret():
    slices = list(p256.ecdh_steps(PRIVATE, TWO_G))
    assert slices[-1] == p256.ecdh(PRIVATE, TWO_G)
    # three for the table of multiples, one for each of the 66 windows
    assert slices[:-1] == [None] * 69


def test_checking_in_slices_checks():
    digest = hashlib.sha256(b"sample").digest()
    signature = p256.sign(PRIVATE, digest)
    # the columns of the comb, the steps of the other product, their sum
    assert list(p256.verify_steps(PUBLIC, digest, signature)) == [None] * (13 + 69 + 1)
    wrong = p256.verify_steps(PUBLIC, bytes(32), signature)
    assert refusal(SignatureError, list, wrong) == "the signature does not match key and digest"


def test_signing_works_at_the_edges_of_the_digest():
    for number in (0, 1, N - 1, N, N + 1, (1 << 256) - 1):
        digest = to_32(number)
        signature = p256.sign(PRIVATE, digest)
        p256.verify(PUBLIC, digest, signature)
        # bits2octets of RFC 6979 section 2.3.4 reduces the digest: both have one signature
        assert signature == p256.sign(PRIVATE, to_32(number % N))


def test_public_key_of_known_scalars():
    assert p256.public_from_private(PRIVATE) == PUBLIC
    assert p256.public_from_private(to_32(1)) == G
    assert p256.public_from_private(to_32(2)) == TWO_G
    assert p256.public_from_private(to_32(N - 1)) == negative(G)
    assert p256.public_from_private(to_32(N - 2)) == negative(TWO_G)


def test_scalars_whose_last_addition_is_a_doubling():
    comb = to_32(COMB_DOUBLING)
    assert p256.ecdh(comb, G) == p256.public_from_private(comb)[1:33]
    assert p256.ecdh(to_32(WINDOW_DOUBLING), G) == TWO_G[1:33]


def test_ecdh_of_rfc_5903():
    # section 8.1
    i = unhexlify("c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433")
    r = unhexlify("c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53")
    of_i = unhexlify(
        "04dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180"
        + "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3"
    )
    of_r = unhexlify(
        "04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"
        + "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab"
    )
    shared = unhexlify("d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de")
    assert p256.public_from_private(i) == of_i
    assert p256.public_from_private(r) == of_r
    assert p256.ecdh(i, of_r) == shared
    assert p256.ecdh(r, of_i) == shared


def test_ecdh_with_the_smallest_and_largest_scalars():
    assert p256.ecdh(to_32(1), PUBLIC) == PUBLIC[1:33]
    assert p256.ecdh(to_32(N - 1), PUBLIC) == PUBLIC[1:33]
    assert p256.ecdh(to_32(2), G) == TWO_G[1:33]


def test_private_key_from_random_bytes():
    # c mod (n - 1) + 1 never leaves 1 to n - 1
    for number, private in ((0, 1), (N - 2, N - 1), (N - 1, 1), ((N - 1) << 128, 1)):
        assert p256.private_from_random(number.to_bytes(48, "big")) == to_32(private)
    expected = ((1 << 384) - 1) % (N - 1) + 1
    assert p256.private_from_random(b"\xff" * 48) == to_32(expected)
    for length in (0, 32, 40, 47, 49):
        message = refusal(WireError, p256.private_from_random, bytes(length))
        assert message == f"{length} random bytes, expected 48"


def test_bad_private_keys_are_refused_everywhere():
    digest = bytes(32)
    out_of_range = "private key out of range, expected 1 to n - 1"
    rows = [
        (to_32(0), out_of_range),
        (to_32(N), out_of_range),
        (to_32(N + 1), out_of_range),
        (b"\xff" * 32, out_of_range),
        (b"", "private key of 0 bytes, expected 32"),
        (PRIVATE[1:], "private key of 31 bytes, expected 32"),
        (b"\x00" + PRIVATE, "private key of 33 bytes, expected 32"),
    ]
    for private, expected in rows:
        assert refusal(WireError, p256.sign, private, digest) == expected
        assert refusal(WireError, p256.public_from_private, private) == expected
        assert refusal(WireError, p256.ecdh, private, PUBLIC) == expected
        assert refusal(WireError, next, p256.sign_steps(private, digest)) == expected


def test_bad_public_keys_are_refused_everywhere():
    digest = hashlib.sha256(b"sample").digest()
    signature = p256.sign(PRIVATE, digest)
    x, y = PUBLIC[1:33], PUBLIC[33:]
    no_point = "public key is not a point of P-256"
    out_of_range = "public key with a coordinate out of range, expected below p"
    rows = [
        (b"", "public key of 0 bytes, expected 65"),
        (b"\x00", "public key of 1 bytes, expected 65"),  # infinity of SEC 1 section 2.3.3
        (PUBLIC[:-1], "public key of 64 bytes, expected 65"),
        (PUBLIC + b"\x00", "public key of 66 bytes, expected 65"),
        (b"\x03" + x, "public key of 33 bytes, expected 65"),
        (b"\x00" + x + y, "public key begins with 0, expected 4 (uncompressed)"),
        (b"\x07" + x + y, "public key begins with 7, expected 4 (uncompressed)"),
        (b"\x04" + bytes(64), no_point),
        (b"\x04" + y + x, no_point),
        (b"\x04" + x + to_32(int.from_bytes(y, "big") ^ 1), no_point),
        # on the curve with another b: what an invalid-curve attack sends
        (b"\x04" + bytes(63) + b"\x01", no_point),
        (b"\x04" + to_32(P) + y, out_of_range),
        (b"\x04" + x + to_32(P), out_of_range),
        (b"\x04" + b"\xff" * 64, out_of_range),
        # x = 5 is on the curve, and so must not pass as 5 + p
        (b"\x04" + to_32(P + 5) + to_32(curve_y_of_5()), out_of_range),
    ]
    for public, expected in rows:
        assert refusal(PointError, p256.verify, public, digest, signature) == expected
        assert refusal(PointError, p256.ecdh, PRIVATE, public) == expected


def curve_y_of_5():
    """A square root of 5^3 - 3 * 5 + b; p is 3 mod 4, so it is a power."""
    y = pow(5 * 5 * 5 - 3 * 5 + curve_p256.B, (P + 1) // 4, P)
    assert curve_p256.is_on_curve(5, y)
    return y


def test_digest_of_another_length_is_refused():
    signature = p256.sign(PRIVATE, bytes(32))
    for length in (0, 20, 31, 33, 64):
        expected = f"digest of {length} bytes, expected 32"
        assert refusal(WireError, p256.sign, PRIVATE, bytes(length)) == expected
        assert refusal(WireError, p256.verify, PUBLIC, bytes(length), signature) == expected


def test_signature_that_does_not_match_is_refused():
    digest = hashlib.sha256(b"sample").digest()
    signature = p256.sign(PRIVATE, digest)
    expected = "the signature does not match key and digest"
    other = hashlib.sha256(b"simple").digest()
    assert refusal(SignatureError, p256.verify, PUBLIC, other, signature) == expected
    assert refusal(SignatureError, p256.verify, negative(PUBLIC), digest, signature) == expected
    for position in (0, 31, 32, 63):
        changed = bytearray(signature)
        changed[position] ^= 1
        assert refusal(SignatureError, p256.verify, PUBLIC, digest, bytes(changed)) == expected


def test_signature_out_of_range_is_refused():
    r = int.from_bytes(p256.sign(PRIVATE, bytes(32))[:32], "big")
    expected = "signature with r or s out of range, expected 1 to n - 1"
    top = (1 << 256) - 1
    for pair in ((0, 0), (0, 1), (1, 0), (N, 1), (1, N), (r, 0), (r, N), (N + 1, 1), (top, top)):
        signature = signature_of(*pair)
        assert refusal(SignatureError, p256.verify, PUBLIC, bytes(32), signature) == expected


def test_signature_of_another_length_is_refused():
    signature = p256.sign(PRIVATE, bytes(32))
    for other in (b"", signature[:63], signature + b"\x00"):
        message = refusal(SignatureError, p256.verify, PUBLIC, bytes(32), other)
        assert message == f"signature of {len(other)} bytes, expected 64"


def test_the_malleable_twin_is_refused():
    digest = hashlib.sha256(b"sample").digest()
    signature = p256.sign(PRIVATE, digest)
    twin = signature[:32] + to_32(N - int.from_bytes(signature[32:], "big"))
    expected = "signature with the higher s, expected the lower (low-S)"
    assert refusal(SignatureError, p256.verify, PUBLIC, digest, twin) == expected
    # the border: (n - 1) / 2 is low, so it is refused only because it does not match
    mismatch = "the signature does not match key and digest"
    for s, message in ((N // 2, mismatch), (N // 2 + 1, expected)):
        border = signature[:32] + to_32(s)
        assert refusal(SignatureError, p256.verify, PUBLIC, digest, border) == message


def test_verify_adds_equal_and_opposite_points():
    # With the key G, s = digest = r makes both products G: r is right if the sum is 2 G.
    x = TWO_G[1:33]
    p256.verify(G, x, x + x)
    # r = n - 5 and s = digest = 5 make them G and -G: no such signature, whatever r is.
    message = refusal(SignatureError, p256.verify, G, to_32(5), signature_of(N - 5, 5))
    assert message == "the signature does not match key and digest"
