"""Tasks that never die silently: what fails is logged, counted and started again."""

import asyncio
import gc
import sys

from wattle_meter.board import ERROR, Board

# A task that fails at once, again and again, must leave the others their time.
RESTART_AFTER_MS = 1000
# A task that was cancelled mostly ends at its next turn; closing a connection takes it longer.
CANCEL_AGAIN_S = (0, 0, 0.05)


class Tasks:
    """The tasks of one program on `board`; `restarts` counts how often one failed."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._running: dict[str, asyncio.Task] = {}  # type: ignore[type-arg]
        self.restarts = 0

    def start(self, name: str, make) -> None:  # type: ignore[no-untyped-def]
        """Runs the coroutine that `make()` gives, and another one whenever it has ended."""
        self._running[name] = asyncio.create_task(self._supervise(name, make))

    async def stop(self, name: str) -> None:
        """Cancels the task `name` and waits until it has ended.

        More than once if need be: MicroPython's wait_for swallows a cancel that comes in the same
        turn as what it waits for.
        """
        task = self._running.pop(name)
        while not task.done():
            task.cancel()
            for pause_s in CANCEL_AGAIN_S:
                if not task.done():
                    await asyncio.sleep(pause_s)

    async def stop_all(self) -> None:
        """Cancels every task that still runs."""
        for name in list(self._running):
            await self.stop(name)

    async def _supervise(self, name: str, make) -> None:  # type: ignore[no-untyped-def]
        while True:
            try:
                await make()
                self._board.log(ERROR, "task %s has ended" % name)
            except Exception as error:
                self._board.log(ERROR, "%s failed: %s: %s" % (name, type(error).__name__, error))
                _show_traceback(error)
            self.restarts += 1
            gc.collect()
            await self._board.clock.sleep_ms(RESTART_AFTER_MS)


def _show_traceback(error: Exception) -> None:
    """Where it happened; CPython, on which only tests run, has another way to say so."""
    show = getattr(sys, "print_exception", None)
    if show is not None:
        show(error, sys.stderr)
