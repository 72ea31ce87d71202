"""How much of a processor archiving takes beside everything else."""

import threading
import time
from collections.abc import Callable

from wattle_gateway.errors import ArchiveError

# Meters' acknowledgements wait for no more than one such stretch of Python's lock.
WORK_S = 0.005
# After work it rests three times as long: a quarter of a core.
REST_TIMES = 3


class StoppingError(ArchiveError):
    """The gateway stops: what is under way is left as it is, and taken up at the next start."""


class Pace:
    """`rest` is called often by the one thread that archives, `stop` by another."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._stopping = threading.Event()
        self._began = monotonic()

    def stop(self) -> None:
        """Let the next `rest` raise StoppingError, also one that is under way."""
        self._stopping.set()

    def rest(self) -> None:
        """Wait, if it is time to. Raises StoppingError."""
        worked_s = self._monotonic() - self._began
        if self._stopping.is_set() or (
            worked_s >= WORK_S and self._stopping.wait(REST_TIMES * worked_s)
        ):
            raise StoppingError("the gateway stops")
        if worked_s >= WORK_S:
            self._began = self._monotonic()
