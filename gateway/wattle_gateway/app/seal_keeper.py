"""Data keys of the running gateway: made on request, and older rows resealed in the background."""

import asyncio
import time

from wattle_gateway.admin.channel import Answer, Handler
from wattle_gateway.errors import StoreError, UsageError
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.runtime.ledger_thread import LedgerThread
from wattle_gateway.runtime.logs import Log
from wattle_gateway.sealing import ring as rings
from wattle_gateway.store import resealing, schema, sealed_file
from wattle_gateway.store.connection import store_errors_named
from wattle_gateway.store.operation_file import OperationFile

# A step is some milliseconds of the ledger's thread, which is free for the rest of this.
STEP_EVERY_S = 0.1
# How often somebody looks whether a key has given way by itself, or a step failed.
LOOK_EVERY_S = 60.0

_log = Log("store")


class SealKeeper:
    """`run` it until the end; on a folder that is not sealed it only waits."""

    def __init__(self, home: GatewayHome, ledger: LedgerThread, operation: OperationFile) -> None:
        """Raises StorageKeyError if the folder's keyring does not open."""
        self._ring = rings.beside(home.config)
        self._ledger = ledger
        self._operation = operation
        self._path = home.database
        self._wake = asyncio.Event()

    def by_name(self) -> dict[str, Handler]:
        """The handlers of the admin channel."""
        return {"rotate": self._rotate}

    async def run(self) -> None:
        """Reseal what is under older keys, then wait for more, until cancelled."""
        while True:
            try:
                while await self._step():
                    await asyncio.sleep(STEP_EVERY_S)
            except StoreError as error:
                _log.error("rows are not resealed", error=error)
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._wake.wait()
                self._wake.clear()
            except TimeoutError:
                continue

    async def _rotate(self, _request: Answer) -> Answer:
        if self._ring is None:
            raise UsageError("this folder is not sealed; `wattle-gateway keys seal` seals it")
        number = await asyncio.to_thread(self._ring.rotate, time.time_ns() // 1_000_000)
        self._wake.set()
        return {"number": number}

    async def _step(self) -> bool:
        """Reseal some rows of each database; False when no key but the newest is needed."""
        if self._ring is None:
            return False
        with store_errors_named(self._path):
            more = await self._ledger.read(
                lambda driver: resealing.step(driver.connection, schema.LEDGER)
            )
        more |= await asyncio.to_thread(self._operation.reseal)
        if more:
            return True
        marks = [
            await self._ledger.read(lambda driver: sealed_file.load(driver.connection)),
            await asyncio.to_thread(self._operation.read, sealed_file.load),
        ]
        oldest = min(mark.oldest for mark in marks if mark is not None)
        gone = await asyncio.to_thread(self._ring.forget_before, oldest)
        if gone:
            _log.info("older data keys are removed", keys=gone, oldest=oldest)
        return False
