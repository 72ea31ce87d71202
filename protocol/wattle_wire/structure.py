"""Checks shared by everything that is a CBOR array or map with typed members."""

from wattle_wire import cbor
from wattle_wire.errors import MalformedError


def array(value: object, length: int, what: str) -> list[object]:
    """`value` if it is an array of `length` items, else MalformedError naming `what`."""
    if not isinstance(value, list) or len(value) != length:
        raise MalformedError("%s is not an array of %d" % (what, length))
    return value


def items(value: object, most: int, what: str) -> list[object]:
    """`value` if it is an array of at most `most` items, else MalformedError."""
    if not isinstance(value, list) or len(value) > most:
        raise MalformedError("%s is not an array of at most %d" % (what, most))
    return value


def uint(value: object, what: str, most: int = cbor.INT_MAX) -> int:
    """`value` if it is an integer 0 .. most, else MalformedError."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise MalformedError("%s is %r, expected an integer 0 to %d" % (what, value, most))
    return value


def integer(value: object, what: str) -> int:
    """`value` if it is an int64, else MalformedError."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise MalformedError("%s is %r, expected an integer" % (what, value))
    return value


def octets(value: object, size: int, what: str) -> bytes:
    """`value` if it is a byte string of `size` bytes, else MalformedError."""
    if not isinstance(value, bytes) or len(value) != size:
        raise MalformedError("%s is not a byte string of %d" % (what, size))
    return value


def text(value: object, most: int, what: str) -> str:
    """`value` if it is text of 1 to `most` characters, else MalformedError."""
    if not isinstance(value, str) or not 1 <= len(value) <= most:
        raise MalformedError("%s is not text of 1 to %d characters" % (what, most))
    return value


def ranges(value: object, most: int, what: str) -> list[list[int]]:
    """`value` if it is at most `most` rising, disjoint pairs [from, to], else MalformedError."""
    last = -1
    result = []
    for pair in items(value, most, what):
        row = array(pair, 2, what)
        first = uint(row[0], what)
        to = uint(row[1], what)
        if not last < first <= to:
            raise MalformedError("%s: %d..%d is not rising" % (what, first, to))
        last = to
        result.append([first, to])
    return result
