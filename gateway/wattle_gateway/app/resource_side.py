"""The machine as the running gateway watches it: looks, levels, steps, the history of its disk."""

import asyncio
from typing import TYPE_CHECKING, Any

from wattle_gateway.app.resource_steps import ResourceSteps
from wattle_gateway.errors import StoreError
from wattle_gateway.resources import growth
from wattle_gateway.resources.growth import POINT_EVERY_MS, DiskPoint, Forecast
from wattle_gateway.resources.levels import DISK_RESERVE_BYTES
from wattle_gateway.resources.machine import Machine
from wattle_gateway.resources.steward import Change, Steward, as_row
from wattle_gateway.resources.usage import MIB, Usage
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.logs import Log
from wattle_gateway.store import archive_rows, disk_rows
from wattle_gateway.store.connection import store_errors_named

if TYPE_CHECKING:
    from wattle_gateway.app.gateway import Gateway

# A look takes some ms; what fills up faster than this the database itself refuses.
LOOK_EVERY_S = 5.0

_log = Log("resources")


class ResourceSide:
    """Looks every LOOK_EVERY_S, does what is due, and keeps a point of history an hour."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._budget = gateway.config.resources
        self._machine = Machine(gateway.home.folder, self._budget)
        self._steps = ResourceSteps(gateway)
        self._steward = Steward()
        self._points: list[DiskPoint] = []
        self.forecast = Forecast(None, None, None)
        self.usage: Usage | None = None

    @property
    def levels(self) -> dict[str, int]:
        """The level of each resource, {} before the first look."""
        return self._steward.levels

    def row(self) -> dict[str, Any] | None:
        """As `steward.as_row`; None before the first look."""
        if self.usage is None:
            return None
        return as_row(self.usage, self.forecast, self._steward, self._steps.archive)

    async def begin(self) -> None:
        """Read the history, and take the first look, so that a machine that is short already is
        known before meters come. StoreError if operation.db cannot be read."""
        self._points = await asyncio.to_thread(self._gateway.operation.read, disk_rows.load)
        await self.look()

    async def stop(self) -> None:
        """End what the steps have under way."""
        await self._steps.stop()

    async def look(self) -> None:
        """Once: measure, tell, do."""
        try:
            free_pages = await self._free_pages()
            usage = await asyncio.to_thread(self._machine.look, free_pages)
        except OSError as error:
            _log.error("the disk does not answer", error=error)
            return
        await self._remember(usage)
        self.usage = usage
        change = self._steward.look(usage)
        self._tell(change, usage)
        await self._steps.apply(change.active)
        self._mend_broker(usage)

    async def _free_pages(self) -> int:
        """Bytes of ledger.db that hold nothing, which the next rows take."""
        ledger = self._gateway.ledger
        if ledger.trouble:
            return 0
        try:
            return await ledger.read(_free_bytes)
        except StoreError:
            return 0

    async def _remember(self, usage: Usage) -> None:
        now_ms = self._gateway.clock.now_ms()
        newest_ms = max((point.at_ms for point in self._points), default=None)
        # A clock that was set back begins anew; what it wrote of the future does not count.
        if newest_ms is None or not newest_ms <= now_ms < newest_ms + POINT_EVERY_MS:
            point = DiskPoint(now_ms, usage.disk.used, usage.disk.free)
            self._points = [
                *(old for old in self._points if now_ms - growth.HISTORY_MS <= old.at_ms < now_ms),
                point,
            ]
            try:
                await asyncio.to_thread(
                    self._gateway.operation.write, lambda rows: disk_rows.add(rows, point)
                )
            except StoreError as error:
                _log.error("the disk's history is not kept", error=error)
        elif self.usage is not None:
            return
        budget = self._budget.disk_mib * MIB
        self.forecast = growth.forecast(self._points, budget, now_ms)

    def _tell(self, change: Change, usage: Usage) -> None:
        for name in (*change.rose, *change.fell):
            tell = _log.warning if name in change.rose else _log.info
            tell("a level changed", resource=name, level=change.levels[name], **_figures(usage))
        for name in change.began:
            _log.warning("a step is taken", step=name, because=" ".join(change.active[name]))
        for name in change.ended:
            _log.info("a step is over", step=name)

    def _mend_broker(self, usage: Usage) -> None:
        broker = self._gateway.broker
        if broker is not None and broker.store_failed and usage.disk.free > DISK_RESERVE_BYTES:
            broker.begin_anew()


async def watch(gateway: "Gateway") -> None:
    """Look at the machine, then at everything that may alarm, until cancelled."""
    while True:
        await gateway.alarms.look()
        await asyncio.sleep(LOOK_EVERY_S)
        await gateway.resources.look()


def _free_bytes(driver: LedgerDriver) -> int:
    with store_errors_named("ledger.db"):
        return archive_rows.free_bytes(driver.connection)


def _figures(usage: Usage) -> dict[str, int]:
    return {
        "disk_room_bytes": usage.disk.room,
        "memory_used_bytes": usage.memory.used,
        "memory_limit_bytes": usage.memory.limit,
    }
