"""How long to wait before the next try, and how fast a peer may speak."""

from collections.abc import Callable
from dataclasses import dataclass

# A restarted gateway is found again within a second or two; one that is gone for good costs a
# handshake a minute.
FIRST_S = 0.5
MAX_S = 60.0
# A link that held this long was sound: what comes next is a new story.
SOUND_S = 10.0


@dataclass(frozen=True)
class Pauses:
    """Bounds of the pauses between tries, seconds."""

    first_s: float = FIRST_S
    max_s: float = MAX_S


class Backoff:
    """Pauses that double, each shortened by up to half at random so that nobody keeps step.

    `jitter()` gives 0 <= x < 1.
    """

    def __init__(self, pauses: Pauses, jitter: Callable[[], float]) -> None:
        self._pauses = pauses
        self._jitter = jitter
        self._next_s = pauses.first_s

    def next_s(self) -> float:
        """The next pause."""
        pause_s, self._next_s = self._next_s, min(2 * self._next_s, self._pauses.max_s)
        return pause_s * (1 - self._jitter() / 2)

    def reset(self) -> None:
        """Begin with the first pause again."""
        self._next_s = self._pauses.first_s


class RateLimit:
    """A bucket of `burst` messages that fills by `per_s` a second."""

    def __init__(self, per_s: float, burst: int, now_s: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._left = float(burst)
        self._at_s = now_s

    def take(self, now_s: float) -> float:
        """Count one message; gives the seconds to wait before the next one is read."""
        self._left = min(self._burst, self._left + (now_s - self._at_s) * self._per_s) - 1
        self._at_s = now_s
        return max(0.0, -self._left / self._per_s)
