"""The sampling grid: multiples of the interval in Unix time, so that it cannot drift; pure.

A read may begin up to half an interval after its slot; later it would carry a time that is
nearer to another slot, so that slot passes unread and is reported (SPEC section 5).
"""

MISSED_MAX = 16  # slots listed one by one; after a longer outage a count says enough


class Grid:
    """Hands out each slot of `interval_ms` at most once."""

    def __init__(self, interval_ms: int) -> None:
        self.interval_ms = interval_ms
        self._last: int | None = None

    def clock_was_set(self) -> None:
        """The wall clock jumped: the slots it jumped over did not pass unread."""
        self._last = None

    def next(self, now_ms: int) -> tuple[int | None, int, list[int], int]:
        """(slot, wait, missed, more) for somebody who could read at `now_ms` (Unix time).

        slot: the one to read now, or None: then ask again after `wait` ms. missed: slots that
        passed unread since the last one handed out, oldest first, at most MISSED_MAX; `more`
        newer ones are only counted. Each is reported once.
        """
        interval_ms = self.interval_ms
        begun = now_ms - now_ms % interval_ms
        wait_ms = begun + interval_ms - now_ms
        late = 2 * (now_ms - begun) > interval_ms
        newest_unread = begun if late else begun - interval_ms
        if self._last is not None and begun < self._last - interval_ms:
            self._last = None  # set back by more than a slot and nobody said so: go on from here
        if self._last is None:
            self._last = newest_unread  # nothing was promised before the first slot
        if begun <= self._last:
            return None, wait_ms, [], 0
        count = (newest_unread - self._last) // interval_ms
        more = max(0, count - MISSED_MAX)
        missed = [self._last + at * interval_ms for at in range(1, count - more + 1)]
        self._last = begun
        if late:
            return None, wait_ms, missed, more
        return begun, 0, missed, more
