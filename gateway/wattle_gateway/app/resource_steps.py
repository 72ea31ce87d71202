"""What the running gateway does for each step of `resources.steps`, and what undoes it."""

import asyncio
import ctypes
import gc
import sqlite3
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from wattle_gateway.consensus.engine import SAMPLE_ROUND_MS
from wattle_gateway.consensus.pace import SLOW_SAMPLE_ROUND_MS
from wattle_gateway.errors import GatewayError, StoreError
from wattle_gateway.resources import steps
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.logs import Log
from wattle_gateway.store import page_cache

if TYPE_CHECKING:
    from wattle_gateway.app.gateway import Gateway

# While the disk stays short the archive is asked again so often.
ARCHIVE_EVERY_S = 3_600.0
NO_ARCHIVE = "no archive is configured"

_log = Log("resources")


class Archive(Protocol):
    """What takes old payloads away."""

    async def run_now(self) -> None:
        """Take away what may leave. Raises GatewayError if the target does not take it."""


class ResourceSteps:
    """Carries out steps; `apply` after each look, `stop` at the end."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._archiving: asyncio.Task[None] | None = None
        self._archived_s = 0.0
        self._spares = False
        self.archive = ""

    async def apply(self, active: Mapping[str, list[str]]) -> None:
        """Bring the gateway to these steps, each with the resources that ask for it; those that
        hold already are left as they are."""
        gateway = self._gateway
        slow = steps.SLOW_PACE in active
        few = steps.SMALL_BATCHES in active
        gateway.admission.closed = _sentence(active, steps.REFUSE_SAMPLES)
        gateway.registrar.closed = _sentence(active, steps.REFUSE_METERS)
        gateway.approval.paused = steps.REFUSE_METERS in active
        gateway.intake.take_small_chunks(few)
        gateway.link.take_few(few)
        if gateway.peering is not None:
            gateway.peering.serves_slowly = steps.SLOW_SERVING in active
            gateway.peering.shed_observers(steps.SHED_OBSERVERS in active)
        await self._pace(SLOW_SAMPLE_ROUND_MS if slow else SAMPLE_ROUND_MS)
        await self._caches(spare=steps.DROP_CACHES in active)
        self._archive(steps.ARCHIVE in active)

    async def stop(self) -> None:
        """Leave the archive where it is; what it has not finished it takes up again."""
        if self._archiving is not None:
            self._archiving.cancel()
            await asyncio.wait([self._archiving])

    async def _pace(self, sample_round_ms: int) -> None:
        # At every look: an epoch or a database that was opened anew has an engine of its own.
        await self._in_ledger(lambda driver: driver.engine.set_pace(sample_round_ms))

    async def _caches(self, *, spare: bool) -> None:
        if spare:
            await self._in_ledger(_drop)
            if not self._spares:
                await self._in_operation(page_cache.spare)
                gc.collect()
                _give_back()
        elif self._spares:
            await self._in_ledger(lambda driver: page_cache.use(driver.connection))
            await self._in_operation(page_cache.use)
        self._spares = spare

    async def _in_ledger(self, work: Callable[[LedgerDriver], None]) -> None:
        """Not while its database is closed: then there is nothing to slow or to drop."""
        ledger = self._gateway.ledger
        if ledger.trouble:
            return
        try:
            await ledger.read(work)
        except StoreError as error:
            _log.error("a step is not taken in a database", error=error)

    async def _in_operation(self, work: Callable[[sqlite3.Connection], None]) -> None:
        try:
            await asyncio.to_thread(self._gateway.operation.read, work)
        except StoreError as error:
            _log.error("a step is not taken in a database", error=error)

    def _archive(self, due: bool) -> None:
        if not due:
            self._archived_s = 0.0
            return
        now_s = asyncio.get_running_loop().time()
        under_way = self._archiving is not None and not self._archiving.done()
        if under_way or (self._archived_s and now_s - self._archived_s < ARCHIVE_EVERY_S):
            return
        self._archived_s = now_s
        archive = self._gateway.archive
        if archive is None:
            self.archive = NO_ARCHIVE
            return
        self._archiving = asyncio.create_task(self._run(archive))

    async def _run(self, archive: Archive) -> None:
        self.archive = "runs"
        try:
            await archive.run_now()
            self.archive = "done"
        except GatewayError as error:
            self.archive = f"failed: {error}"
            _log.error("the archive takes nothing", error=error)


def _sentence(active: Mapping[str, list[str]], name: str) -> str:
    """Why a step holds; "" if it does not."""
    due = active.get(name)
    return "" if due is None else f"the gateway is short of {' and '.join(due)}: not now"


def _drop(driver: LedgerDriver) -> None:
    driver.memory.drop()
    page_cache.spare(driver.connection)


def _give_back() -> None:
    """glibc keeps freed memory for later; malloc_trim(3) gives it to the kernel. Others' C
    libraries have no such call."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
