"""The driver beside the event loop: one thread that owns it, and the task that keeps its time."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from wattle_gateway.consensus.engine import Now
from wattle_gateway.consensus.errors import SafetyError
from wattle_gateway.errors import StoreError
from wattle_gateway.runtime.clock import Clock, now
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.errors import DivergenceError
from wattle_gateway.runtime.logs import Log
from wattle_gateway.runtime.progress import Progress

# After a failed write (disk full, I/O error) the ledger is read anew after this pause, twice as
# long each time up to the longest: a disk may be full for days, and each try reads all of it.
REOPEN_PAUSE_S = 1.0
REOPEN_PAUSE_MAX_S = 30.0
# What has written for so long is sound: its next failure is a new story.
SOUND_S = 120.0

_log = Log("ledger")
_Result = TypeVar("_Result")


class LedgerThread:
    """Runs steps of the driver in their own thread, so that a slow disk never blocks the loop.

    Called in the event loop: `on_progress` after every step that may have moved something,
    `on_reopen` when the ledger was read anew and knows no peers any more.
    """

    def __init__(
        self,
        driver: LedgerDriver,
        clock: Clock,
        on_progress: Callable[[Progress], None],
        on_reopen: Callable[[], None] = lambda: None,
    ) -> None:
        self._driver = driver
        self._clock = clock
        self._on_progress = on_progress
        self._on_reopen = on_reopen
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        self._wake = asyncio.Event()
        self._next_tick_ms = 0
        self._broken = False
        self._pause_s = 0.0
        self._opened_s = 0.0
        self._stopped: DivergenceError | SafetyError | None = None
        self.failures = 0

    async def open(self) -> None:
        """Open the ledger; StoreError if it cannot be."""
        await self._call(self._driver.open)

    async def close(self) -> None:
        """Close the database after the step under way."""
        await self._call(self._driver.close)
        self._executor.shutdown()

    async def read(self, question: Callable[[LedgerDriver], _Result]) -> _Result:
        """Ask the driver something."""
        return await self._call(lambda: question(self._driver))

    @property
    def trouble(self) -> str:
        """Why there are no steps now; "" if there are."""
        if self._stopped is not None:
            return f"stopped: {self._stopped}"
        return "the database failed and is not open yet" if self._broken else ""

    async def step(self, work: Callable[[LedgerDriver, Now], tuple[_Result, Progress]]) -> _Result:
        """Do a step of the driver and pass on what it moved.

        Raises StoreError when the database does not take it: nothing of the step happened then.
        After DivergenceError or SafetyError there are no more steps.
        """
        if self._stopped is not None:
            raise self._stopped
        if self._broken:
            raise StoreError("the ledger's database failed and is not open yet")
        try:
            result, progress = await self._call(lambda: work(self._driver, now(self._clock)))
        except StoreError as error:
            self.failures += 1
            # Of steps that fail side by side only the first begins a story.
            if not self.trouble and self._sound():
                self._pause_s = 0.0
            self._broken = True
            self._wake.set()
            _log.error("write failed, reading the ledger anew", error=error)
            raise
        except (DivergenceError, SafetyError) as error:
            # Whoever asked may survive it; the gateway must not: `keep_time` ends it.
            self._stopped = error
            self._wake.set()
            raise
        self._take(progress)
        return result

    async def keep_time(self) -> None:
        """Tick when the engine wants it, and recover from failed writes, until cancelled.

        Raises DivergenceError or SafetyError when any step met it.
        """
        while True:
            if self._stopped is not None:
                raise self._stopped
            if self._broken:
                await self._reopen()
            wait_ms = self._next_tick_ms - now(self._clock).steady_ms
            try:
                # Not wait_for: in Python 3.11 a cancellation gets lost in it when the event comes
                # at the same moment, and the gateway would not stop.
                async with asyncio.timeout(max(wait_ms, 0) / 1000):
                    await self._wake.wait()
                self._wake.clear()
            except TimeoutError:
                await self._tick()

    async def _tick(self) -> None:
        try:
            await self.step(lambda driver, at: (None, driver.tick(at)))
        except StoreError:
            return  # told already; the next turn reopens

    def _sound(self) -> bool:
        return asyncio.get_running_loop().time() - self._opened_s >= SOUND_S

    async def _reopen(self) -> None:
        self._pause_s = min(2 * self._pause_s or REOPEN_PAUSE_S, REOPEN_PAUSE_MAX_S)
        await asyncio.sleep(self._pause_s)
        try:
            await self._call(self._driver.open)
        except StoreError as error:
            _log.error("ledger does not open", error=error)
            return
        self._broken = False
        self._opened_s = asyncio.get_running_loop().time()
        self._next_tick_ms = 0
        _log.warning("ledger is open again")
        self._on_reopen()

    def _take(self, progress: Progress) -> None:
        if progress.next_tick_ms != self._next_tick_ms:
            self._next_tick_ms = progress.next_tick_ms
            self._wake.set()
        self._on_progress(progress)

    async def _call(self, work: Callable[[], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)
