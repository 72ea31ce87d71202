"""The two clocks of a simulated machine, and the gateway's own clock over them."""

from wattle_gateway.consensus.engine import Now
from wattle_gateway.runtime.clock import WallClock

from wattle_testkit.alliance import CREATED_MS
from wattle_testkit.simulation.timeline import Timeline


class NodeClock:
    """A wall clock that may be wrong and may jump, a steady clock that begins anew at a boot."""

    def __init__(self, timeline: Timeline, skew_ms: int) -> None:
        """`skew_ms`: how far the wall clock is off at first."""
        self._timeline = timeline
        self._skew_ms = skew_ms
        self._booted_ms = 0
        self.boot()

    def boot(self) -> None:
        """The gateway's process starts: what it thinks of its clocks begins anew."""
        self._booted_ms = self._timeline.now_ms
        self._clock = WallClock(self._wall_ms, self._steady_ms)

    def jump(self, by_ms: int) -> None:
        """The wall clock is set."""
        self._skew_ms += by_ms

    def now(self) -> Now:
        """What the gateway is told."""
        return Now(self._clock.now_ms(), self._steady_ms())

    def at(self, steady_ms: int) -> int:
        """The time of the timeline at which the steady clock shows this."""
        return steady_ms + self._booted_ms

    def _wall_ms(self) -> int:
        return CREATED_MS + self._timeline.now_ms + self._skew_ms

    def _steady_ms(self) -> int:
        return self._timeline.now_ms - self._booted_ms
