"""Records in a segment file of the outbox; pure, over a file opened for reading.

Record = length of data (2 bytes; the highest bit: it is packed), seq (8), CRC-32 of these ten
bytes and the data (4), data; numbers big endian. Whatever a power cut leaves of the last append is
told from whole records.
"""

import binascii
import io
import struct

_HEAD = ">HQI"
HEAD_BYTES = 14
DATA_BYTES_MAX = 16384  # a sample (SPEC section 5)
_PACKED = 0x8000


def head(seq: int, data: bytes, packed: bool) -> bytes:
    """The 14 bytes that stand before `data` (1..16384 bytes, packed or not) of `seq`."""
    assert 0 < len(data) <= DATA_BYTES_MAX
    start = struct.pack(">HQ", len(data) | (_PACKED if packed else 0), seq)
    return start + struct.pack(">I", binascii.crc32(data, binascii.crc32(start)))


def next_record(file: io.BufferedReader) -> tuple[int, int | None, bytes, bool]:
    """Reads the record at the file's position: (bytes it takes, seq, data, whether it is packed).

    seq is None for a record whose check sum is wrong: the next one stands behind it. The bytes
    are 0 where no further record can be found: at the end, or at a torn one (data not empty).
    Raises OSError.
    """
    start = file.read(HEAD_BYTES)
    if len(start) < HEAD_BYTES:
        return 0, None, start, False
    length, seq, crc = struct.unpack(_HEAD, start)
    packed = length >= _PACKED
    length &= _PACKED - 1
    if not 0 < length <= DATA_BYTES_MAX:
        return 0, None, start, False
    data = file.read(length)
    if len(data) < length:
        return 0, None, start + data, False
    if binascii.crc32(data, binascii.crc32(start[:10])) != crc:
        return HEAD_BYTES + length, None, data, packed
    return HEAD_BYTES + length, seq, data, packed
