"""Deterministic CBOR, the subset of SPEC section 1.

Written by hand because the same bytes must come out on CPython and on a board,
and because a decoder for signed data has to refuse every second way to write
the same item (RFC 8949 section 4.2.1); general decoders accept them.

    int, bytes, str, list, dict, True, False, None, Tag   <->   bytes
"""

from wattle_wire.errors import LimitError, MalformedError, TruncatedError

# What one message may cost a board with 110 kB of heap.
INPUT_BYTES_MAX = 65536
NESTING_MAX = 16
ITEMS_MAX = 4096

TAG_DECIMAL = 4
TAG_MAC0 = 17
TAG_SIGN1 = 18
_TAGS = (TAG_DECIMAL, TAG_MAC0, TAG_SIGN1)

INT_MIN = -(1 << 63)
INT_MAX = (1 << 63) - 1

_UINT, _NINT, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_FALSE, _TRUE, _NULL = 20, 21, 22
_KEY_MAJORS = (_UINT, _NINT, _TEXT)


class Tag:
    """A tagged item: `number` one of 4, 17, 18; `value` any encodable value."""

    __slots__ = ("number", "value")

    def __init__(self, number: int, value: object) -> None:
        self.number = number
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tag) and self.number == other.number and self.value == other.value

    def __hash__(self) -> int:
        return hash((self.number, repr(self.value)))

    def __repr__(self) -> str:
        return "Tag(%d, %r)" % (self.number, self.value)


def encode(value: object) -> bytes:
    """Encode a value deterministically.

    Takes int (int64), bytes, str, list or tuple, dict with int or str keys, bool, None, Tag.
    Raises MalformedError for any other type (floats above all), LimitError beyond the limits.
    """
    out = bytearray()
    _encode(value, out, 0)
    return bytes(out)


def array_head(count: int) -> bytes:
    """What stands before `count` encoded items to make them an array. Raises LimitError."""
    _check_items(count)
    out = bytearray()
    _head(_ARRAY, count, out)
    return bytes(out)


def bytes_head(length: int) -> bytes:
    """What stands before `length` bytes to make them a byte string."""
    out = bytearray()
    _head(_BYTES, length, out)
    return bytes(out)


def decode(data: bytes) -> object:
    """Decode exactly one item that fills `data`.

    Raises TruncatedError if the item is not complete, LimitError beyond the limits,
    MalformedError for everything that is not the deterministic encoding of one item.
    """
    value, end = decode_first(data, 0)
    if end != len(data):
        raise MalformedError("%d bytes behind the item, expected none" % (len(data) - end))
    return value


def decode_first(data: bytes, start: int) -> tuple[object, int]:
    """Decode the item that begins at `start`; gives (value, position behind it).

    For items that stand one behind another. Raises as `decode` does.
    """
    if len(data) - start > INPUT_BYTES_MAX:
        raise LimitError(
            "%d bytes of CBOR, expected at most %d" % (len(data) - start, INPUT_BYTES_MAX)
        )
    return _decode(data, start, 0)


def _head(major: int, argument: int, out: bytearray) -> None:
    major <<= 5
    if argument < 24:
        out.append(major | argument)
    elif argument < 0x100:
        out.append(major | 24)
        out.append(argument)
    elif argument < 0x10000:
        out.append(major | 25)
        out.extend(argument.to_bytes(2, "big"))
    elif argument < 0x100000000:
        out.append(major | 26)
        out.extend(argument.to_bytes(4, "big"))
    else:
        out.append(major | 27)
        out.extend(argument.to_bytes(8, "big"))


def _encode(value: object, out: bytearray, depth: int) -> None:
    # What a sample has most of stands first: a gateway does this for every sample it checks.
    if isinstance(value, str):
        text = value.encode()
        _head(_TEXT, len(text), out)
        out.extend(text)
    elif value is None or value is True or value is False:  # MicroPython: a bool is no int
        out.append(_SIMPLE << 5 | (_NULL if value is None else _TRUE if value else _FALSE))
    elif isinstance(value, int):
        _encode_int(value, out)
    elif isinstance(value, dict):
        _encode_map(value, out, depth)
    elif isinstance(value, (bytes, bytearray)):
        _head(_BYTES, len(value), out)
        out.extend(value)
    elif isinstance(value, (list, tuple)):
        _check_depth(depth)
        _check_items(len(value))
        _head(_ARRAY, len(value), out)
        for item in value:
            _encode(item, out, depth + 1)
    elif isinstance(value, Tag):
        if value.number not in _TAGS:
            raise MalformedError("tag %d, expected one of %r" % (value.number, _TAGS))
        _check_depth(depth)
        _head(_TAG, value.number, out)
        _encode(value.value, out, depth + 1)
    else:
        raise MalformedError("a value of type %s has no encoding" % type(value).__name__)


