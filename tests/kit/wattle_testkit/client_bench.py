"""An MQTT client whose broker is in memory, on a clock that the case moves; on CPython and
MicroPython alike. `case` makes a test of a coroutine that gets a Bench.
"""

import asyncio

from wattle_meter import mqtt, mqtt_client
from wattle_meter.mqtt_client import Client, Handler, Hello

from wattle_testkit.meter_fakes import ExtremeRandom, FakeStream, LoopClock, settle

WINDOW = mqtt_client.WINDOW_MESSAGES


def publish(topic, payload, *more):
    """A whole PUBLISH; `more` as of mqtt.publish_head."""
    return mqtt.publish_head(topic, len(payload), *more) + payload


class Bench(Handler):
    """Client, owner and broker. `accepts`, `acks`, `subscribes`: what the broker answers."""

    def __init__(self):
        self.clock = LoopClock()
        self.streams = []
        self.dialled_at = []
        self.closings = []
        self.messages = []
        self.openings = 0
        self.unreachable = False
        self.dial_hangs = False
        self.accepts = b"\x20\x02\x00\x00"
        self.grants = b"\x01"
        self.acks = True
        self.pongs = True
        self.on_message = None
        self._heard = self._reader = None
        self.client = Client(self, self.clock, ExtremeRandom(True))

    # ---- the owner

    async def dial(self):
        self.dialled_at.append(self.clock.now_ms)
        if self.unreachable:
            raise OSError(111, "refused")
        if self.dial_hangs:
            await asyncio.Event().wait()
        self.streams.append(FakeStream(self.answer))
        return self.streams[-1]

    def hello(self):
        return Hello("id%d" % len(self.streams), ("w", b"gone", True), ["ack"])

    def opened(self):
        self.openings += 1

    def received(self, topic, payload):
        self.messages.append((topic, payload))
        if self.on_message is not None:
            self.on_message()

    def closed(self, reason):
        self.closings.append(reason)

    # ---- the broker

    def answer(self, stream, data):
        if stream is not self._heard:
            self._heard, self._reader = stream, mqtt.PacketReader(100000)
        self._reader.feed(data)
        packet = self._reader.next()
        if packet is None:
            return  # a long one comes in several writes
        kind, flags, body = packet
        assert self._reader._buffer == b"", "more than one packet in one write"
        if kind == 1:
            stream.feed(self.accepts)
        elif kind == 8:
            stream.feed(bytes((0x90, 2 + len(self.grants))) + body[:2] + self.grants)
        elif kind == mqtt.PUBLISH and self.acks:
            stream.feed(mqtt.puback(mqtt.parse_publish(flags, body).packet_id))
        elif kind == 12 and self.pongs:
            stream.feed(b"\xd0\x00")

    @property
    def stream(self):
        return self.streams[-1]

    def published(self, stream=None):
        """(packet id, payload, dup) of every PUBLISH on a connection, the last one by default."""
        rows = []
        for data in (stream or self.stream).written:
            if data[0] >> 4 == mqtt.PUBLISH:
                message = mqtt.parse_publish(data[0] & 15, data[2:])
                rows.append((message.packet_id, message.payload, message.dup))
        return rows

    def send(self, text):
        return self.client.publish("t", text)


def case(function):
    """Runs a coroutine over a bench whose client runs beside it."""

    def test():
        async def main():
            bench = Bench()
            running = asyncio.create_task(bench.client.run())
            try:
                await settle()
                await function(bench)
            finally:
                running.cancel()
                try:
                    await running
                except asyncio.CancelledError:
                    pass
            assert not bench.client.connected

        asyncio.run(main())

    return test
