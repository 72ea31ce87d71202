"""What peers ask for that lies in the archive, one request at a time, in a thread of its own.

Neither the loop nor the ledger's thread waits for a store: they go on, and the answer follows. An
archive that gives none is no error for peers: they get what is here, or where it begins, and ask
another gateway.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from wattle_gateway.archive.answers import Answers, Known
from wattle_gateway.archive.attachment import target_of
from wattle_gateway.errors import GatewayError
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.ledger_thread import LedgerThread
from wattle_gateway.runtime.logs import Log
from wattle_gateway.sync.parcels import ArchiveRequest, Parcel

# After an answer it rests as long as that took: half a core, while somebody asks without end.
REST_TIMES = 1.0
# Parts of the archive are kept in memory so long after an answer: the next one is mostly of them.
KEPT_S = 20.0

_log = Log("archive")


class ArchiveDesk:
    """`ask` in the event loop, where `run` goes on until it is cancelled."""

    def __init__(
        self, home: GatewayHome, ledger: LedgerThread, send: Callable[[Parcel], None]
    ) -> None:
        """`send` gives a parcel to a peer, if it is linked still."""
        self._home = home
        self._ledger = ledger
        self._send = send
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="archive-desk")
        self._opened: Answers | None = None
        # One request a peer, by kid: a newer one takes the place of what it has given up.
        self._waiting: dict[bytes, ArchiveRequest] = {}
        self._asked = asyncio.Event()

    def ask(self, requests: Sequence[ArchiveRequest]) -> None:
        """Answer these, each in its turn."""
        for request in requests:
            self._waiting[request.kid] = request
            self._asked.set()

    async def run(self) -> None:
        """Answer what is asked, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout(KEPT_S):
                    await self._asked.wait()
            except TimeoutError:
                await loop.run_in_executor(self._executor, self._close)
                await self._asked.wait()
            while self._waiting:
                request = self._waiting.pop(next(iter(self._waiting)))
                began_s = loop.time()
                await self._answer(request)
                await asyncio.sleep(REST_TIMES * (loop.time() - began_s))
            self._asked.clear()

    async def stop(self) -> None:
        """Wait for the answer under way and close what is open."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._close)
        await asyncio.to_thread(self._executor.shutdown)

    async def _answer(self, request: ArchiveRequest) -> None:
        loop = asyncio.get_running_loop()
        try:
            known = await self._ledger.read(_known_to)
            parcel = await loop.run_in_executor(self._executor, self._read, request, known)
        except (GatewayError, LedgerError) as error:
            _log.warning(
                "a peer asks for what the archive does not give",
                peer=request.kid.hex(),
                error=error,
            )
            try:
                parcel = await self._ledger.read(
                    lambda driver: driver.synchronizer.answer_here(request)
                )
            except (GatewayError, sqlite3.Error):
                return  # the ledger is being read anew; the peer asks again
        self._send(parcel)

    # --- in the thread

    def _read(self, request: ArchiveRequest, known: Known) -> Parcel:
        if self._opened is None:
            self._opened = Answers(self._home.database, lambda: target_of(self._home), known)
        try:
            return self._opened.answer(request, known)
        except BaseException:
            self._close()
            raise

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def _known_to(driver: LedgerDriver) -> Known:
    epochs: list[Epoch] = []
    while (epoch := driver.ledger.epoch_at(len(epochs))) is not None:
        epochs.append(epoch)
    return Known(epochs, driver.head)
