"""A meter at its broker: sends what is due, keeps what is not durable, connects again."""

import asyncio
import contextlib
import secrets
import ssl
import time

from wattle_wire import cose, downlink, topics, uplink
from wattle_wire.errors import WireError

from wattle_testkit.edge.meters import EdgeMeter
from wattle_testkit.edge.mqtt_client import LinkLostError, MqttConnection
from wattle_testkit.edge.virtual_time import VirtualTime

SITE = "home"
# As many PUBLISHes of a meter wait for their PUBACK.
_WINDOW = 20
# A sample that was sent and is not durable after so long is sent again.
_AGAIN_S = 10.0
_LOOK_S = 1.0
_PAUSES_S = (0.5, 1.0, 2.0, 4.0)


class Sender:
    """One meter's sending. `durable`, `final` as its gateway has said; `sent_s[n]` when sample n
    was first sent, `final_s[n]` when it was said to be final (monotonic s)."""

    def __init__(
        self, meter: EdgeMeter, port: int, context: ssl.SSLContext, mac_key: bytes
    ) -> None:
        self.meter = meter
        self.durable = self.final = 0
        self.sent_s: list[float] = []
        self.final_s: list[float] = []
        self.losses = 0
        self.refused = 0
        self._port = port
        self._context = context
        self._mac_key = mac_key
        self._ledger_id = meter.board.epoch.ledger_id
        self._due = 0
        self._next = 1
        self._flying = 0
        self._moved_s = time.monotonic()
        self._wake = asyncio.Event()
        self._done = asyncio.Event()

    async def run(self, clock: VirtualTime) -> None:
        """Send every sample when its time has come, until all are final or it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(self._keep_time(clock))
            sending = tasks.create_task(self._keep_connected())
            await self._done.wait()
            keeping.cancel()
            sending.cancel()

    async def _keep_time(self, clock: VirtualTime) -> None:
        for time_ms in self.meter.times_ms:
            await asyncio.sleep(clock.wait_s(time_ms))
            self._due += 1
            self._wake.set()
        while True:  # wakes who has to send again
            await asyncio.sleep(_LOOK_S)
            self._wake.set()

    async def _keep_connected(self) -> None:
        failures = 0
        while True:
            link = MqttConnection(self._take, self._landed)
            try:
                await link.open(
                    self._port,
                    self._context,
                    secrets.token_hex(8),
                    self._topic(topics.ACK),
                    self._topic(topics.CMD),
                )
                failures = 0
                await self._connected(link)
            except LinkLostError:
                self.losses += 1
            await asyncio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
            failures += 1

    async def _connected(self, link: MqttConnection) -> None:
        self._flying, self._next = 0, self.durable + 1
        state = uplink.encode_state(secrets.token_bytes(uplink.CONNECTION_BYTES), True)
        link.publish(self._topic(topics.STATE), state, retain=True)
        pumping = asyncio.create_task(self._pump(link))
        try:
            await link.serve()
        finally:
            pumping.cancel()
            with contextlib.suppress(asyncio.CancelledError, LinkLostError):
                await pumping
            link.close()

    async def _pump(self, link: MqttConnection) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            waits = self.durable < min(self._next - 1, self._due)
            if waits and time.monotonic() - self._moved_s > _AGAIN_S:
                self._next, self._moved_s = self.durable + 1, time.monotonic()
            while self._next <= self._due and self._flying < _WINDOW:
                link.publish(self._topic(topics.SAMPLE), self.meter.samples[self._next - 1])
                if len(self.sent_s) < self._next:
                    self.sent_s.append(time.monotonic())
                self._next += 1
                self._flying += 1

    def _landed(self) -> None:
        self._flying = max(0, self._flying - 1)
        self._wake.set()

    def _take(self, topic: str, payload: bytes) -> None:
        if not topic.endswith(topics.ACK):
            return
        try:
            opened = cose.open_mac0("ack", self._ledger_id, payload, self._mac_key)
            ack = downlink.decode_ack(opened)
        except WireError as error:
            raise AssertionError(f"an ack that its own gateway did not make: {error}") from error
        self.refused += len(ack.refused)
        if ack.durable > self.durable:
            self.durable, self._moved_s = ack.durable, time.monotonic()
        now_s = time.monotonic()
        while self.final < ack.final:
            self.final += 1
            self.final_s.append(now_s)
        if self.final >= len(self.meter.samples):
            self._done.set()
        self._wake.set()

    def _topic(self, leaf: str) -> str:
        return topics.topic(SITE, self.meter.meter, leaf)
