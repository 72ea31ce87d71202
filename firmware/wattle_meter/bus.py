"""Master of one Modbus RTU line: one request at a time, answered, refused or counted as failed.

RTU frames carry no number that ties an answer to its question: an answer that comes after its
time-out looks like the answer to the next question for as many registers, and so does the answer
to another master's question. Therefore a unit that stayed silent, or that somebody else has
asked, is left alone for a while, and what it says meanwhile is dropped.
"""

from wattle_meter.board import Clock, SerialPort
from wattle_meter.errors import MeterError
from wattle_meter.line import Line
from wattle_meter.modbus import (
    FRAME_BYTES_MAX,
    WRITE_RESPONSE_BYTES,
    CrcError,
    ExceptionResponse,
    ForeignMasterError,
    FrameError,
    LineBusyError,
    ModbusError,
    ResponseTimeoutError,
    find_read_response,
    find_write_response,
    foreign_requests,
    read_request,
    response_bytes,
    write_request,
)

LATE_ANSWER_MS = 1000  # answers later than this after their time-out have not been reported
# Bytes of one frame follow each other within 1.5 characters, but USB adapters hand them over in
# pieces up to 16 ms apart: after a damaged frame and this silence nothing more will come.
FRAME_PIECES_MS = 50
# A line that is never silent this long has a babbling device or a second master.
BABBLE_MS = 250
# What is kept while an answer is searched: a whole frame behind a whole frame of noise.
RECEIVED_BYTES_MAX = 2 * FRAME_BYTES_MAX
_NO_DEADLINE = 1 << 62

# Outcomes of a read, as they are counted.
ANSWER, EXCEPTION, TIMEOUT, CRC, FRAME = "answer", "exception", "timeout", "crc", "frame"
BUSY, FOREIGN, LINE = "busy", "foreign", "line"
_LATE_ANSWER_COMES = (TIMEOUT, FRAME, FOREIGN)
OUTCOMES = (ANSWER, EXCEPTION, TIMEOUT, CRC, FRAME, BUSY, FOREIGN, LINE)


class LineLostError(MeterError):
    """The serial line itself is gone (adapter unplugged, driver error)."""


def outcome_of(error: Exception) -> str:
    """The name under which a failed read is counted."""
    for kind, outcome in (
        (ExceptionResponse, EXCEPTION),
        (ResponseTimeoutError, TIMEOUT),
        (CrcError, CRC),
        (LineBusyError, BUSY),
        (ForeignMasterError, FOREIGN),
        (LineLostError, LINE),
    ):
        if isinstance(error, kind):
            return outcome
    return FRAME


