"""Waiting for what other processes do: polled, with a deadline, never a fixed pause."""

import time
from collections.abc import Callable
from typing import TypeVar

from wattle_hil.errors import DeadlineError

_POLL_S = 0.02

Result = TypeVar("Result")


class Deadline:
    """A point in time that several waits share."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._at = time.monotonic() + seconds

    @property
    def left_s(self) -> float:
        """Seconds that are left, at least 0."""
        return max(0.0, self._at - time.monotonic())

    def wait_for(
        self, condition: Callable[[], Result], what: str, poll_s: float = _POLL_S
    ) -> Result:
        """Polls until the condition's value is true and returns it.

        It is asked at least once. what: names the awaited thing. Exceptions of the condition
        pass through. Raises DeadlineError.
        """
        while True:
            is_last = self.left_s == 0
            value = condition()
            if value:
                return value
            if is_last:
                raise DeadlineError(f"not within {self.seconds:g} s: {what}")
            time.sleep(min(poll_s, self.left_s))
