"""Modbus RTU frames as a slave sees them: CRC, lengths of requests, and finding them in a stream.

A real slave separates frames by 3.5 characters of silence. On a pty that alone cannot work: the
kernel hands over what a process writes in pieces and whenever it is scheduled. So requests are
found by their length and CRC, and silence only throws away what became none.
"""

from collections.abc import Set

# Modbus over Serial Line V1.02, section 2.3: an RTU frame has at most 256 bytes.
MAX_FRAME_BYTES = 256
MIN_FRAME_BYTES = 4
BROADCAST_UNIT = 0

_POLYNOMIAL = 0xA001
_CRC_BYTES = 2


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return tuple(table)


_TABLE = _crc_table()


def crc16(data: bytes) -> int:
    """CRC of Modbus over Serial Line V1.02, section 6.2.2: start 0xFFFF, low byte sent first."""
    crc = 0xFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


def seal(body: bytes) -> bytes:
    """A frame: unit id and PDU, followed by their CRC."""
    return body + crc16(body).to_bytes(_CRC_BYTES, "little")


def is_sealed(frame: bytes) -> bool:
    """Whether the last two bytes are the CRC of those before."""
    return len(frame) >= MIN_FRAME_BYTES and seal(frame[:-_CRC_BYTES]) == frame


# Bytes of a request frame by function (Modbus Application Protocol V1.1b3, section 6).
_FIXED_BYTES = {1: 8, 2: 8, 3: 8, 4: 8, 5: 8, 6: 8, 7: 4, 8: 8, 11: 4, 12: 4, 17: 4, 22: 10, 24: 6}
# Where the byte count lies, and how many bytes there are beside those it counts.
_COUNTED_BYTES = {15: (6, 9), 16: (6, 9), 20: (2, 5), 21: (2, 5), 23: (10, 13)}


def _request_bytes(data: bytes, start: int) -> int | None:
    """Length of the request that would begin at start; None = unknown or not yet to be told."""
    if start + 1 >= len(data):
        return None
    function = data[start + 1]
    if function in _COUNTED_BYTES:
        count_at, others = _COUNTED_BYTES[function]
        if start + count_at >= len(data):
            return None
        return data[start + count_at] + others
    return _FIXED_BYTES.get(function)


class RequestScanner:
    """Finds requests in the bytes of one line, whatever they are cut into or mixed with.

    units: the devices on the line; behind garbage only a request to one of them is believed.
    silence_ns: after this long without a byte what is left is one frame of a function without known
    length, or garbage.
    """

    def __init__(self, units: Set[int], silence_ns: int) -> None:
        self._units = units
        self._silence_ns = silence_ns
        self._buffer = b""
        self._last_ns = 0
        self.garbage_bytes = 0

    @property
    def deadline_ns(self) -> int | None:
        """When `feed` must be called even without data; None while nothing is left over."""
        return self._last_ns + self._silence_ns if self._buffer else None

    def feed(self, data: bytes, at_ns: int) -> list[bytes]:
        """Whole request frames with a good CRC, in order; data may be empty (time goes on)."""
        frames = self._after_silence() if self._is_silent(at_ns) else []
        if data:
            self._last_ns = at_ns
            self._buffer += data
            frames += self._scan()
        return frames

    def reset(self) -> None:
        """Forgets what is left over, without counting it."""
        self._buffer = b""

    def _is_silent(self, at_ns: int) -> bool:
        return bool(self._buffer) and at_ns >= self._last_ns + self._silence_ns

    def _after_silence(self) -> list[bytes]:
        rest, self._buffer = self._buffer, b""
        if is_sealed(rest):
            return [rest]
        self.garbage_bytes += len(rest)
        return []

    def _scan(self) -> list[bytes]:
        frames = []
        start = 0
        while start <= len(self._buffer) - MIN_FRAME_BYTES:
            frame = self._frame_at(start)
            if frame is None:
                start += 1
                continue
            frames.append(frame)
            self.garbage_bytes += start
            self._buffer = self._buffer[start + len(frame) :]
            start = 0
        surplus = len(self._buffer) - MAX_FRAME_BYTES
        if surplus > 0:
            self.garbage_bytes += surplus
            self._buffer = self._buffer[surplus:]
        return frames

    def _frame_at(self, start: int) -> bytes | None:
        if start > 0 and self._buffer[start] not in self._units:
            return None
        length = _request_bytes(self._buffer, start)
        if length is None or length > min(MAX_FRAME_BYTES, len(self._buffer) - start):
            return None
        frame = self._buffer[start : start + length]
        return frame if is_sealed(frame) else None
