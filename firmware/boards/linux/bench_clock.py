"""Time of a bench run: every process derives the same virtual time from one small file.

{"base_ms": virtual Unix ms at the anchor, "anchor_ms": host Unix ms of the anchor,
 "speed": virtual ms in a host ms}
"""

import json
import time

from wattle_meter import small_file
from wattle_meter.fields import FieldError, Fields

SPEED_MAX = 86400
_EARLIEST_MS = 946684800000  # 2000-01-01
_LATEST_MS = 4102444800000  # 2100-01-01
_FILE_BYTES_MAX = 1000


def host_ms() -> int:
    """The host's wall clock, Unix ms."""
    return time.time_ns() // 1000000


class BenchClock:
    """Virtual time; `speed` virtual ms in a real one."""

    def __init__(self, path: str) -> None:
        """Reads the file. Raises FieldError, FileTooLargeError, OSError."""
        try:
            content = json.loads(small_file.read(path, _FILE_BYTES_MAX))
        except ValueError:
            raise FieldError("%s: not JSON" % path) from None
        fields = Fields(content, path + ":")
        self._base_ms = fields.integer("base_ms", _EARLIEST_MS, _LATEST_MS)
        self._anchor_ms = fields.integer("anchor_ms", _EARLIEST_MS, _LATEST_MS)
        self.speed = fields.integer("speed", 1, SPEED_MAX)
        fields.done()
        self._started_ms = self.unix_ms()
        self._uptime_ms = 0

    def unix_ms(self) -> int:
        """Virtual Unix ms now."""
        return self._base_ms + self.speed * (host_ms() - self._anchor_ms)

    def uptime_ms(self) -> int:
        """Virtual ms since the start; follows the host's wall clock as all of the bench does, but
        never goes back.
        """
        self._uptime_ms = max(self._uptime_ms, self.unix_ms() - self._started_ms)
        return self._uptime_ms
