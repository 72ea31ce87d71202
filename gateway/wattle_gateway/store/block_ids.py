"""The ids of a commit's blocks as bytes: neighbours mostly, so differences in a byte each."""

from collections.abc import Iterable

from wattle_gateway.errors import StoreError

_MORE = 0x80


def encode(ids: Iterable[int]) -> bytes:
    """Each id as its difference from the one before (zigzag), seven bits a byte, lowest first."""
    raw = bytearray()
    previous = 0
    for number in ids:
        step = number - previous
        value = 2 * step if step >= 0 else -2 * step - 1
        while value >= _MORE:
            raw.append(value & (_MORE - 1) | _MORE)
            value >>= 7
        raw.append(value)
        previous = number
    return bytes(raw)


def decode(raw: bytes) -> tuple[int, ...]:
    """The ids that `encode` wrote; StoreError if the bytes are none."""
    ids: list[int] = []
    previous = value = shift = 0
    for byte in raw:
        value |= (byte & (_MORE - 1)) << shift
        shift += 7
        if not byte & _MORE:
            previous += -(value + 1) // 2 if value & 1 else value // 2
            ids.append(previous)
            value = shift = 0
    if shift:
        raise StoreError("the blocks of a commit end within an id; run `wattle-gateway audit`")
    return tuple(ids)
