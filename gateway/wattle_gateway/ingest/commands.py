"""Commands to meters: a setpoint, the time, samples once more (SPEC section 8)."""

import asyncio
from collections.abc import Awaitable, Callable

from wattle_wire import cose, downlink, topics

from wattle_gateway.contracts.registry import Meter
from wattle_gateway.ingest.links import LinkKeys
from wattle_gateway.store import operation_rows
from wattle_gateway.store.operation_file import Write

COUNTER = "cmd.counter"
# Counters reserved on disk at once, so that a command costs no fsync; they are Unix ms at the
# least, so after a restart ours run at most this far ahead of the clock.
RESERVED = 10_000
# A meter asks once a connection and once an hour; more often it is answered this often.
TIME_EVERY_MS = 1_000


class CommandSender:
    """Signs and sends commands. `reserve(write)` makes a write durable before it returns."""

    def __init__(
        self,
        ledger_id: bytes,
        links: LinkKeys,
        last_counter: int,
        now_ms: Callable[[], int],
        publish: Callable[[str, bytes], bool],
        reserve: Callable[[Write], Awaitable[None]],
    ) -> None:
        self._ledger_id = ledger_id
        self._links = links
        self._last = last_counter
        self._reserved = last_counter
        self._now_ms = now_ms
        self._publish = publish
        self._reserve = reserve
        self._answered_ms: dict[bytes, int] = {}
        self._reserving = asyncio.Lock()

    async def give_time(self, meter: Meter, nonce: bytes, steady_ms: int) -> bool:
        """Answer a meter's nonce with the time; False if it asked too soon or is not reached."""
        if steady_ms - self._answered_ms.get(meter.kid, -TIME_EVERY_MS) < TIME_EVERY_MS:
            return False
        self._answered_ms[meter.kid] = steady_ms
        counter = await self._next_counter()
        return self._send(meter, counter, downlink.TIME, [nonce, self._now_ms()])

    async def resend(self, meter: Meter, first: int, to: int) -> bool:
        """Ask a meter for samples `first` .. `to` again; False if the broker is not reached."""
        counter = await self._next_counter()
        return self._send(meter, counter, downlink.RESEND, [first, to])

    async def setpoint(
        self, meter: Meter, digest: bytes, device: int, watts: int, until_ms: int
    ) -> bool:
        """Have the load of a device hold `watts` until Unix ms, as transaction `digest` orders;
        False if the broker is not reached."""
        counter = await self._next_counter()
        return self._send(meter, counter, downlink.SETPOINT, [digest, device, watts, until_ms])

    async def release(self, meter: Meter, digest: bytes, device: int) -> bool:
        """Let the load of a device go back to rest: the order `digest` is over; False if the
        broker is not reached."""
        counter = await self._next_counter()
        return self._send(meter, counter, downlink.RELEASE, [digest, device])

    def _send(self, meter: Meter, counter: int, kind: int, body: list[object]) -> bool:
        message = cose.mac0(
            "cmd",
            self._ledger_id,
            self._links.kid,
            downlink.encode_command(counter, kind, body),
            self._links.key_of(meter),
        )
        return self._publish(
            topics.topic(meter.site, topics.meter_id(meter.kid), topics.CMD), message
        )

    async def _next_counter(self) -> int:
        """max(last + 1, Unix ms), never one that may have been used before a crash."""
        async with self._reserving:
            self._last = counter = max(self._last + 1, self._now_ms())
            if counter >= self._reserved:
                row = {COUNTER: counter + RESERVED}
                await self._reserve(
                    lambda connection: operation_rows.save_counters(connection, row)
                )
                self._reserved = counter + RESERVED
            return counter
