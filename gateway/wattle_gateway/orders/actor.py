"""The gateway's hand: sends what the book of orders says, when it says it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from wattle_wire import topics

from wattle_gateway.contracts.registry import Meter
from wattle_gateway.errors import StoreError
from wattle_gateway.ingest.commands import CommandSender
from wattle_gateway.orders.book import Command, OrderBook, PointOrder
from wattle_gateway.runtime.logs import Log

# Ten thousand loads at once: samples and acks get their turn in between.
SENT_AT_ONCE = 50
# What the broker did not take is tried again so soon; orders are a matter of seconds.
AGAIN_AFTER_S = 0.2

_log = Log("orders")


class OrderActor:
    """Carries out orders until cancelled. All methods run in the event loop."""

    def __init__(
        self,
        book: OrderBook,
        commands: CommandSender,
        meters: Callable[[], Mapping[bytes, Meter]],
        now_ms: Callable[[], int],
        speed: int,
    ) -> None:
        """`meters`: the registry as it stands; `now_ms`: Unix ms by a clock that runs `speed` times
        as fast as life."""
        self._book = book
        self._commands = commands
        self._meters = meters
        self._now_ms = now_ms
        self._speed = speed
        self._ledger_ms = 0
        self._failing = False
        self._wake = asyncio.Event()

    def take(self, orders: Sequence[PointOrder], rejected: Sequence[bytes], ledger_ms: int) -> None:
        """Orders as they stand on the ledger at its time `ledger_ms` (Unix ms); digests of
        transactions that it has refused."""
        self._ledger_ms = max(self._ledger_ms, ledger_ms)
        for order in orders:
            self._book.put(order)
        for digest in rejected:
            self._book.drop(digest)
        if orders or self._book.next_ms == 0:
            self._wake.set()

    def connection(self, meter: bytes, connection: bytes | None) -> None:
        """A meter is connected here by this connection (8 bytes), None: no more."""
        if connection is None:
            self._book.offline(meter)
        else:
            self._book.online(meter, connection)
            self._wake.set()

    def heard(
        self, meter: bytes, boot: int, command: tuple[bytes, int] | None, *, has_time: bool = True
    ) -> None:
        """A sound sample of a meter, as `OrderBook.heard`."""
        self._book.heard(meter, boot, command, has_time=has_time)
        if self._book.next_ms == 0:
            self._wake.set()

    async def run(self) -> None:
        """Send what is due until cancelled."""
        while True:
            failed = await self._send_due()
            next_ms = self._book.next_ms
            wait_s = None
            if next_ms is not None:
                wait_s = max(0, next_ms - self._time_ms()) / 1000 / self._speed
            if failed:
                wait_s = AGAIN_AFTER_S
            try:
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    async def _send_due(self) -> bool:
        """Whether the broker did not take all."""
        due = self._book.due(self._time_ms())
        sent: Counter[tuple[bytes, bool]] = Counter()
        failed: Counter[bytes] = Counter()
        for number, command in enumerate(due, 1):
            if await self._send(command):
                sent[command.order.digest, command.holds] += 1
            else:
                self._book.failed(command)
                failed[command.order.digest] += 1
            if number % SENT_AT_ONCE == 0:
                await asyncio.sleep(0)
        for (digest, holds), loads in sorted(sent.items()):
            what = "an order is carried out" if holds else "an order is over"
            _log.info(what, digest=digest.hex(), loads=loads)
        # Told once, not at every further try.
        for digest, loads in sorted(failed.items()) if not self._failing else ():
            _log.warning("an order does not reach the broker", digest=digest.hex(), loads=loads)
        self._failing = bool(failed)
        return self._failing

    def _time_ms(self) -> int:
        """What the ledger says that the time is, if our clock is behind it: an order that takes
        effect with its commit waits for nobody's clock."""
        return max(self._now_ms(), self._ledger_ms)

    async def _send(self, command: Command) -> bool:
        order = command.order
        meter = self._meters().get(order.meter)
        if meter is None or meter.revoked is not None:
            _log.warning("an order for no meter of ours", meter=topics.meter_id(order.meter))
            return True  # nobody is there to be told, now or later
        try:
            if command.holds:
                return await self._commands.setpoint(
                    meter, order.digest, order.device, order.watts, order.until_ms
                )
            return await self._commands.release(meter, order.digest, order.device)
        except StoreError as error:
            _log.warning("no counter for a command", error=error)
            return False