class Bus:
    """Reads and writes registers over `port`; belongs to one task, which waits for each answer.

    `counts` says how often each outcome happened, plus the bytes dropped as stale.
    """

    def __init__(self, port: SerialPort, line: Line, clock: Clock) -> None:
        self._port = port
        self._line = line
        self._clock = clock
        self._silent_from = 0  # tick of the last byte on the line, in or out
        self._rested_at: dict[int, int] = {}  # unit: tick from which it takes a request
        self._late_until: dict[int, int] = {}  # unit: tick until which an old answer may come
        self._echoes = False  # the last answered read was heard by ourselves too
        self.counts = dict.fromkeys(OUTCOMES, 0)
        self.counts["stale_bytes"] = 0

    def expects_late_answer(self, unit: int) -> bool:
        """Whether `unit` may still answer an earlier request, which would pass for a new one."""
        return self._late_until.get(unit, 0) > self._clock.ticks_ms()

    async def read(
        self,
        unit: int,
        function: int,
        address: int,
        count: int,
        answer_timeout_ms: int,
        pause_ms: int = 0,
        until: int = _NO_DEADLINE,
    ) -> list[int]:
        """The words of `count` registers of `unit` from `address`.

        A silent device costs `answer_timeout_ms`; `pause_ms` is the rest that this unit is
        given before its next request. Whatever happens, the line is free again at tick `until`.
        Raises ResponseTimeoutError, CrcError, FrameError, ExceptionResponse, LineBusyError,
        ForeignMasterError or LineLostError, each counted, and RequestError.
        """
        request = read_request(unit, function, address, count)

        def find(received: bytes) -> list[int] | None:
            words = find_read_response(received, unit, function, count)
            if words is not None:
                self._echoes = request in received
            return words

        size = response_bytes(count)
        return await self._exchange(request, size, find, answer_timeout_ms, pause_ms, until)

    async def write(
        self,
        unit: int,
        function: int,
        address: int,
        words: list[int],
        answer_timeout_ms: int,
        pause_ms: int = 0,
        until: int = _NO_DEADLINE,
    ) -> None:
        """Has `unit` take `words` from register `address` on; times and errors as with read.

        After any error but ExceptionResponse and LineBusyError they may have been taken.
        """
        request = write_request(unit, function, address, words)

        def find(received: bytes) -> list[int] | None:
            return words if find_write_response(received, request, self._echoes) else None

        size = WRITE_RESPONSE_BYTES
        await self._exchange(request, size, find, answer_timeout_ms, pause_ms, until)

    async def _exchange(  # type: ignore[no-untyped-def]
        self,
        request: bytes,
        answer_bytes: int,
        find,
        answer_timeout_ms: int,
        pause_ms: int,
        until: int,
    ) -> list[int]:
        """What `find(received)` finds in the bytes that come after `request`; None means that
        the answer is not there yet.
        """
        unit = request[0]
        request_ms = self._line.transfer_ms(len(request))
        answer_ms = self._line.transfer_ms(answer_bytes)
        try:
            await self._silence(unit, until - request_ms - answer_ms)
            self._port.write(request)
            asked = self._clock.ticks_ms() + request_ms
            begin = min(asked + answer_timeout_ms, until - answer_ms)
            try:
                words = await self._answer(request, answer_bytes, find, begin, answer_ms)
            finally:
                self._silent_from = self._clock.ticks_ms()
                self._rested_at[unit] = self._silent_from + pause_ms
        except OSError as error:
            self.counts[LINE] += 1
            raise LineLostError("serial line: %r" % error)  # noqa: B904 - no chaining on boards
        except ModbusError as error:
            outcome = outcome_of(error)
            self.counts[outcome] += 1
            if outcome in _LATE_ANSWER_COMES:
                self._late_until[unit] = self._clock.ticks_ms() + LATE_ANSWER_MS
            raise
        self.counts[ANSWER] += 1
        return words

    async def _silence(self, unit: int, latest: int) -> None:
        """Waits until `unit` has rested and the line is silent; drops what came unasked.

        Raises LineBusyError if that cannot be before tick `latest`.
        """
        clock = self._clock
        silence_ms = self._line.silence_ms()
        start = max(
            clock.ticks_ms(),
            self._silent_from + silence_ms,
            self._rested_at.get(unit, 0),
            self._late_until.get(unit, 0),
        )
        give_up = min(start + BABBLE_MS, latest)
        while start <= give_up:
            if start > clock.ticks_ms():
                await clock.sleep_ms(start - clock.ticks_ms())
            stale = self._port.read_available()
            if not stale:
                return
            self.counts["stale_bytes"] += len(stale)
            start = clock.ticks_ms() + silence_ms
            for asked in foreign_requests(stale):
                self.counts[FOREIGN] += 1
                self._late_until[asked] = clock.ticks_ms() + LATE_ANSWER_MS
                if asked == unit:
                    start = self._late_until[unit]
        raise LineBusyError("unit %d: the line is not free in time" % unit)

    async def _answer(  # type: ignore[no-untyped-def]
        self, request: bytes, answer_bytes: int, find, begin: int, answer_ms: int
    ) -> list[int]:
        """The answer to `request`, which must begin by tick `begin` and takes `answer_ms`."""
        clock = self._clock
        until = begin
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
                until += answer_ms
            received = (received + piece)[-RECEIVED_BYTES_MAX:]
            try:
                words: list[int] | None = find(received)
            except CrcError as error:
                damage = error
                until = min(until, clock.ticks_ms() + FRAME_PIECES_MS)
                words = None
            if words is not None:
                _check_alone(received[:-answer_bytes], request)
                return words
        _check_alone(received, request)
        if damage is not None:
            raise damage
        if received:
            raise FrameError("%d bytes, but no answer of unit %d" % (len(received), request[0]))
        raise ResponseTimeoutError("unit %d is silent" % request[0])


def _check_alone(received: bytes, request: bytes) -> None:
    """Raises ForeignMasterError if somebody else's request to the same unit is in `received`."""
    if request[0] in foreign_requests(received, request):
        raise ForeignMasterError("another master asks unit %d" % request[0])
