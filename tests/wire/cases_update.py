"""Updates, chunks and bundles: read back what was made, refuse the rest (SPEC section 17)."""

import hashlib

from wattle_wire import bundle, cbor, cose, p256, update
from wattle_wire.errors import MalformedError, SignatureError

LEDGER = bytes(range(16))
VERSION = 1700000000000
FIRMWARE = bytes(range(256)) * 10  # three chunks
ALLIANCE = b'{"gateways": [], "members": []}'
FILES = [("firmware.rom", FIRMWARE), ("alliance.json", ALLIANCE)]
KEYS = [hashlib.sha256(b"update member %d" % number).digest() for number in range(3)]


def made(files=FILES, board="linux"):  # type: ignore[no-untyped-def]
    return bundle.make(LEDGER, VERSION, "0.2.0", board, files)


def signature(which, payload, ledger_id=LEDGER):  # type: ignore[no-untyped-def]
    kid = cose.kid_of(p256.public_from_private(KEYS[which]))
    digest = cose.digest("update", ledger_id, kid, payload)
    raw = cose.sign1(kid, payload, p256.sign(KEYS[which], digest))
    return cose.parse_sign1("update", ledger_id, raw)


def _refused(action, *arguments) -> None:  # type: ignore[no-untyped-def]
    try:
        action(*arguments)
    except MalformedError:
        return
    raise AssertionError("was not refused: %r" % (arguments,))


def test_an_update_reads_back() -> None:
    one = made()
    row = update.decode(one.payload)
    assert (row.version, row.name, row.board) == (VERSION, "0.2.0", "linux")
    assert [(name, size) for name, size, _ in row.files] == [
        ("firmware.rom", 2560),
        ("alliance.json", len(ALLIANCE)),
    ]
    assert row.files[0][2] == hashlib.sha256(FIRMWARE).digest()


def test_payloads_in_another_form_are_refused() -> None:
    good = cbor.decode(made().payload)
    assert isinstance(good, list)
    digest = bytes(32)
    for position, value in (
        (0, 0),
        (0, 1 << 53),
        (0, "1"),
        (1, ""),
        (1, "x" * 65),
        (2, ""),
        (2, "qemu"),
        (2, None),
        (3, digest[:31]),
        (4, []),
        (4, [["firmware.rom", 1, digest]] * 2),
        (4, [["f%d" % n, 1, digest] for n in range(11)]),
        (4, [["../a", 1, digest]]),
        (4, [[".a", 1, digest]]),
        (4, [["A", 1, digest]]),
        (4, [["firmware.rom", update.FIRMWARE_BYTES_MAX + 1, digest]]),
        (4, [["firmware.rom", 1, digest[:31]]]),
        (4, [["firmware.rom", 1]]),
    ):
        changed = list(good)
        changed[position] = value
        _refused(update.decode, cbor.encode(changed))
    settings_for_a_board = list(good)
    settings_for_a_board[4] = [["alliance.json", 1, digest]]
    _refused(update.decode, cbor.encode(settings_for_a_board))
    _refused(update.decode, cbor.encode(good[:4]))
    _refused(update.decode, bytes(update.PAYLOAD_BYTES_MAX + 1))


def test_chunks_carry_the_hash_of_the_one_behind() -> None:
    stream = FIRMWARE + ALLIANCE
    expected = update.decode(made().payload).first
    got = b""
    for chunk in made().chunks():
        assert hashlib.sha256(chunk).digest() == expected
        offset, expected, data = update.decode_chunk(chunk)
        assert offset == len(got)
        got += data
    assert got == stream
    assert expected == b""


def test_chunks_in_another_form_are_refused() -> None:
    for chunk in (
        [0, b""],
        [-1, b"", b"x"],
        [0, bytes(31), b"x"],
        [0, None, b"x"],
        [0, b"", b""],
        [0, b"", bytes(1025)],
        [0, b"", "x"],
        {},
    ):
        _refused(update.decode_chunk, cbor.encode(chunk))
    good = made().chunks()[0]
    for length in range(0, len(good), 97):
        _refused(update.decode_chunk, good[:length])


def test_a_message_is_two_signatures_over_one_payload() -> None:
    whole = made()
    for which in (1, 0):
        whole = whole.with_signature(signature(which, whole.payload))
    row, signatures = update.open_pair(LEDGER, whole.message())
    assert row.version == VERSION
    for signed in signatures:
        which = [cose.kid_of(p256.public_from_private(key)) for key in KEYS].index(signed.kid)
        p256.verify(p256.public_from_private(KEYS[which]), signed.digest, signed.signature)
    assert sorted(signed.kid for signed in signatures) == [signed.kid for signed in signatures]


def test_other_messages_are_refused() -> None:
    payload = made().payload
    one, other = signature(0, payload).raw, signature(1, payload).raw
    foreign = signature(1, made([("alliance.json", b"x")], "").payload).raw
    for message in (
        b"",
        b"\x82",
        b"\x82" + one,
        b"\x83" + one + other,
        b"\x82" + one + other + b"\x00",
        b"\x82" + one + one,
        b"\x82" + one + foreign,
        b"\x82" + one + cbor.encode(1),
        b"\x82" + bytes(update.MESSAGE_BYTES_MAX),
    ):
        _refused(update.open_pair, LEDGER, message)
    try:
        made().with_signature(signature(0, payload)).message()
    except MalformedError as error:
        assert "1 signatures, expected 2" in str(error)
    else:
        raise AssertionError("a message with one signature")


def test_a_bundle_reads_back() -> None:
    whole = made()
    assert bundle.decode(whole.encode()).signatures == []
    whole = whole.with_signature(signature(2, whole.payload))
    whole = whole.with_signature(signature(0, whole.payload))
    whole = whole.with_signature(signature(0, whole.payload))
    found = bundle.decode(whole.encode())
    assert [signed.raw for signed in found.signatures] == [s.raw for s in whole.signatures]
    assert len(found.signatures) == 2
    assert (found.ledger_id, found.payload, found.stream) == (LEDGER, whole.payload, whole.stream)


def test_an_altered_bundle_is_refused() -> None:
    whole = made()
    data = whole.with_signature(signature(0, whole.payload)).encode()
    for at in (0, 3, 5, 45, len(data) - 1, len(data) - len(ALLIANCE) - 1):
        changed = bytearray(data)
        changed[at] ^= 1
        try:
            bundle.decode(bytes(changed))
        except (MalformedError, SignatureError):
            continue
        raise AssertionError("byte %d changed and not refused" % at)
    for length in (0, 3, 4, 40, len(data) - 1):
        _refused(bundle.decode, data[:length])
    _refused(bundle.decode, data + b"\x00")


def test_a_bundle_without_content_or_with_too_much_is_refused() -> None:
    _refused(made, [])
    _refused(made, [("alliance.json", b"")], "")
    _refused(made, [("firmware.rom", b"x")], "")
    _refused(made, [("alliance.json", bytes(update.SETTINGS_BYTES_MAX + 1))], "")
