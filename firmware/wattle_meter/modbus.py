"""Modbus RTU frames of a master that reads and writes registers; pure: bytes in, numbers out.

Source: MODBUS Application Protocol V1.1b3 (functions 3, 4, 6, 16, exceptions) and MODBUS over
Serial Line V1.02 (RTU framing, CRC). Numbers inside a frame are big endian, except the CRC,
which is sent low byte first.
"""

from wattle_meter.errors import MeterError

READ_HOLDING = 3
READ_INPUT = 4
WRITE_SINGLE = 6
WRITE_MULTIPLE = 16

UNIT_MIN = 1  # 0 is broadcast: nobody answers a read
UNIT_MAX = 247  # 248..255 are reserved (Serial Line 2.2)
COUNT_MAX = 125  # a frame of 256 bytes holds no more (Application Protocol 6.3, 6.4)
REQUEST_BYTES = 8  # of a read or a single write
WRITE_RESPONSE_BYTES = 8
EXCEPTION_BYTES = 5
FRAME_BYTES_MAX = 256

_FUNCTION_MAX = 6  # functions 1 to 6 have requests of 8 bytes
_EXCEPTION_FLAG = 0x80
_EXCEPTIONS = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    6: "device busy",
    10: "gateway path unavailable",
    11: "gateway target silent",
}

# CRC-16/MODBUS four bits at a time. Measured on the 32-bit interpreter for 165 bytes (80
# registers): 76 us bit by bit, 14 us with these 16 entries, 9 us with 256 entries. The line
# needs 172 ms for them at 9600 Bd, so 16 entries are the right price.
_CRC_NIBBLES = (
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
)  # fmt: skip


class ModbusError(MeterError):
    """A request that cannot be made, or an answer that is none."""


class RequestError(ModbusError):
    """A request outside the limits of Modbus: our caller's mistake, nothing was sent."""


class FrameError(ModbusError):
    """Bytes that are not the answer which was asked for."""


class CrcError(ModbusError):
    """A frame whose check sum does not match."""


class ResponseTimeoutError(ModbusError):
    """No byte, or no whole answer, within the time allowed."""


class LineBusyError(ModbusError):
    """The line was not free in time; nothing was sent."""


class ForeignMasterError(ModbusError):
    """Somebody else asks on this line: an answer could be the one to another question."""


class ExceptionResponse(ModbusError):  # noqa: N818 - the standard's own term
    """The device refused the request; `code` is the exception code (1..255)."""

    def __init__(self, code: int) -> None:
        super().__init__("exception %d (%s)" % (code, _EXCEPTIONS.get(code, "not standard")))
        self.code = code


def crc16(data: bytes) -> int:
    """CRC-16/MODBUS of `data` (polynomial 0xA001 reflected, start 0xFFFF).

    A frame carries it low byte first.
    """
    nibbles = _CRC_NIBBLES
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 4) ^ nibbles[(crc ^ byte) & 15]
        crc = (crc >> 4) ^ nibbles[(crc ^ (byte >> 4)) & 15]
    return crc


def read_request(unit: int, function: int, address: int, count: int) -> bytes:
    """The 8 bytes that ask `unit` (1..247) for `count` (1..125) registers from `address`.

    `function` 3 reads holding, 4 input registers; `address` is the 0-based one of the wire.
    Raises RequestError for anything outside these limits.
    """
    if not UNIT_MIN <= unit <= UNIT_MAX:
        raise RequestError("unit %d, expected %d..%d" % (unit, UNIT_MIN, UNIT_MAX))
    if function not in (READ_HOLDING, READ_INPUT):
        raise RequestError("function %d, expected 3 or 4" % function)
    if not 1 <= count <= COUNT_MAX:
        raise RequestError("%d registers in one read, expected 1..%d" % (count, COUNT_MAX))
    if not 0 <= address <= 0x10000 - count:
        raise RequestError("registers %d..%d, expected 0..65535" % (address, address + count - 1))
    return _sealed(bytes((unit, function, address >> 8, address & 255, 0, count)))


