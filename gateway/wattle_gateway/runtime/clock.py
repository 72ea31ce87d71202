"""The gateway's clock: what it stamps blocks with and gives to meters.

Two kinds behind one face. The wall clock is watched against the monotonic one; the bench clock
is virtual, so that a curve of 2007 can be replayed at sixty times its speed. Timers of the
network never use either: they run on the monotonic clock.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path

from wattle_gateway.consensus.engine import Now
from wattle_gateway.errors import ConfigError
from wattle_gateway.runtime.logs import Log

# DESIGN section 4: beyond it the wall clock was set, not slewed.
WALL_JUMP_MS = 2_000
SPEED_MAX = 86_400
# 2000-01-01 and 2100-01-01: outside, a bench clock holds seconds or nonsense.
_EARLIEST_MS = 946_684_800_000
_LATEST_MS = 4_102_444_800_000
_BENCH_FILE_BYTES_MAX = 1_000

_log = Log("clock")


def wall_ms() -> int:
    """The host's wall clock as Unix ms."""
    return time.time_ns() // 1_000_000


def steady_ms() -> int:
    """Milliseconds that only go forward, suspended time included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class WallClock:
    """The host's wall clock, unless it jumps: then the time it would show without the jump.

    Slewing (NTP) is followed. After a jump the monotonic clock is stamped until the wall clock
    has come back to it, or the gateway is started again.
    """

    speed = 1

    def __init__(
        self, wall: Callable[[], int] = wall_ms, steady: Callable[[], int] = steady_ms
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._offset_ms = wall() - steady()
        self.jumps = 0
        self.alarmed = False

    def now_ms(self) -> int:
        """Unix ms to stamp with."""
        expected = self._steady() + self._offset_ms
        wall = self._wall()
        if abs(wall - expected) <= WALL_JUMP_MS:
            if self.alarmed:
                _log.warning("wall clock is back", difference_ms=wall - expected)
                self.alarmed = False
            self._offset_ms += wall - expected
            return wall
        if not self.alarmed:
            self.alarmed = True
            self.jumps += 1
            _log.error(
                "wall clock jumped, stamping by the monotonic clock; "
                "if the wall clock is right now, start the gateway again",
                by_ms=wall - expected,
            )
        return expected


class BenchClock:
    """Virtual Unix ms = base_ms + speed * (host's Unix ms - anchor_ms)."""

    jumps = 0
    alarmed = False

    def __init__(
        self, base_ms: int, anchor_ms: int, speed: int, wall: Callable[[], int] = wall_ms
    ) -> None:
        self._base_ms = base_ms
        self._anchor_ms = anchor_ms
        self.speed = speed
        self._wall = wall

    def now_ms(self) -> int:
        """Virtual Unix ms."""
        return self._base_ms + self.speed * (self._wall() - self._anchor_ms)


Clock = WallClock | BenchClock


def now(clock: Clock) -> Now:
    """Both clocks at this instant, for the engine."""
    return Now(clock.now_ms(), steady_ms())


def open_clock(bench_file: Path | None) -> Clock:
    """The bench clock in a file, or the wall clock. ConfigError if the file is none."""
    return WallClock() if bench_file is None else load_bench_clock(bench_file)


def load_bench_clock(path: Path) -> BenchClock:
    """Read a clock file: a JSON object of exactly the integers base_ms, anchor_ms and speed."""
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_BENCH_FILE_BYTES_MAX))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the bench clock: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not the JSON of a bench clock: {error}") from error
    bounds = {
        "base_ms": (_EARLIEST_MS, _LATEST_MS),
        "anchor_ms": (_EARLIEST_MS, _LATEST_MS),
        "speed": (1, SPEED_MAX),
    }
    if not isinstance(content, dict) or set(content) != set(bounds):
        raise ConfigError(f"{path}: expected an object of exactly {', '.join(bounds)}")
    for name, (low, high) in bounds.items():
        value = content[name]
        if type(value) is not int or not low <= value <= high:
            raise ConfigError(f"{path}: {name} is {value!r}, expected an integer {low} to {high}")
    return BenchClock(**content)
