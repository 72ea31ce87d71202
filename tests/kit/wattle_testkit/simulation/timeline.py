"""Simulated time: what is planned happens in order of its time, ties in the order of planning."""

import heapq
from collections.abc import Callable

Action = Callable[[], None]


class Timeline:
    """The one source of time of a world. `now_ms` counts from 0 and only goes forward."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.steps = 0
        self._planned: list[tuple[int, int, Action]] = []
        self._order = 0

    def at(self, at_ms: int, action: Action) -> None:
        """Let `action` happen at a time, at once if that has passed."""
        self._order += 1
        heapq.heappush(self._planned, (max(at_ms, self.now_ms), self._order, action))

    def after(self, delay_ms: int, action: Action) -> None:
        """Let `action` happen `delay_ms` from now."""
        self.at(self.now_ms + delay_ms, action)

    def every(self, period_ms: int, action: Action) -> None:
        """Let `action` happen again and again, first after one period."""

        def again() -> None:
            action()
            self.after(period_ms, again)

        self.after(period_ms, again)

    def step(self) -> None:
        """Go to what comes next and do it."""
        self.now_ms, _, action = heapq.heappop(self._planned)
        self.steps += 1
        action()