def write_request(unit: int, function: int, address: int, words: list[int]) -> bytes:
    """The frame that makes `unit` write `words` (0..65535 each) from `address` on.

    `function` 6 writes one register, 16 any number. The caller has checked all of it.
    """
    body = bytes((unit, function, address >> 8, address & 255))
    if function == WRITE_MULTIPLE:
        body += bytes((0, len(words), 2 * len(words)))
    for word in words:
        body += bytes((word >> 8, word & 255))
    return _sealed(body)


def _sealed(body: bytes) -> bytes:
    crc = crc16(body)
    return body + bytes((crc & 255, crc >> 8))


def foreign_requests(data: bytes, own: bytes = b"") -> list[int]:
    """The units that somebody else asks in `data`: of sound requests other than `own`."""
    units = []
    for start in range(len(data) - REQUEST_BYTES + 1):
        frame = data[start : start + REQUEST_BYTES]
        if 0 < frame[1] <= _FUNCTION_MAX and frame != own:
            crc = crc16(frame[:-2])
            if frame[-2] == crc & 255 and frame[-1] == crc >> 8:
                units.append(frame[0])
    return units


def response_bytes(count: int) -> int:
    """Length of a frame that answers a read of `count` registers."""
    return 5 + 2 * count


def parse_read_response(frame: bytes, unit: int, function: int, count: int) -> list[int]:
    """The `count` register words (0..65535) in `frame`, which must be exactly one answer.

    Raises FrameError (wrong length, unit, function or byte count), CrcError, or
    ExceptionResponse when the device refused.
    """
    length = len(frame)
    if length != response_bytes(count) and length != EXCEPTION_BYTES:
        raise FrameError("%d bytes, expected %d" % (length, response_bytes(count)))
    crc = crc16(frame[:-2])
    if frame[-2] != crc & 255 or frame[-1] != crc >> 8:
        raise CrcError(
            "check sum %02x%02x, expected %02x%02x" % (frame[-2], frame[-1], crc & 255, crc >> 8)
        )
    if frame[0] != unit:
        raise FrameError("answer of unit %d, expected %d" % (frame[0], unit))
    if frame[1] == function | _EXCEPTION_FLAG and length == EXCEPTION_BYTES:
        raise ExceptionResponse(frame[2])
    if frame[1] != function:
        raise FrameError("function %d, expected %d" % (frame[1], function))
    if frame[2] != 2 * count or length != response_bytes(count):
        raise FrameError("%d data bytes announced, expected %d" % (frame[2], 2 * count))
    return [frame[at] << 8 | frame[at + 1] for at in range(3, length - 2, 2)]


def find_read_response(received: bytes, unit: int, function: int, count: int) -> list[int] | None:
    """The words of the first sound answer anywhere in `received`, or None.

    Noise, our own echo and answers of other units may stand before or behind it. Raises
    ExceptionResponse for a sound refusal, CrcError when what came has the head of the answer
    and its full length but no sound check sum (more bytes may still bring a sound one).
    """
    damaged = None
    for start in range(len(received) - EXCEPTION_BYTES + 1):
        if received[start] != unit:
            continue
        code = received[start + 1]
        if code == function and received[start + 2] == 2 * count:
            end = start + response_bytes(count)
        elif code == function | _EXCEPTION_FLAG:
            end = start + EXCEPTION_BYTES
        else:
            continue
        if end > len(received):
            continue
        try:
            return parse_read_response(received[start:end], unit, function, count)
        except CrcError as error:
            damaged = error
    if damaged is not None:
        raise damaged
    return None


def find_write_response(received: bytes, request: bytes, echoes: bool) -> bool:
    """Whether the sound answer to the write `request` is in `received`.

    A single write is answered by the very bytes of its request: on a line on which we hear
    ourselves (`echoes`) the answer is the second copy. Raises ExceptionResponse for a refusal.
    """
    refusal = bytes((request[0], request[1] | _EXCEPTION_FLAG))
    start = received.find(refusal)
    while start >= 0:
        frame = received[start : start + EXCEPTION_BYTES]
        if len(frame) == EXCEPTION_BYTES and frame == _sealed(frame[:3]):
            raise ExceptionResponse(frame[2])
        start = received.find(refusal, start + 1)
    if request[1] == WRITE_MULTIPLE:
        return _sealed(request[:6]) in received
    return received.count(request) > echoes
