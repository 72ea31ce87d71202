"""Worker processes that check samples."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from wattle_gateway.ingest import checker
from wattle_gateway.ingest.checker import Checked, Refused
from wattle_gateway.runtime.lifeline import die_with
from wattle_gateway.runtime.logs import Log

_log = Log("workers")


class Workers:
    """`count` processes that live and die with the gateway. Make them in the main thread."""

    def __init__(self, count: int, ledger_id: bytes) -> None:
        self._count = count
        self._ledger_id = ledger_id
        self._executor = self._start()
        self.crashes = 0

    async def warm_up(self) -> None:
        """Wait until every process has loaded what it needs."""
        await asyncio.gather(*(self.check([]) for _ in range(self._count)))

    async def check(
        self, messages: Sequence[tuple[bytes, bytes | None]]
    ) -> list[Checked | Refused] | None:
        """The verdict on each (raw, enrolled key or None); None if a worker died of them.

        What is not judged is not acknowledged, so its meter sends it again.
        """
        loop = asyncio.get_running_loop()
        executor = self._executor
        try:
            return await loop.run_in_executor(
                executor, checker.check_chunk, messages, self._ledger_id
            )
        except BrokenProcessPool:
            if executor is self._executor:  # the first of those who waited replaces it
                self.crashes += 1
                _log.error("a worker died, starting new ones")
                executor.shutdown(wait=False, cancel_futures=True)
                self._executor = self._start()
            return None

    def stop(self) -> None:
        """End the processes."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _start(self) -> ProcessPoolExecutor:
        # spawn: forking a process with threads copies locks that nobody will release.
        return ProcessPoolExecutor(
            self._count,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(os.getpid(),),
        )


def _begin(parent: int) -> None:
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the gateway's to handle
