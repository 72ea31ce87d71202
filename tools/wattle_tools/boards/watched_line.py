"""A serial line that a hung board cannot hold: every touch of it looks at a deadline and at Ctrl-C.

mpremote waits for a board without end in places: it reads on as long as bytes come, and a board
that babbles never stops. Its transport works on this in place of the bare serial port.
"""

import time
from collections.abc import Callable
from typing import Any

from wattle_tools.errors import SerialLineError

# mpremote takes it for garbage when a byte that must come does not; a board that erases flash or
# collects its heap, or a busy host, may take this long.
_READ_S = 8.0
# The port's own time-out, after which is looked whether to go on.
LOOK_S = 0.1


class WatchedLine:
    """A serial port of pyserial with the time-out LOOK_S.

    `check` is called at each touch, and raises to end the work.
    Raises SerialLineError when the time given by `allow` is over.
    """

    def __init__(self, port: Any, check: Callable[[], None]) -> None:
        self._port = port
        self._check = check
        self._until = 0.0
        self._doing = ""

    def allow(self, seconds: float, doing: str) -> None:
        """From now on `seconds` may pass, for `doing`."""
        self._until = time.monotonic() + seconds
        self._doing = doing

    def read(self, size: int = 1) -> bytes:
        """`size` bytes, fewer when none has come for _READ_S."""
        data = b""
        until = time.monotonic() + _READ_S
        while len(data) < size:
            self._look()
            more = self._port.read(size - len(data))
            if more:
                data += more
            elif time.monotonic() > until:
                break
        return data

    def write(self, data: bytes) -> int | None:
        """Sends bytes."""
        self._look()
        written: int | None = self._port.write(data)
        return written

    def inWaiting(self) -> int:  # noqa: N802 - the name that mpremote calls
        """How many bytes can be read at once."""
        self._look()
        return int(self._port.in_waiting)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def _look(self) -> None:
        self._check()
        if time.monotonic() > self._until:
            raise SerialLineError(
                f"the board took too long: {self._doing}",
                "run it again; if it stays so, the line is disturbed: try another cable",
            )
