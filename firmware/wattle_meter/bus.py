"""Master of one Modbus RTU line: one request at a time, answered, refused or counted as failed.

RTU frames carry no number that ties an answer to its question: an answer that comes after its
time-out looks like the answer to the next question for as many registers. Therefore a unit
that stayed silent is left alone for LATE_ANSWER_MS, and what it says meanwhile is dropped.
"""

from wattle_meter.board import Clock, SerialPort
from wattle_meter.errors import MeterError
from wattle_meter.line import Line
from wattle_meter.modbus import (
    FRAME_BYTES_MAX,
    REQUEST_BYTES,
    CrcError,
    ExceptionResponse,
    FrameError,
    ModbusError,
    ResponseTimeoutError,
    find_read_response,
    read_request,
    response_bytes,
)

LATE_ANSWER_MS = 1000  # answers later than this after their time-out have not been reported
# Bytes of one frame follow each other within 1.5 characters, but USB adapters hand them over in
# pieces up to 16 ms apart: after a damaged frame and this silence nothing more will come.
FRAME_PIECES_MS = 50
# A line that is never silent this long has a babbling device or a second master.
BABBLE_MS = 250
# What is kept while an answer is searched: a whole frame behind a whole frame of noise.
RECEIVED_BYTES_MAX = 2 * FRAME_BYTES_MAX


class LineLostError(MeterError):
    """The serial line itself is gone (adapter unplugged, driver error)."""


class Bus:
    """Reads registers over `port`; belongs to one task, which waits for each answer.

    `counts` says how often each outcome happened, plus the bytes dropped as stale.
    """

    def __init__(self, port: SerialPort, line: Line, clock: Clock) -> None:
        self._port = port
        self._line = line
        self._clock = clock
        self._silent_from = 0  # tick of the last byte on the line, in or out
        self._rested_at: dict[int, int] = {}  # unit: tick from which it takes a request
        self._late_until: dict[int, int] = {}  # unit: tick until which an old answer may come
        self.counts = {
            "answer": 0,
            "crc": 0,
            "exception": 0,
            "frame": 0,
            "line": 0,
            "stale_bytes": 0,
            "timeout": 0,
        }

    def expects_late_answer(self, unit: int) -> bool:
        """Whether a read of `unit` would first wait for a late answer to pass."""
        return self._late_until.get(unit, 0) > self._clock.ticks_ms()

    async def read(
        self,
        unit: int,
        function: int,
        address: int,
        count: int,
        answer_timeout_ms: int,
        pause_ms: int = 0,
    ) -> list[int]:
        """The words of `count` registers of `unit` from `address`.

        A silent device costs `answer_timeout_ms`; `pause_ms` is the rest that this unit is
        given before its next request. Raises ResponseTimeoutError, CrcError, FrameError,
        ExceptionResponse or LineLostError, each counted, and RequestError.
        """
        request = read_request(unit, function, address, count)
        try:
            await self._silence(unit)
            self._port.write(request)
            words = await self._answer(unit, function, count, answer_timeout_ms)
        except OSError as error:
            self.counts["line"] += 1
            raise LineLostError("serial line: %r" % error)  # noqa: B904 - no chaining on boards
        except ModbusError as error:
            self._count(unit, error)
            raise
        finally:
            self._silent_from = self._clock.ticks_ms()
            self._rested_at[unit] = self._silent_from + pause_ms
        self.counts["answer"] += 1
        return words

    def _count(self, unit: int, error: ModbusError) -> None:
        if isinstance(error, ExceptionResponse):
            self.counts["exception"] += 1
        elif isinstance(error, CrcError):
            self.counts["crc"] += 1
        else:
            self.counts["timeout" if isinstance(error, ResponseTimeoutError) else "frame"] += 1
            self._late_until[unit] = self._clock.ticks_ms() + LATE_ANSWER_MS

    async def _silence(self, unit: int) -> None:
        """Waits until `unit` has rested and the line is silent; drops what came unasked."""
        silence_ms = self._line.silence_ms()
        start = max(
            self._silent_from + silence_ms,
            self._rested_at.get(unit, 0),
            self._late_until.get(unit, 0),
        )
        wait_ms = start - self._clock.ticks_ms()
        if wait_ms > 0:
            await self._clock.sleep_ms(wait_ms)
        give_up = self._clock.ticks_ms() + BABBLE_MS
        while True:
            stale = self._port.read_available()
            if not stale:
                return
            self.counts["stale_bytes"] += len(stale)
            if self._clock.ticks_ms() >= give_up:
                raise FrameError("the line is not silent for %d ms" % BABBLE_MS)
            await self._clock.sleep_ms(silence_ms)

    async def _answer(self, unit: int, function: int, count: int, timeout_ms: int) -> list[int]:
        clock = self._clock
        until = clock.ticks_ms() + self._line.transfer_ms(REQUEST_BYTES) + timeout_ms
        received = b""
        damage = None
        in_time = True
        while in_time:
            left_ms = until - clock.ticks_ms()
            in_time = left_ms > 0 and await self._port.wait_readable(left_ms)
            # A TLS handshake may have held us up beyond the time-out: what came meanwhile counts.
            piece = self._port.read_available()
            if not piece:
                if in_time:
                    raise OSError("readable without bytes: the other end is closed")
                break
            if not received:  # it began to answer: it may finish
                until += self._line.transfer_ms(response_bytes(count))
            received = (received + piece)[-RECEIVED_BYTES_MAX:]
            try:
                words = find_read_response(received, unit, function, count)
            except CrcError as error:
                damage = error
                until = min(until, clock.ticks_ms() + FRAME_PIECES_MS)
                words = None
            if words is not None:
                return words
        if damage is not None:
            raise damage
        if received:
            raise FrameError("%d bytes, but no answer of unit %d" % (len(received), unit))
        raise ResponseTimeoutError("unit %d is silent for %d ms" % (unit, timeout_ms))
