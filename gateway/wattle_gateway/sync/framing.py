"""A peer message as bytes: one byte for the kind, then parts with their lengths (SPEC 15).

Parts are copied verbatim and never re-encoded, so a block of 256 KiB costs no CBOR.
"""

from collections.abc import Iterable

from wattle_gateway.sync.errors import PeerMessageError

# What one message may make the receiver hold. An answer is filled up to ANSWER_BYTES and one
# block more, of at most 4 MiB (the bound of `block_payload_bytes_max`).
MESSAGE_BYTES_MAX = 8 << 20
# A block of 4,096 entries has 4,097 parts; an answer is full at fifteen of these.
PARTS_MAX = 65536
# Long enough that a catch-up is not made of round trips, short enough that a link that takes
# 100 kB/s delivers it within ten seconds.
ANSWER_BYTES = 1 << 20
LENGTH_BYTES = 4


def join(kind: int, parts: Iterable[bytes]) -> bytes:
    """The bytes of a message."""
    out = [bytes([kind])]
    for part in parts:
        out.append(len(part).to_bytes(LENGTH_BYTES, "big"))
        out.append(part)
    raw = b"".join(out)
    assert len(raw) <= MESSAGE_BYTES_MAX, len(raw)
    return raw


def split(raw: bytes) -> tuple[int, list[bytes]]:
    """Kind and parts (at least the head) of a message; PeerMessageError if it is none."""
    if not 1 <= len(raw) <= MESSAGE_BYTES_MAX:
        raise PeerMessageError(f"message of {len(raw)} bytes, expected 1 to {MESSAGE_BYTES_MAX}")
    parts: list[bytes] = []
    start = 1
    while start < len(raw):
        if len(parts) == PARTS_MAX:
            raise PeerMessageError(f"message of more than {PARTS_MAX} parts")
        begin = start + LENGTH_BYTES
        start = begin + int.from_bytes(raw[start:begin], "big")
        if begin > len(raw) or start > len(raw):
            raise PeerMessageError(f"part {len(parts)} runs beyond the message's {len(raw)} bytes")
        parts.append(raw[begin:start])
    if not parts:
        raise PeerMessageError("message without a head")
    return raw[0], parts
