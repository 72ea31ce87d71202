"""What the doctor asks of the machine that a gateway runs on."""

import ctypes
import shutil
import socket
import time
from pathlib import Path

from wattle_gateway.broker import program
from wattle_gateway.errors import BrokerError

# adjtimex(2): the clock is not synchronised. glibc fills a struct timex of 208 bytes.
_TIME_ERROR = 5
_TIMEX_BYTES = 256
_CONNECT_DEADLINE_S = 3.0


class Host:
    """The real one; a test has its own."""

    def now_ms(self) -> int:
        """Unix ms."""
        return time.time_ns() // 1_000_000

    def free_bytes(self, folder: Path) -> int:
        """What a user may still write there. Raises OSError."""
        return shutil.disk_usage(folder).free

    def keeps_time(self) -> bool | None:
        """Whether something keeps the clock in time; None if the kernel does not say."""
        try:
            state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
        except (OSError, AttributeError):
            return None
        return None if state < 0 else bool(state != _TIME_ERROR)

    def nats_error(self, configured: str) -> str:
        """Why the embedded broker cannot be run; "" if it can."""
        try:
            program.find(configured)
        except BrokerError as error:
            return str(error)
        return ""

    def connect_error(self, host: str, port: int) -> str:
        """Why no TCP connection comes about; "" if one does."""
        try:
            socket.create_connection((host, port), _CONNECT_DEADLINE_S).close()
        except OSError as error:
            return str(error)
        return ""
