"""Records in a segment file of the outbox; pure, over a file opened for reading.

Record = length of data (2 bytes), seq (8), CRC-32 of these ten bytes and the data (4), data;
numbers big endian. Whatever a power cut leaves of the last append is told from whole records.
"""

import binascii
import io
import struct

_HEAD = ">HQI"
HEAD_BYTES = 14
DATA_BYTES_MAX = 16384  # a sample (SPEC section 5)


def head(seq: int, data: bytes) -> bytes:
    """The 14 bytes that stand before `data` (1..16384 bytes) of `seq`."""
    assert 0 < len(data) <= DATA_BYTES_MAX
    start = struct.pack(">HQ", len(data), seq)
    return start + struct.pack(">I", binascii.crc32(data, binascii.crc32(start)))


def next_record(file: io.BufferedReader) -> tuple[int, int | None, bytes]:
    """Reads the record at the file's position: (bytes it takes, seq, data).

    seq is None for a record whose check sum is wrong: the next one stands behind it. The bytes
    are 0 where no further record can be found: at the end, or at a torn one (data not empty).
    Raises OSError.
    """
    start = file.read(HEAD_BYTES)
    if len(start) < HEAD_BYTES:
        return 0, None, start
    length, seq, crc = struct.unpack(_HEAD, start)
    if not 0 < length <= DATA_BYTES_MAX:
        return 0, None, start
    data = file.read(length)
    if len(data) < length:
        return 0, None, start + data
    if binascii.crc32(data, binascii.crc32(start[:10])) != crc:
        return HEAD_BYTES + length, None, data
    return HEAD_BYTES + length, seq, data
