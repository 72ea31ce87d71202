"""Ctrl-C and SIGTERM as something to look at: a run ends in order, not in the middle of a step."""

import os
import select
import signal
from types import FrameType, TracebackType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_PIPE_BYTES = 512


class StopSignal:
    """While it is entered, the first signal sets `requested`; the next one interrupts at once.

    To be used by the main thread.
    """

    def __init__(self) -> None:
        self.requested = False
        self._read_fd, self._write_fd = os.pipe()
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> "StopSignal":
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number in _SIGNALS:
            signal.signal(number, self._before[number])  # type: ignore[arg-type]
        os.close(self._read_fd)
        os.close(self._write_fd)

    def wait(self, seconds: float | None) -> bool:
        """Waits until a signal comes (True) or the time has passed (False); None waits on."""
        if not self.requested:
            select.select([self._read_fd], [], [], seconds)
        return self.requested

    def clear(self) -> None:
        """Forgets the signal that came, so that the next one can be asked for again."""
        if self.requested:
            self.requested = False
            os.read(self._read_fd, _PIPE_BYTES)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        os.write(self._write_fd, b"\0")
