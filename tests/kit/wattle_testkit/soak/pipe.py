"""The process of a meter, spoken to in frames: kind (1 byte), length (2 bytes), body.

From the meter: P all tasks wait (now, until: ms), S request on the line (now, bytes), C connect
(number, host), D bytes to a broker (number, bytes), X closed (number), G to be signed (now,
payload), H status (counters), L line of the log (level, text), F append to a file, R remove a
file, N commit of the store, Z the power is off, E stopped, U not started.
To the meter: t time (now, next event), s bytes on the line, l line lost (errno or 0), c outcome of
a connect (number, errno), d bytes from a broker, e end of a connection (number, errno), h it takes
no more bytes, v verdict on a write (0, errno or 255, bytes), q stop, r real-time clock.
"""

import os
import select
import subprocess
from collections.abc import Sequence
from pathlib import Path

# No step of a meter takes longer, also on a machine that does much else.
_HUNG_S = 120.0
_READ_BYTES = 65_536


class MeterEndedError(Exception):
    """The meter's process ended, or hangs, although nothing in the plan says so."""


class MeterProcess:
    """One life of a meter; what it writes to stderr goes to the file `errors`."""

    def __init__(self, command: Sequence[str], errors: Path) -> None:
        self._errors = errors
        with errors.open("ab") as file:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file
            )
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        self._out = self._process.stdout.fileno()
        self._in = self._process.stdin.fileno()
        self._buffer = b""
        self._at = 0

    def frame(self) -> tuple[bytes, bytes]:
        """(kind, body) of the next frame. Raises MeterEndedError."""
        head = self._take(3)
        return head[:1], self._take(int.from_bytes(head[1:], "big"))

    def send(self, frames: Sequence[tuple[bytes, bytes]]) -> None:
        """Sends frames in one piece. Raises MeterEndedError."""
        data = b"".join(kind + len(body).to_bytes(2, "big") + body for kind, body in frames)
        try:
            while data:
                data = data[os.write(self._in, data) :]
        except BrokenPipeError as error:
            raise MeterEndedError(self._last_words()) from error

    def cut(self) -> None:
        """Takes its power."""
        self._process.kill()
        self.close()

    def close(self) -> None:
        """Waits for its end."""
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout):
            assert file is not None
            file.close()

    def _take(self, count: int) -> bytes:
        while len(self._buffer) - self._at < count:
            if not select.select([self._out], [], [], _HUNG_S)[0]:
                self._process.kill()
                raise MeterEndedError(f"nothing for {_HUNG_S:.0f} s: it hangs")
            piece = os.read(self._out, _READ_BYTES)
            if not piece:
                self._process.wait()
                raise MeterEndedError(self._last_words())
            self._buffer = self._buffer[self._at :] + piece
            self._at = 0
        self._at += count
        return self._buffer[self._at - count : self._at]

    def _last_words(self) -> str:
        text = self._errors.read_text(encoding="utf-8", errors="replace")
        return f"it ended by itself: {text[-2000:].strip()}"
