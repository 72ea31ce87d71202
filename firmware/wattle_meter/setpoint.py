"""One load's setpoint over time: what to tell the load and when; pure.

The load is at rest (`rest_w`) unless a command holds. Whatever is commanded, and also on the way
back to rest, its limits, its ramp and its least times on and off are kept.
"""

from wattle_meter.load import LoadType

# After a write that failed: a load that is silent must not use up every gap of the line.
RETRY_MS = 2000
# A ramp is walked in steps of this length.
STEP_MS = 1000


class Setpoint:
    """`digest` of the transaction carried out last (None before the first), `reached`: the W that
    the load acknowledged last, None while that is not known.

    Times are uptime in ms, which runs `speed` times as fast as real time.
    """

    def __init__(
        self, kind: LoadType, low_w: int, high_w: int, rest_w: int, now_ms: int, speed: int = 1
    ) -> None:
        self._kind = kind
        self._low_w = low_w
        self._high_w = high_w
        self._rest_w = rest_w
        self._speed = speed
        self.digest: bytes | None = None
        self.reached: int | None = None
        self._target = rest_w
        self._ends: tuple[int, int] | None = None  # of a command: Unix ms, uptime
        # Where the ramp stands: what was acknowledged, or between two steps of the load.
        self._position: int | None = None
        self._moved_at = self._written_at = now_ms
        # Nobody knows what the load did before: as if it had just been switched.
        self._is_on: bool | None = None
        self._switched_at = now_ms
        self._not_before = now_ms
        self._next = rest_w
        self._open = False  # a command has come of which nothing was tried yet
        self._trying = False
        self._told: tuple[bytes, int] | None = None

    # ---- commands

    def command(self, digest: bytes, watts: int, until_ms: int, left_ms: int, now_ms: int) -> None:
        """Holds `watts` until Unix time `until_ms`, which is `left_ms` away.

        Both ends count: a clock that is set back later does not make it longer.
        """
        self._aim(digest, watts)
        self._ends = (until_ms, now_ms + left_ms)

    def release(self, digest: bytes) -> None:
        """Back to rest, as commanded."""
        self._aim(digest, self._rest_w)

    def end(self) -> None:
        """Back to rest: the command has expired or nobody is there to change it."""
        self._aim(self.digest, self._rest_w)

    def holds(self) -> bool:
        """Whether a setpoint was commanded and has not ended."""
        return self._ends is not None

    def has_expired(self, unix_ms: int, now_ms: int) -> bool:
        """Whether a command holds that has come to its end."""
        return self._ends is not None and (unix_ms >= self._ends[0] or now_ms >= self._ends[1])

    # ---- the load

    def due(self, now_ms: int) -> int | None:
        """The W to write now, None if nothing is. The outcome of the write must be told."""
        position, moved_at = self._moved(now_ms)
        watts = self._allowed(position)
        if watts == self.reached and not self._must_repeat(now_ms):
            self._position, self._moved_at = position, moved_at
            self._open = False
            return None
        if now_ms < self._not_before:
            return None
        if self._is_held(watts, now_ms):
            self._moved_at = now_ms
            self._open = False
            return None
        self._next = position
        self._trying = True
        return watts

    def acknowledged(self, watts: int, now_ms: int) -> None:
        """The load took what due() gave."""
        self.reached = watts
        self._position = self._next
        self._written_at = now_ms
        self._tried(now_ms, STEP_MS)
        self._switched(watts, now_ms)

    def refused(self, now_ms: int) -> None:
        """The load did not take it, or it was not sent."""
        self._tried(now_ms, RETRY_MS)

    def lost(self, watts: int, now_ms: int) -> None:
        """Nobody knows whether the load took it."""
        self.reached = None
        self._tried(now_ms, RETRY_MS)
        self._switched(watts, now_ms)

    # ---- the sample

    def confirmation(self) -> tuple[bytes, int] | None:
        """(digest, W) for the next sample, None if there is nothing new to say."""
        if self.digest is None or self.reached is None or self._open:
            return None
        row = (self.digest, self.reached)
        return None if row == self._told else row

    def told(self, row: tuple[bytes, int]) -> None:
        """`row` stands in a sample."""
        self._told = row

    # ---- inside

    def _aim(self, digest: bytes | None, watts: int) -> None:
        self.digest = digest
        self._target = watts
        self._ends = None
        self._open = True
        self._trying = False
        self._not_before = 0

    def _allowed(self, watts: int) -> int:
        return self._kind.allowed(watts, self._low_w, self._high_w)

    def _moved(self, now_ms: int) -> tuple[int, int]:
        """Where the ramp stands now, and since when."""
        target = self._allowed(self._target)
        ramp = self._kind.ramp_w_per_s
        if not ramp or self._position is None or self._position == target:
            return target, now_ms
        way = target - self._position
        step = ramp * (now_ms - self._moved_at) // 1000
        if step == 0:
            return self._position, self._moved_at
        if step >= abs(way):
            return target, now_ms
        return self._position + (step if way > 0 else -step), now_ms

    def _must_repeat(self, now_ms: int) -> bool:
        repeat_ms = self._kind.repeat_ms
        return repeat_ms > 0 and now_ms - self._written_at >= repeat_ms

    def _is_held(self, watts: int, now_ms: int) -> bool:
        """Whether that would switch the load before its least time on or off is over."""
        on = watts != 0
        if on == self._is_on:
            return False
        least_ms = self._kind.min_off_ms if on else self._kind.min_on_ms
        return now_ms - self._switched_at < least_ms

    def _tried(self, now_ms: int, pause_ms: int) -> None:
        self._moved_at = now_ms
        if self._trying:  # else a command came meanwhile, which was not what was tried
            self._not_before = now_ms + pause_ms * self._speed
            self._open = False

    def _switched(self, watts: int, now_ms: int) -> None:
        on = watts != 0
        if on != self._is_on:
            self._is_on = on
            self._switched_at = now_ms