def _encode_int(value: int, out: bytearray) -> None:
    if 0 <= value < 24:
        out.append(value)
    elif not INT_MIN <= value <= INT_MAX:
        raise LimitError("integer %d, expected int64" % value)
    elif value < 0:
        _head(_NINT, -1 - value, out)
    else:
        _head(_UINT, value, out)


def _encode_map(value: dict[object, object], out: bytearray, depth: int) -> None:
    _check_depth(depth)
    _check_items(len(value))
    rows = []
    for key in value:
        rows.append((_encode_key(key), key))
    rows.sort(key=_first)
    _head(_MAP, len(rows), out)
    for encoded, key in rows:
        out.extend(encoded)
        _encode(value[key], out, depth + 1)


def _encode_key(key: object) -> bytes:
    if isinstance(key, bool) or not isinstance(key, (int, str)):
        raise MalformedError("map key %r, expected int or str" % (key,))
    if isinstance(key, int) and -24 <= key < 24:  # all labels of COSE and SenML that we use
        return bytes((key if key >= 0 else 0x1F - key,))
    return encode(key)


def _first(row: tuple[bytes, object]) -> bytes:
    return row[0]


def _check_depth(depth: int) -> None:
    if depth >= NESTING_MAX:
        raise LimitError("nested deeper than %d" % NESTING_MAX)


def _check_items(count: int) -> None:
    if count > ITEMS_MAX:
        raise LimitError("%d items in one array or map, expected at most %d" % (count, ITEMS_MAX))


def _argument(data: bytes, pos: int, info: int) -> tuple[int, int]:
    """The argument behind a head whose additional information is `info`, 24 or more (RFC 8949
    section 3), and the position behind it."""
    if info > 27:
        raise MalformedError(
            "head with additional information %d at byte %d, expected a definite length"
            % (info, pos - 1)
        )
    size = 1 << (info - 24)
    end = pos + size
    if end > len(data):
        raise TruncatedError("%d bytes, expected at least %d" % (len(data), end))
    argument = int.from_bytes(data[pos:end], "big")
    if argument < (24 if size == 1 else 1 << (size << 2)):
        raise MalformedError("%d is not encoded in its shortest form at byte %d" % (argument, pos))
    return argument, end


def _decode(data: bytes, pos: int, depth: int) -> tuple[object, int]:
    # As in _encode, what a sample has most of stands first.
    if pos >= len(data):
        raise TruncatedError("%d bytes, expected at least %d" % (len(data), pos + 1))
    first = data[pos]
    pos += 1
    if first < 24:
        return first, pos
    major = first >> 5
    argument = first & 31
    if argument > 23:
        argument, pos = _argument(data, pos, argument)
    if major == _TEXT:
        return _decode_string(data, pos, argument, major)
    if major <= _NINT:
        if argument > INT_MAX:
            raise LimitError("integer beyond int64 before byte %d" % pos)
        return (-1 - argument if major else argument), pos
    if major == _BYTES:
        return _decode_string(data, pos, argument, major)
    if major == _SIMPLE:
        return _simple(first), pos
    _check_depth(depth)
    if major == _MAP:
        return _decode_map(data, pos, argument, depth)
    if major == _ARRAY:
        _check_items(argument)
        items = []
        for _ in range(argument):
            item, pos = _decode(data, pos, depth + 1)
            items.append(item)
        return items, pos
    if argument not in _TAGS:
        raise MalformedError("tag %d, expected one of %r" % (argument, _TAGS))
    value, pos = _decode(data, pos, depth + 1)
    return Tag(argument, value), pos


def _simple(first: int) -> object:
    if first == _SIMPLE << 5 | _FALSE:
        return False
    if first == _SIMPLE << 5 | _TRUE:
        return True
    if first == _SIMPLE << 5 | _NULL:
        return None
    raise MalformedError("byte 0x%02x is no simple value we know (floats are refused)" % first)


def _decode_string(data: bytes, pos: int, length: int, major: int) -> tuple[object, int]:
    end = pos + length
    if end > len(data):
        raise TruncatedError("%d bytes, expected at least %d" % (len(data), end))
    content = bytes(data[pos:end])
    if major == _BYTES:
        return content, end
    try:
        return content.decode(), end
    except UnicodeError:
        raise MalformedError("text at byte %d is not UTF-8" % pos) from None


def _decode_map(data: bytes, pos: int, count: int, depth: int) -> tuple[object, int]:
    _check_items(count)
    result: dict[object, object] = {}
    last = b""
    for _ in range(count):
        begin = pos
        if begin < len(data) and data[begin] >> 5 not in _KEY_MAJORS:
            raise MalformedError("map key at byte %d, expected int or text" % begin)
        key, pos = _decode(data, pos, depth + 1)
        encoded = data[begin:pos]
        if encoded <= last:
            raise MalformedError("map key at byte %d is not above the one before" % begin)
        last = encoded
        result[key], pos = _decode(data, pos, depth + 1)
    return result, pos
