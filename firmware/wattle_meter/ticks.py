"""The clock of every MicroPython board: its ticks, counted on beyond where they wrap."""

import asyncio
import time

from wattle_meter.board import Clock


class TickClock(Clock):
    """Milliseconds since it was made. A 32-bit board's ticks wrap after 12.4 days (2^30 ms):
    ticks_ms() must be called at least every 6 days, which any waiting task does.
    """

    def __init__(self) -> None:
        self._last = time.ticks_ms()
        self._total_ms = 0

    def ticks_ms(self) -> int:
        now = time.ticks_ms()
        self._total_ms += time.ticks_diff(now, self._last)
        self._last = now
        return self._total_ms

    async def sleep_ms(self, ms: int) -> None:
        await asyncio.sleep_ms(ms)
