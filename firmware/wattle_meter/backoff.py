"""Waiting times between attempts to connect; pure."""

from wattle_meter.board import Random

BASE_MS = 500
CEILING_MS = 60000


class Backoff:
    """Exponential back-off with full jitter.

    The jitter is for the broker: a thousand meters that lost it together must not come back
    together.
    """

    def __init__(
        self, random: Random, base_ms: int = BASE_MS, ceiling_ms: int = CEILING_MS
    ) -> None:
        self._random = random
        self._base_ms = base_ms
        self._ceiling_ms = ceiling_ms
        self._limit_ms = base_ms

    def next_ms(self) -> int:
        """How long to wait before the next attempt: half the base to a limit that doubles."""
        floor_ms = self._base_ms // 2
        wait_ms = floor_ms + self._random.below(self._limit_ms - floor_ms + 1)
        self._limit_ms = min(2 * self._limit_ms, self._ceiling_ms)
        return wait_ms

    def succeeded(self) -> None:
        """A connection stood long enough to be called one: begin again at the base."""
        self._limit_ms = self._base_ms
