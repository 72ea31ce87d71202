"""What happened in a world, as lines for people; the last ones are printed with a failure."""

from collections import deque
from zlib import crc32

LINES_KEPT = 400


class Trace:
    """Events as (time, who, what ..). They become text only when somebody wants to read them.

    `names`: what to call bytes that are somebody's kid.
    """

    def __init__(self, *, fingerprint: bool = False, lines_kept: int = LINES_KEPT) -> None:
        """`fingerprint`: sum up every event, so that two runs can be compared."""
        self._events: deque[tuple[int, str, tuple[object, ...]]] = deque(maxlen=lines_kept)
        self._sums_up = fingerprint
        self.names: dict[bytes, str] = {}
        self.fingerprint = 0

    def note(self, now_ms: int, who: str, *what: object) -> None:
        """Something happened at `now_ms`."""
        self._events.append((now_ms, who, what))
        if self._sums_up:
            self.fingerprint = crc32(self._text(now_ms, who, what).encode(), self.fingerprint)

    def lines(self) -> list[str]:
        """The events that are kept, oldest first."""
        return [self._text(*event) for event in self._events]

    def _text(self, now_ms: int, who: str, what: tuple[object, ...]) -> str:
        words = [self._word(item) for item in what]
        return f"{now_ms / 1000:9.3f} {who:>5}  {' '.join(words)}"

    def _word(self, item: object) -> str:
        if isinstance(item, bytes):
            return self.names.get(item) or item.hex()[:12]
        return str(item)
