"""HMAC-SHA-256 and HKDF-SHA-256 against their RFCs, and every refusal, on every interpreter."""

from wattle_wire import mac
from wattle_wire.errors import MacError, WireError

# (key, message, HMAC-SHA-256): test cases 1 to 4, 6 and 7 of RFC 4231 section 4
HMAC_ROWS = [
    (
        b"\x0b" * 20,
        b"Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    ),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (
        b"\xaa" * 20,
        b"\xdd" * 50,
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
    ),
    (
        bytes(range(1, 26)),
        b"\xcd" * 50,
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
    ),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        b"\xaa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data."
        + b" The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
]

# (key material, salt, info, output): RFC 5869 appendix A.1 to A.3
HKDF_ROWS = [
    (
        b"\x0b" * 22,
        bytes(range(13)),
        bytes(range(0xF0, 0xFA)),
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        bytes(range(0x50)),
        bytes(range(0x60, 0xB0)),
        bytes(range(0xB0, 0x100)),
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
        + "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
        + "cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ),
    (
        b"\x0b" * 22,
        b"",
        b"",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
]


def refusal(error, function, *arguments):
    """The message of the error that the call must raise."""
    raised = None
    try:
        function(*arguments)
    except error as caught:
        raised = caught
    assert type(raised) is error, raised
    return str(raised)


def test_hmac_vectors_of_rfc_4231():
    for key, message, expected in HMAC_ROWS:
        assert mac.hmac_sha256(key, message).hex() == expected


def test_hmac_truncated_vector_of_rfc_4231():
    tag = mac.hmac_sha256(b"\x0c" * 20, b"Test With Truncation")
    assert tag[:16].hex() == "a3b6167473100ee06e0c796c2955552b"


def test_hmac_takes_its_message_in_parts():
    whole = mac.hmac_sha256(b"key", b"one two")
    assert mac.hmac_sha256(b"key", b"one", b" ", b"", b"two") == whole
    assert mac.hmac_sha256(b"key") == mac.hmac_sha256(b"key", b"")


def test_hmac_key_lengths_around_the_block():
    # 64 bytes are used as they are, 65 are hashed first
    assert mac.hmac_sha256(b"k" * 64, b"m") != mac.hmac_sha256(b"k" * 65, b"m")
    assert mac.hmac_sha256(b"", b"m") == mac.hmac_sha256(bytes(64), b"m")


def test_hkdf_vectors_of_rfc_5869():
    for material, salt, info, expected in HKDF_ROWS:
        length = len(expected) // 2
        assert mac.hkdf_sha256(material, salt, info, length).hex() == expected


def test_hkdf_longest_and_shortest():
    longest = mac.hkdf_sha256(b"material", b"salt", b"info", mac.MAX_HKDF_BYTES)
    assert len(longest) == 8160
    assert mac.hkdf_sha256(b"material", b"salt", b"info", 1) == longest[:1]
    assert mac.hkdf_sha256(b"material", b"salt", b"info", 33) == longest[:33]


def test_hkdf_length_is_refused_outside_the_rfc():
    for length in (0, -1, 8161):
        message = refusal(WireError, mac.hkdf_sha256, b"material", b"", b"", length)
        assert message == f"HKDF of {length} bytes, expected 1 to 8160"


def test_equal_sees_every_position():
    assert mac.equal(b"", b"")
    assert mac.equal(b"abcd", bytearray(b"abcd"))
    for position in range(4):
        other = bytearray(b"abcd")
        other[position] ^= 0x80
        assert not mac.equal(b"abcd", bytes(other))
    assert not mac.equal(b"abcd", b"abc")
    assert not mac.equal(b"abc", b"abcd")


def test_verify_accepts_the_right_tag_and_no_other():
    tag = mac.hmac_sha256(b"key", b"message")
    mac.verify(b"key", tag, b"mess", b"age")
    wrong = tag[:31] + bytes([tag[31] ^ 1])
    expected = "the MAC does not match message and key"
    assert refusal(MacError, mac.verify, b"key", wrong, b"message") == expected
    assert refusal(MacError, mac.verify, b"other", tag, b"message") == expected
    assert refusal(MacError, mac.verify, b"key", tag, b"massage") == expected


def test_verify_refuses_a_tag_of_another_length():
    tag = mac.hmac_sha256(b"key", b"message")
    for other in (b"", tag[:16], tag + b"\x00"):
        message = refusal(MacError, mac.verify, b"key", other, b"message")
        assert message == f"a MAC of {len(other)} bytes, expected 32"
