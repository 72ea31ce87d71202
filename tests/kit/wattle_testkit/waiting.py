"""Waiting for something another process or thread does, never longer than it takes."""

import time
from collections.abc import Callable
from typing import TypeVar

# Short against anything a test waits for; long enough to leave the core to whoever is awaited.
_POLL_S = 0.005
# Deadlines are stated for a machine that does nothing else. One that runs several tests beside
# each other was seen to take longer than 10 s for what takes one.
_SLOWER = 6

Result = TypeVar("Result")


class DeadlineError(AssertionError):
    """What a test waited for did not happen in time."""


def until(condition: Callable[[], Result], deadline_s: float, what: str) -> Result:
    """Polls a condition until it is true and returns its value.

    condition: any call; true ends the wait. deadline_s: how long at most on a machine that does
    nothing else, in seconds; what it really gets is _SLOWER times that.
    what: names the awaited thing in the error. Exceptions of the condition pass through.
    Raises DeadlineError with the last value when the deadline passes; the condition is always
    asked once more after it, so a slow machine does not fail a test that was already right.
    """
    most_s = deadline_s * _SLOWER
    deadline = time.monotonic() + most_s
    while True:
        is_last = time.monotonic() >= deadline
        value = condition()
        if value:
            return value
        if is_last:
            raise DeadlineError(f"not within {most_s:g} s: {what} (last value: {value!r})")
        time.sleep(_POLL_S)
