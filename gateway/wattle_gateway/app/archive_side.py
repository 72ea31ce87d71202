"""Archiving beside a running gateway: one thread of its own that reads ledger.db for itself; only
its writes, of some 10 ms each, are done by the ledger's thread."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from wattle_gateway.admin.channel import Answer, Handler
from wattle_gateway.archive import resealing
from wattle_gateway.archive.arrow import check_installed
from wattle_gateway.archive.mover import Mover, Place, Step
from wattle_gateway.archive.pace import Pace
from wattle_gateway.archive.sealed_target import open_target
from wattle_gateway.errors import GatewayError, StoreError, UsageError
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.logs import Log
from wattle_gateway.store import connection as database
from wattle_gateway.store import schema
from wattle_gateway.store.connection import store_errors_named

if TYPE_CHECKING:
    from wattle_gateway.app.gateway import Gateway

# A day becomes old at midnight (UTC); half an hour later is soon enough.
LOOK_EVERY_S = 1800.0
# An archive that does not answer is asked again.
RETRY_S = 60.0
# Short of disk, days go before they would: all but the last full one and today.
DAYS_WHEN_SHORT = 1
# Of the admin command: it says how far it came, and is asked again.
ANSWER_WITHIN_S = 20.0
DAY_MS = 86_400_000

_log = Log("archive")


class ArchiveSide:
    """Make it in the event loop, where all but the steps themselves happens."""

    def __init__(self, gateway: "Gateway") -> None:
        """Raises ConfigError or ArchiveError for what can never work."""
        check_installed()
        self._gateway = gateway
        self._loop = asyncio.get_running_loop()
        self._pace = Pace()
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="archive")
        self._busy = asyncio.Lock()
        home, identity, config = gateway.home, gateway.identity, gateway.config.archive
        self._days = config.retention_days
        # Why the newest step did not succeed; "" if it did.
        self.trouble = ""
        self._target = open_target(config, home)
        self._mover = Mover(
            Place(self._target, identity.genesis.ledger_id, identity.kid),
            first_epoch(identity.genesis),
            self._opened,
            self._write,
            self._pace.rest,
        )

    def by_name(self) -> dict[str, Handler]:
        """The handlers of the admin channel."""
        return {"archive": self._archive, "archive_reseal": self._reseal}

    async def run(self) -> None:
        """Move what is older than the retention, until cancelled."""
        while True:
            try:
                await self._move(self._days)
                await asyncio.sleep(LOOK_EVERY_S)
            except GatewayError as error:
                _log.error("the archive takes nothing, all stays here", error=error)
                await asyncio.sleep(RETRY_S)

    async def run_now(self) -> None:
        """Move all but DAYS_WHEN_SHORT days: the disk is short. Raises GatewayError."""
        await self._move(min(self._days, DAYS_WHEN_SHORT))

    async def stop(self) -> None:
        """Leave the step under way, and wait until its thread has."""
        self._pace.stop()
        await asyncio.to_thread(self._executor.shutdown)

    async def _archive(self, request: Answer) -> Answer:
        """`days` uint or null: those to keep, as the configuration says if null. Gives `done`, or
        not yet, and how many `steps` that took."""
        days = self._days if request.get("days") is None else request["days"]
        steps = 0
        end_s = self._loop.time() + ANSWER_WITHIN_S
        while self._loop.time() < end_s:
            if await self._step(days) is None:
                return {"done": True, "steps": steps}
            steps += 1
        return {"done": False, "steps": steps}

    async def _reseal(self, request: Answer) -> Answer:
        """A part of the archive: takes `part` and `least` as `resealing.reseal`; its answer."""

        part, least = request.get("part"), request.get("least")
        if type(part) is not int or type(least) not in (int, type(None)):
            raise UsageError("expected a part to reseal, and the number of an archive key or null")

        def reseal() -> Answer:
            with self._opened() as reader:
                return resealing.reseal(reader, self._target, part, least).as_json()

        async with self._busy:
            return await self._loop.run_in_executor(self._executor, reseal)

    async def _move(self, days: int) -> None:
        while await self._step(days) is not None:
            pass

    async def _step(self, days: int) -> Step | None:
        async with self._busy:
            older_than_ms = self._gateway.clock.now_ms() - days * DAY_MS
            try:
                step = await self._loop.run_in_executor(
                    self._executor, self._mover.step, older_than_ms
                )
            except GatewayError as error:
                self.trouble = str(error)
                raise
            self.trouble = ""
        if step is not None:
            _log.debug("a step of the archive", what=step.what, part=step.part, day=step.day)
            if step.done:
                _log.info("a part is in the archive", part=step.part, day=step.day)
        return step

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        path, ledger_id = self._gateway.home.database, self._gateway.epoch.ledger_id
        reader = database.open_reader(path, schema.LEDGER, ledger_id)
        with closing(reader), store_errors_named(path), database.snapshot(reader):
            yield reader

    def _write(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Called in the archive's thread."""
        done = asyncio.run_coroutine_threadsafe(
            self._gateway.ledger.read(lambda driver: self._apply(driver, work)), self._loop
        )
        done.result()

    def _apply(self, driver: LedgerDriver, work: Callable[[sqlite3.Connection], None]) -> None:
        """In the ledger's thread. Its memory hangs on nothing that is written here."""
        trouble = self._gateway.ledger.trouble
        if trouble:
            raise StoreError(trouble)
        with (
            store_errors_named(self._gateway.home.database),
            database.transaction(driver.connection),
        ):
            work(driver.connection)
