"""Deterministic CBOR on every interpreter: known bytes, refusals, and how much arrives at once."""

import binascii

from wattle_wire import cbor
from wattle_wire.errors import LimitError, MalformedError, TruncatedError

# (value, encoding); the integers, strings, arrays and maps are rows of RFC 8949 appendix A
KNOWN = [
    (0, "00"),
    (10, "0a"),
    (23, "17"),
    (24, "1818"),
    (100, "1864"),
    (1000, "1903e8"),
    (1000000, "1a000f4240"),
    (1000000000000, "1b000000e8d4a51000"),
    ((1 << 63) - 1, "1b7fffffffffffffff"),
    (-(1 << 63), "3b7fffffffffffffff"),
    (-1, "20"),
    (-10, "29"),
    (-100, "3863"),
    (-1000, "3903e7"),
    (False, "f4"),
    (True, "f5"),
    (None, "f6"),
    (b"", "40"),
    (b"\x01\x02\x03\x04", "4401020304"),
    ("", "60"),
    ("a", "6161"),
    ("IETF", "6449455446"),
    ("\u00fc", "62c3bc"),
    ("\u6c34", "63e6b0b4"),
    ([], "80"),
    ([1, [2, 3], [4, 5]], "8301820203820405"),
    ({}, "a0"),
    ({1: 2, 3: 4}, "a201020304"),
    ({"a": 1, "b": [2, 3]}, "a26161016162820203"),
    (["a", {"b": "c"}], "826161a161626163"),
    (cbor.Tag(4, [-2, 27315]), "c48221196ab3"),
]

# Well-formed CBOR, or nearly so, that the deterministic subset refuses
REFUSED = [
    "1800",  # 0 in two bytes
    "190017",
    "1a0000ffff",
    "1b00000000ffffffff",
    "1bffffffffffffffff",  # beyond int64
    "3bffffffffffffffff",
    "5801ff",  # one byte string, long length
    "5f4101ff",  # indefinite lengths
    "7f6161ff",
    "9f01ff",
    "bf0102ff",
    "a203040102",  # keys not sorted
    "a201020102",  # a key twice
    "a1f500",  # a boolean as key
    "a14100",  # a byte string as key
    "a18000",  # an array as key
    "f90000",  # floats
    "fa00000000",
    "fb0000000000000000",
    "f7",  # undefined
    "f8ff",
    "e0",
    "ff",
    "1c",
    "c000",  # tags that we do not use
    "c10a",
    "d8640a",
    "d9d9f700",
    "62c328",  # not UTF-8
    "61ff",
]


def _raises(kind: type, data: bytes) -> None:
    try:
        cbor.decode(data)
    except kind:
        return
    raise AssertionError("%s was not refused" % binascii.hexlify(data).decode())


def test_known_values_encode_and_decode() -> None:
    for value, text in KNOWN:
        data = binascii.unhexlify(text)
        assert cbor.encode(value) == data, text
        decoded = cbor.decode(data)
        assert decoded == value, text
        assert type(decoded) is type(value), text


def test_other_encodings_are_refused() -> None:
    for text in REFUSED:
        _raises(MalformedError, binascii.unhexlify(text))


def test_every_truncation_is_refused_as_truncated() -> None:
    for _, text in KNOWN:
        data = binascii.unhexlify(text)
        for length in range(len(data)):
            _raises(TruncatedError, data[:length])


def test_bytes_behind_the_item_are_refused() -> None:
    for _, text in KNOWN:
        _raises(MalformedError, binascii.unhexlify(text) + b"\x00")


def test_concatenated_items_come_out_one_by_one() -> None:
    stream = b"".join([binascii.unhexlify(text) for _, text in KNOWN])
    position = 0
    for value, _ in KNOWN:
        item, position = cbor.decode_first(stream, position)
        assert item == value
    assert position == len(stream)


def test_byte_by_byte_a_stream_says_truncated_until_an_item_is_whole() -> None:
    stream = b"".join([binascii.unhexlify(text) for _, text in KNOWN])
    buffer = bytearray()
    found = []
    for byte in stream:
        buffer.append(byte)
        try:
            item, end = cbor.decode_first(bytes(buffer), 0)
        except TruncatedError:
            continue
        assert end == len(buffer)
        found.append(item)
        buffer = bytearray()
    assert found == [value for value, _ in KNOWN]


def test_garbage_in_front_is_refused() -> None:
    data = cbor.encode([1, 2, 3])
    for first in range(256):
        if first >> 5 in (2, 3, 4, 5, 6) or first & 31 in (24, 25, 26, 27):
            continue  # a head that takes what follows as its own is another item, not garbage
        _raises(MalformedError, bytes([first]) + data)


def test_no_bytes_raise_anything_but_our_errors() -> None:
    state = 12345
    for _ in range(600):
        data = bytearray()
        for _ in range(state % 24):
            state = (state * 1103515245 + 12345) % (1 << 31)
            data.append((state >> 16) & 0xFF)
        state = (state * 1103515245 + 12345) % (1 << 31)
        try:
            value = cbor.decode(bytes(data))
        except MalformedError:
            continue
        assert cbor.encode(value) == bytes(data)


def test_nesting_is_limited_both_ways() -> None:
    deepest = b"\x81" * cbor.NESTING_MAX + b"\x00"
    value = cbor.decode(deepest)
    assert cbor.encode(value) == deepest
    _raises(LimitError, b"\x81" + deepest)
    try:
        cbor.encode([value])
    except LimitError:
        return
    raise AssertionError("an encoding nested too deeply was made")


def test_sizes_are_limited() -> None:
    _raises(LimitError, b"\x99\x10\x01" + b"\x00" * 4097)
    _raises(LimitError, b"\x9a\xff\xff\xff\xff")
    _raises(LimitError, b"\xba\xff\xff\xff\xff")
    _raises(LimitError, b"\x00" * (cbor.INPUT_BYTES_MAX + 1))
    _raises(TruncatedError, b"\x5a\xff\xff\xff\xff")


def test_values_without_an_encoding_are_refused() -> None:
    for value in (1.5, 1 << 63, -(1 << 63) - 1, {b"k": 1}, {True: 1}, object(), cbor.Tag(5, 1)):
        try:
            cbor.encode(value)
        except MalformedError:
            continue
        raise AssertionError(repr(value))


def test_an_empty_container_counts_as_one_level_both_ways() -> None:
    for empty, value in ((b"\x80", []), (b"\xa0", {})):
        item: object = value
        for _ in range(cbor.NESTING_MAX - 1):
            item = [item]
        data = b"\x81" * (cbor.NESTING_MAX - 1) + empty
        assert cbor.encode(item) == data
        assert cbor.decode(data) == item
        _raises(LimitError, b"\x81" + data)
        try:
            cbor.encode([item])
        except LimitError:
            continue
        raise AssertionError("an encoding nested too deeply was made")
