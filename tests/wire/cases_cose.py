"""COSE envelopes: one form, bound to kind and ledger, and no second encoding of a signed thing."""

from wattle_wire import cbor, cose, p256
from wattle_wire.errors import MacError, MalformedError, SignatureError, WireError

LEDGER = b"\x0a" * 16
OTHER_LEDGER = b"\x0b" * 16
PRIVATE = b"\x01" * 32
PUBLIC = p256.public_from_private(PRIVATE)
KID = cose.kid_of(PUBLIC)
KEY = b"\x02" * 32
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SIGNED = cose.sign1(
    KID, b"payload", p256.sign(PRIVATE, cose.digest("sample", LEDGER, KID, b"payload"))
)


def _refused(kind: type, action, *arguments) -> None:  # type: ignore[no-untyped-def]
    try:
        action(*arguments)
    except kind:
        return
    raise AssertionError("was not refused: %r" % (arguments,))


def test_a_signed_message_parses_and_verifies() -> None:
    parsed = cose.parse_sign1("sample", LEDGER, SIGNED)
    assert (parsed.kid, parsed.payload, parsed.raw) == (KID, b"payload", SIGNED)
    assert parsed.digest == cose.digest("sample", LEDGER, KID, b"payload")
    p256.verify(PUBLIC, parsed.digest, parsed.signature)


def test_the_envelope_has_the_bytes_of_the_specification() -> None:
    assert SIGNED[:16] == b"\xd2\x84\x4d\xa2\x01\x26\x04\x48" + KID
    assert SIGNED[16:26] == b"\xa0\x47payload" + b"\x58"
    assert len(SIGNED) == 16 + 9 + 2 + 64


def test_another_kind_or_ledger_does_not_verify() -> None:
    for kind, ledger in (("birth", LEDGER), ("sample", OTHER_LEDGER)):
        parsed = cose.parse_sign1(kind, ledger, SIGNED)
        _refused(SignatureError, p256.verify, PUBLIC, parsed.digest, parsed.signature)


def test_the_malleable_twin_of_a_signature_is_refused() -> None:
    signature = SIGNED[-64:]
    high_s = N - int.from_bytes(signature[32:], "big")
    twin = signature[:32] + high_s.to_bytes(32, "big")
    _refused(SignatureError, cose.parse_sign1, "sample", LEDGER, SIGNED[:-64] + twin)
    _refused(SignatureError, cose.sign1, KID, b"payload", twin)
    half = (N // 2).to_bytes(32, "big")
    cose.sign1(KID, b"payload", signature[:32] + half)
    above = (N // 2 + 1).to_bytes(32, "big")
    _refused(SignatureError, cose.sign1, KID, b"payload", signature[:32] + above)


def test_truncated_concatenated_and_prefixed_messages_are_refused() -> None:
    for length in range(len(SIGNED)):
        _refused(WireError, cose.parse_sign1, "sample", LEDGER, SIGNED[:length])
    _refused(WireError, cose.parse_sign1, "sample", LEDGER, SIGNED + SIGNED)
    _refused(WireError, cose.parse_sign1, "sample", LEDGER, b"\x00" + SIGNED)


def test_a_flipped_bit_never_verifies() -> None:
    for position in range(len(SIGNED)):
        changed = bytearray(SIGNED)
        changed[position] ^= 0x01
        try:
            parsed = cose.parse_sign1("sample", LEDGER, bytes(changed))
        except WireError:
            continue
        if parsed.kid == KID and position % 8 == 0:  # a verification costs a board a while
            _refused(SignatureError, p256.verify, PUBLIC, parsed.digest, parsed.signature)


def test_envelopes_in_another_form_are_refused() -> None:
    protected = cbor.encode({1: -7, 4: KID})
    signature = SIGNED[-64:]
    for body in (
        [protected, {}, b"payload"],
        [protected, {4: KID}, b"payload", signature],
        [protected, None, b"payload", signature],
        [protected, {}, None, signature],
        [protected, {}, "payload", signature],
        [{1: -7, 4: KID}, {}, b"payload", signature],
        [b"", {}, b"payload", signature],
        [cbor.encode({1: -8, 4: KID}), {}, b"payload", signature],
        [cbor.encode({1: -7}), {}, b"payload", signature],
        [cbor.encode({1: -7, 4: KID, 5: 0}), {}, b"payload", signature],
        [cbor.encode({1: -7, 4: KID[:7]}), {}, b"payload", signature],
        [cbor.encode([-7, KID]), {}, b"payload", signature],
        [protected, {}, b"payload", signature[:63]],
        {},
        b"",
    ):
        _refused(WireError, cose.parse_sign1, "sample", LEDGER, cbor.encode(cbor.Tag(18, body)))
    whole = [protected, {}, b"payload", signature]
    _refused(MalformedError, cose.parse_sign1, "sample", LEDGER, cbor.encode(whole))
    _refused(MalformedError, cose.parse_sign1, "sample", LEDGER, cbor.encode(cbor.Tag(17, whole)))
    header_not_shortest = b"\xa2\x01\x38\x06\x04\x48" + KID
    whole[0] = header_not_shortest
    _refused(MalformedError, cose.parse_sign1, "sample", LEDGER, cbor.encode(cbor.Tag(18, whole)))


def test_a_mac_opens_only_with_its_key_kind_and_ledger() -> None:
    message = cose.mac0("ack", LEDGER, KID, b"payload", KEY)
    assert cose.open_mac0("ack", LEDGER, message, KEY) == b"payload"
    assert cose.kid_of_mac0(message) == KID
    _refused(MacError, cose.open_mac0, "cmd", LEDGER, message, KEY)
    _refused(MacError, cose.open_mac0, "ack", OTHER_LEDGER, message, KEY)
    _refused(MacError, cose.open_mac0, "ack", LEDGER, message, b"\x03" * 32)
    for position in range(len(message)):
        changed = bytearray(message)
        changed[position] ^= 0x80
        _refused(WireError, cose.open_mac0, "ack", LEDGER, bytes(changed), KEY)
    for length in range(len(message)):
        _refused(WireError, cose.open_mac0, "ack", LEDGER, message[:length], KEY)
    _refused(MalformedError, cose.open_mac0, "ack", LEDGER, SIGNED, KEY)


def test_both_ends_derive_the_same_link_key() -> None:
    meter, gateway = b"\x04" * 32, b"\x05" * 32
    gateway_public = p256.public_from_private(gateway)
    gateway_kid = cose.kid_of(gateway_public)
    at_meter = cose.link_key(p256.ecdh(meter, gateway_public), LEDGER, KID, gateway_kid)
    meter_public = p256.public_from_private(meter)
    at_gateway = cose.link_key(p256.ecdh(gateway, meter_public), LEDGER, KID, gateway_kid)
    assert at_meter == at_gateway
    assert len(at_meter) == 32
    for ledger, kid, link in (
        (OTHER_LEDGER, KID, gateway_kid),
        (LEDGER, gateway_kid, gateway_kid),
        (LEDGER, KID, KID),
    ):
        assert cose.link_key(p256.ecdh(meter, gateway_public), ledger, kid, link) != at_meter
