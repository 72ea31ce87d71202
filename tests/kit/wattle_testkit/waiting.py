"""Waiting for something another process or thread does, never longer than it takes."""

import time
from collections.abc import Callable
from typing import TypeVar

# Short against anything a test waits for; long enough to leave the core to whoever is awaited.
_POLL_S = 0.005

Result = TypeVar("Result")


class DeadlineError(AssertionError):
    """What a test waited for did not happen in time."""


def until(condition: Callable[[], Result], deadline_s: float, what: str) -> Result:
    """Polls a condition until it is true and returns its value.

    condition: any call; true ends the wait. deadline_s: how long at most, in seconds.
    what: names the awaited thing in the error. Exceptions of the condition pass through.
    Raises DeadlineError with the last value when the deadline passes; the condition is always
    asked once more after it, so a slow machine does not fail a test that was already right.
    """
    deadline = time.monotonic() + deadline_s
    while True:
        is_last = time.monotonic() >= deadline
        value = condition()
        if value:
            return value
        if is_last:
            raise DeadlineError(f"not within {deadline_s} s: {what} (last value: {value!r})")
        time.sleep(_POLL_S)
