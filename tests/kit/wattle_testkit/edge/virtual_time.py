"""The time of a run: the host's, or a bench clock's that goes faster."""

import json
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class VirtualTime:
    """`speed` virtual seconds a second from Unix ms `anchor_ms` on, when both clocks agree."""

    anchor_ms: int
    speed: int

    def now_ms(self) -> int:
        """Virtual Unix ms."""
        return self.anchor_ms + self.speed * (time.time_ns() // 1_000_000 - self.anchor_ms)

    def wait_s(self, at_ms: int) -> float:
        """Real seconds until a virtual time; 0 if it has passed."""
        return max(0.0, (at_ms - self.now_ms()) / 1_000 / self.speed)

    def words(self, folder: Path) -> tuple[str, ...]:
        """How a gateway is told; none for the host's own time."""
        if self.speed == 1:
            return ()
        path = folder / "clock.json"
        content = {"base_ms": self.anchor_ms, "anchor_ms": self.anchor_ms, "speed": self.speed}
        path.write_text(json.dumps(content))
        return ("--bench-clock", str(path))


def begin(speed: int) -> VirtualTime:
    """Virtual time that begins now."""
    return VirtualTime(time.time_ns() // 1_000_000, speed)
