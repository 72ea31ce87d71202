"""What happens when, in simulated milliseconds."""

import heapq
from collections.abc import Callable


class Agenda:
    """Calls in the order of their times; those of one time in the order in which they came."""

    def __init__(self) -> None:
        self.now_ms = 0
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, at_ms: int, call: Callable[[], None]) -> None:
        """Has `call` made at `at_ms`, or at the next chance if that has passed."""
        self._count += 1
        heapq.heappush(self._waiting, (at_ms, self._count, call))

    def after(self, wait_ms: int, call: Callable[[], None]) -> None:
        self.at(self.now_ms + wait_ms, call)

    def next_ms(self, most_ms: int) -> int:
        """When the next call is due, at most `most_ms`."""
        return min(self._waiting[0][0], most_ms) if self._waiting else most_ms

    def run_to(self, until_ms: int) -> None:
        """Lets time pass up to `until_ms` and makes the calls that are due by then."""
        while self._waiting and self._waiting[0][0] <= until_ms:
            at_ms, _, call = heapq.heappop(self._waiting)
            self.now_ms = max(self.now_ms, at_ms)
            call()
        self.now_ms = max(self.now_ms, until_ms)
