"""Writes what the desk remembers into operation.db, once a second and at the end."""

import asyncio

from wattle_gateway.errors import StoreError
from wattle_gateway.ingest import desk
from wattle_gateway.ingest.desk import Desk
from wattle_gateway.runtime.logs import Log
from wattle_gateway.store.operation_file import OperationFile

_log = Log("gateway")


class DeskKeeper:
    """Make it beside the desk, `run` it until the end, `write` once more then."""

    def __init__(self, kept: Desk, operation: OperationFile) -> None:
        self._desk = kept
        self._operation = operation

    async def run(self) -> None:
        """Write every second, until cancelled."""
        while True:
            await asyncio.sleep(desk.FLUSH_EVERY_S)
            await self.write()

    async def write(self) -> None:
        """Write what is new; what the database does not take is lost, and says so."""
        write = self._desk.flush()
        if write is not None:
            try:
                await asyncio.to_thread(self._operation.write, write)
            except StoreError as error:
                _log.error("statistics of the last second are lost", error=error)
