"""A serial line of the host: a USB adapter, a UART, or the pty of a bench."""

import asyncio
import termios

from host import open_terminal
from wattle_meter.board import SerialPort
from wattle_meter.line import Line

# <asm-generic/termbits.h>; MicroPython knows only some of the speeds
_SPEEDS = {
    1200: 0o11,
    2400: 0o13,
    4800: 0o14,
    9600: 0o15,
    19200: 0o16,
    38400: 0o17,
    57600: 0o10001,
    115200: 0o10002,
}
_CSTOPB, _CREAD, _PARENB, _PARODD, _CLOCAL = 0o100, 0o200, 0o400, 0o1000, 0o4000
_CRTSCTS = 0o20000000000
_CFLAG, _ISPEED, _OSPEED = 2, 4, 5  # places in what tcgetattr gives
_READ_BYTES = 512


class PosixSerialPort(SerialPort):
    """The line at `path` with the settings `line`, opened at the first write.

    Raises ValueError for a speed that Linux has no constant for.
    """

    def __init__(self, path: str, line: Line) -> None:
        if line.baud not in _SPEEDS:
            raise ValueError("%d Bd, expected one of %s" % (line.baud, sorted(_SPEEDS)))
        self._path = path
        self._line = line
        self._file = None
        self._reader: asyncio.StreamReader | None = None

    def write(self, data: bytes) -> None:
        if self._file is None:
            self._open()
        # The driver takes a frame whole; if it does not, its buffer is stuck: the line is gone.
        if self._call(self._file.write, data) != len(data):
            self._lost()
            raise OSError("%s takes no more bytes" % self._path)

    def read_available(self) -> bytes:
        if self._file is None:
            return b""
        return self._call(self._file.read, _READ_BYTES) or b""

    async def wait_readable(self, timeout_ms: int) -> bool:
        if self._reader is None:
            raise OSError("%s is not open" % self._path)
        try:
            # A read of nothing takes nothing: bytes cannot be lost to a time-out.
            await asyncio.wait_for_ms(self._reader.read(0), timeout_ms)
        except asyncio.TimeoutError:
            return False
        return True

    def _open(self) -> None:
        descriptor = open_terminal(self._path)
        self._file = open(descriptor, "r+b")  # noqa: SIM115 - open until the line is lost
        self._reader = asyncio.StreamReader(self._file)
        line = self._line
        termios.setraw(descriptor)
        settings = termios.tcgetattr(descriptor)
        flags = settings[_CFLAG] & ~(_CSTOPB | _PARENB | _PARODD | _CRTSCTS) | _CREAD | _CLOCAL
        flags |= _CSTOPB if line.stop_bits == 2 else 0
        flags |= _PARENB if line.parity != "N" else 0
        flags |= _PARODD if line.parity == "O" else 0
        settings[_CFLAG] = flags
        settings[_ISPEED] = settings[_OSPEED] = _SPEEDS[line.baud]
        termios.tcsetattr(descriptor, termios.TCSANOW, settings)

    def _call(self, function, argument):  # type: ignore[no-untyped-def]
        try:
            return function(argument)
        except OSError:
            self._lost()
            raise

    def _lost(self) -> None:
        """The other end is gone; the next write opens the line again."""
        if self._file is not None:
            self._file.close()
        self._file = self._reader = None
