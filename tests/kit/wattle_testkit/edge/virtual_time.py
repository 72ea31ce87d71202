"""The time of a run: the host's, or a bench clock's that goes faster."""

import json
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class VirtualTime:
    """`speed` virtual seconds a second from Unix ms `anchor_ms` on, when it was `base_ms`."""

    anchor_ms: int
    speed: int
    base_ms: int

    def now_ms(self) -> int:
        """Virtual Unix ms."""
        return self.base_ms + self.speed * (time.time_ns() // 1_000_000 - self.anchor_ms)

    def wait_s(self, at_ms: int) -> float:
        """Real seconds until a virtual time; 0 if it has passed."""
        return max(0.0, (at_ms - self.now_ms()) / 1_000 / self.speed)

    def words(self, folder: Path) -> tuple[str, ...]:
        """How a gateway is told; none for the host's own time."""
        if self.speed == 1 and self.base_ms == self.anchor_ms:
            return ()
        path = folder / "clock.json"
        content = {"base_ms": self.base_ms, "anchor_ms": self.anchor_ms, "speed": self.speed}
        path.write_text(json.dumps(content))
        return ("--bench-clock", str(path))


def begin(speed: int, ahead_ms: int = 0) -> VirtualTime:
    """Virtual time that begins now, or as if so much had gone by."""
    now_ms = time.time_ns() // 1_000_000
    return VirtualTime(now_ms, speed, now_ms + ahead_ms)
