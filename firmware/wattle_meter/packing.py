"""Samples packed for flash: what repeats within a sample is stored once; pure.

The readings of a sample name the same quantities and units again and again, and their values
hardly move: packed, ten readings take less than half. A form of its own, because the deflate of
most boards only unpacks, and because this needs no memory beside its result.

A packed sample is a row of

    0xxxxxxx                 x + 1 bytes follow as they are
    1xxxxxyy yyyyyyyy        x + 4 bytes are those that stand y + 1 before here in the sample
"""

from wattle_meter.errors import MeterError

TYPE_CHECKING = False  # there is no typing on MicroPython; a type checker reads this as true
if TYPE_CHECKING:
    from collections.abc import Generator

_AS_IS_MAX = 128
_REPEAT_MIN = 4
_REPEAT_MAX = _REPEAT_MIN + 31
_BACK_MAX = 1024  # two readings of a device with all that a three-phase meter gives
# Ten readings take a board 7 million instructions; a read that is due waits for one slice, 1.2.
_SLICE_LOOKS = 50


class PackedDamagedError(MeterError):
    """Bytes that pack_steps() never made."""


def pack_steps(data: bytes) -> "Generator[bytes | None, None, None]":
    """Packs `data` in slices: None between them, last the packed bytes."""
    out = bytearray()
    at = as_is = looks = 0  # everything before `as_is` is in `out`
    while at + _REPEAT_MIN <= len(data):
        looks += 1
        if looks % _SLICE_LOOKS == 0:
            yield None
        begin = max(0, at - _BACK_MAX)
        start = data.rfind(data[at : at + _REPEAT_MIN], begin, at + _REPEAT_MIN - 1)
        if start < 0:
            at += 1
            continue
        _copy(data, as_is, at, out)
        length = _REPEAT_MIN
        most = min(_REPEAT_MAX, len(data) - at)
        while length < most and data[start + length] == data[at + length]:
            length += 1
        word = 0x8000 | (length - _REPEAT_MIN) << 10 | (at - start - 1)
        out.append(word >> 8)
        out.append(word & 255)
        at += length
        as_is = at
    _copy(data, as_is, len(data), out)
    yield bytes(out)


def unpack(packed: bytes, bytes_max: int) -> bytearray:
    """What was packed. Raises PackedDamagedError, also if it is longer than `bytes_max`."""
    size = _size(packed)
    if size > bytes_max:
        raise PackedDamagedError("%d bytes, at most %d" % (size, bytes_max))
    # Whole at once and not copied: a heap in pieces has no room to let it grow, or for two.
    out = bytearray(size)
    at = made = 0
    while at < len(packed):
        first = packed[at]
        if first < _AS_IS_MAX:
            length = first + 1
            out[made : made + length] = packed[at + 1 : at + 1 + length]
            at += 1 + length
        else:
            length = (first >> 2 & 31) + _REPEAT_MIN
            _repeat(out, made, ((first & 3) << 8 | packed[at + 1]) + 1, length)
            at += 2
        made += length
    return out


def _size(packed: bytes) -> int:
    """How long it is unpacked. Raises PackedDamagedError if its end is missing."""
    size = at = 0
    while at < len(packed):
        first = packed[at]
        if first < _AS_IS_MAX:
            size += first + 1
            at += first + 2
        else:
            size += (first >> 2 & 31) + _REPEAT_MIN
            at += 2
    if at > len(packed):
        raise PackedDamagedError("%d bytes are missing at the end" % (at - len(packed)))
    return size


def _repeat(out: bytearray, made: int, back: int, length: int) -> None:
    if back > made:
        raise PackedDamagedError("a repetition of what stands before the sample")
    while length:
        count = min(back, length)  # no further than into what is made by then
        out[made : made + count] = out[made - back : made - back + count]
        made += count
        length -= count


def _copy(data: bytes, first: int, end: int, out: bytearray) -> None:
    while first < end:
        length = min(_AS_IS_MAX, end - first)
        out.append(length - 1)
        out.extend(data[first : first + length])
        first += length
