"""The one clock of a bench run.

Emulated devices, meter and gateway processes must agree on the time although each reads it for
itself and the run may be faster than life. So they share three integers in a JSON file and each
derives the same virtual time from the host's clock.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from wattle_hil.errors import ClockError

# 2000-01-01 and 2100-01-01 in Unix ms: outside, a file holds seconds or nonsense, not ms.
_EARLIEST_MS = 946_684_800_000
_LATEST_MS = 4_102_444_800_000
# One day a second; above it a single scheduling hiccup of the host skips over whole readings.
MAX_SPEED = 86_400
# A clock file is about 80 bytes; more is some other file.
_MAX_FILE_BYTES = 1_000


def host_ms() -> int:
    """The host's wall clock as Unix time in ms."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class BenchClock:
    """Virtual Unix ms = base_ms + speed * (host ms - anchor_ms).

    base_ms: virtual Unix ms at the anchor. anchor_ms: host Unix ms of the anchor.
    speed: virtual ms per host ms, 1 to MAX_SPEED.
    real_ms: the host's clock, passed in so that tests own the time.
    """

    base_ms: int
    anchor_ms: int
    speed: int
    real_ms: Callable[[], int] = host_ms

    def __post_init__(self) -> None:
        for name in ("base_ms", "anchor_ms"):
            value = getattr(self, name)
            if not isinstance(value, int) or not _EARLIEST_MS <= value <= _LATEST_MS:
                raise ClockError(f"{name} is {value!r}, expected Unix ms of the years 2000 to 2099")
        if type(self.speed) is not int or not 1 <= self.speed <= MAX_SPEED:
            raise ClockError(f"speed is {self.speed!r}, expected an integer 1 to {MAX_SPEED}")

    def now_ms(self) -> int:
        """Virtual Unix ms. Before the anchor it runs backwards from base_ms, it does not stop."""
        return self.base_ms + self.speed * (self.real_ms() - self.anchor_ms)

    def real_ms_at(self, virtual_ms: int) -> int:
        """The first host Unix ms at which `now_ms` has reached virtual_ms."""
        return self.anchor_ms - (self.base_ms - virtual_ms) // self.speed

    def save(self, path: Path) -> None:
        """Writes the clock file whole or not at all: other processes may be reading it.

        Raises ClockError when the file cannot be written.
        """
        content = {"base_ms": self.base_ms, "anchor_ms": self.anchor_ms, "speed": self.speed}
        draft = path.with_name(f"{path.name}.{os.getpid()}.new")
        try:
            draft.write_text(json.dumps(content) + "\n", encoding="ascii")
            draft.replace(path)
        except OSError as error:
            raise ClockError(f"cannot write the bench clock {path}: {error}") from error


def load_clock(path: Path, real_ms: Callable[[], int] = host_ms) -> BenchClock:
    """Reads a clock file: a JSON object of exactly the integers base_ms, anchor_ms and speed.

    Raises ClockError that says what is wrong with the file.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ClockError(f"cannot read the bench clock {path}: {error}") from error
    if len(raw) > _MAX_FILE_BYTES:
        raise ClockError(f"{path} is longer than {_MAX_FILE_BYTES} bytes: not a bench clock")
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ClockError(f"{path} is not JSON: {error}") from error
    expected = {"base_ms", "anchor_ms", "speed"}
    if not isinstance(content, dict) or set(content) != expected:
        raise ClockError(f"{path}: expected an object of exactly {sorted(expected)}")
    try:
        return BenchClock(**content, real_ms=real_ms)
    except ClockError as error:
        raise ClockError(f"{path}: {error}") from error
