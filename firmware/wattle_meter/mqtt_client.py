"""MQTT client: one connection after the other, each with a window of unacknowledged messages.

Messages go out at QoS 1. What has no PUBACK yet is kept and sent again, with DUP and the same
packet identifier, on the next connection (3.1.1 section 4.4). On a standing connection nothing
is sent twice: TCP delivers it or breaks, and a second copy would load a broker exactly when it
is slow. A broker that owes a PUBACK for too long is left instead.

Sessions are clean: a broker that a meter left would otherwise queue acks for it for ever. There
is no DISCONNECT either: a meter that goes wants the broker to publish its last will.

Only the client's own tasks touch the stream. MicroPython does not wake a task that waits to
write on a stream which another one closes, so a caller must never wait there.
"""

import asyncio

from wattle_meter import mqtt
from wattle_meter.backoff import Backoff
from wattle_meter.board import Clock, Random, Stream
from wattle_meter.errors import MeterError

KEEPALIVE_S = 30
# Sent or heard nothing for this long: ping. The broker waits 1.5 times the keep-alive (3.1.2.10).
PING_AFTER_MS = 20000
ANSWER_MS = 10000  # after that without a byte, a connection that owes an answer is half open
CONNECT_MS = 20000  # name look-up, TCP, TLS handshake (a board takes seconds), CONNACK, SUBACK
PUBACK_MS = 20000
STABLE_MS = 30000  # a connection that stood so long resets the back-off
WATCH_MS = 2000  # how late a time-out may be noticed
REST_PIECE_MS = 1000  # how late drop() may be noticed while waiting to connect

# Two seconds of round trip at four samples a second.
WINDOW_MESSAGES = 8
# They stand in the heap until they are acknowledged: four samples of ten readings.
WINDOW_BYTES = 8192
READ_BYTES = 512
PIECE_BYTES = 1400  # of one write: a segment of Ethernet, with what TLS adds
# PUBACKs that wait to be sent; a broker that reads so slowly is not read from either.
REPLIES_MAX = 16


class NotConnectedError(MeterError):
    """There is no connection; the message was not taken."""


class Hello:
    """What a connection begins with.

    `client_id`; `will` (topic, payload, retain) or None; `topics` to subscribe to.
    """

    def __init__(
        self, client_id: str, will: tuple[str, bytes, bool] | None, topics: list[str]
    ) -> None:
        self.client_id = client_id
        self.will = will
        self.topics = topics


class Handler:
    """What the owner of a Client does; none of these may take long, save dial."""

    async def dial(self) -> Stream:
        """Opens a connection to the broker of choice. Raises OSError, ValueError (TLS)."""
        raise NotImplementedError

    def hello(self) -> Hello:
        """How to begin on the connection just opened."""
        raise NotImplementedError

    def opened(self) -> None:
        """The broker has accepted connection and subscriptions: publish() works now."""
        raise NotImplementedError

    def received(self, topic: str, payload: bytes) -> None:
        """A message; it is acknowledged when this returns."""
        raise NotImplementedError

    def closed(self, reason: str) -> None:
        """The connection, or the attempt at one, has ended."""
        raise NotImplementedError


class _Outgoing:
    def __init__(self, packet_id: int, head: bytearray, payload: bytes | bytearray) -> None:
        self.packet_id = packet_id
        self.head = head
        self.payload = payload
        self.size = len(head) + len(payload)
        self.sent = False  # on this connection


class Client:
    """Keeps one connection open for `handler`; run() is its only long task.

    `connected`: whether publish() would take a message. `counts`: connections opened, messages
    received, published, acknowledged and sent again.
    """

    def __init__(self, handler: Handler, clock: Clock, random: Random) -> None:
        self._handler = handler
        self._clock = clock
        self._backoff = Backoff(random)
        self._ids = mqtt.PacketIds()
        self._window: list[_Outgoing] = []  # oldest first
        self._window_bytes = 0
        self._waits_since = 0  # tick since which the oldest of the window waits for its PUBACK
        self._room = asyncio.Event()  # in the window, or there is no connection any more
        self._buffer = bytearray(PIECE_BYTES)
        self._replies: list[bytes] = []  # control packets, sent before any of the window
        self._to_send = asyncio.Event()
        self._replied = asyncio.Event()
        self._stream: Stream | None = None
        self._session: asyncio.Task | None = None  # type: ignore[type-arg]
        self._sender: asyncio.Task | None = None  # type: ignore[type-arg]
        self._reason = ""
        self._at_once = False
        self._sent_at = 0
        self._heard_at = 0
        self._pinged_at: int | None = None
        self._writing = False
        self.connected = False
        self.counts = {"acknowledged": 0, "opened": 0, "published": 0, "received": 0, "resent": 0}

    # ---- for the owner

    async def run(self) -> None:
        """Connects, serves, and connects again, for ever."""
        while True:
            begun_at = self._clock.ticks_ms()
            opened_before = self.counts["opened"]
            reason = await self._connection()
            self._handler.closed(reason)
            opened = self.counts["opened"] != opened_before
            if opened and self._clock.ticks_ms() - begun_at >= STABLE_MS:
                self._backoff.succeeded()
            await self._rest(self._backoff.next_ms())

    async def publish(self, topic: str, payload: bytes | bytearray, retain: bool = False) -> None:
        """Hands over a message at QoS 1; waits while the window is full.

        When it returns, the message stands in the window: it is sent until the broker has
        acknowledged it, or drop() empties the window. Raises NotConnectedError, then it does not.
        """
        while self.connected and self._is_full(len(payload)):
            self._room.clear()
            await self._room.wait()
        if not self.connected:
            raise NotConnectedError("no connection to a broker")
        packet_id = self._ids.next([waiting.packet_id for waiting in self._window])
        head = mqtt.publish_head(topic, len(payload), packet_id, retain)
        message = _Outgoing(packet_id, head, payload)
        if not self._window:
            self._waits_since = self._clock.ticks_ms()
        self._window.append(message)
        self._window_bytes += message.size
        self.counts["published"] += 1
        self._to_send.set()

    def drop(self, reason: str) -> None:
        """Leaves the broker: the window is emptied, and the next connection begins at once."""
        self._window = []
        self._window_bytes = 0
        self._at_once = True
        self._end(reason)

    async def _rest(self, ms: int) -> None:
        """Waits before the next attempt, unless drop() wants it at once."""
        until = self._clock.ticks_ms() + ms
        while not self._at_once and self._clock.ticks_ms() < until:
            await self._clock.sleep_ms(min(REST_PIECE_MS, until - self._clock.ticks_ms()))

    # ---- one connection

    async def _connection(self) -> str:
        """Opens a connection, serves it to its end and gives the reason for that."""
        self._reason = ""
        self._at_once = False
        self._pinged_at = None
        self._writing = False
        self._replies = []
        self._sent_at = self._heard_at = self._clock.ticks_ms()
        session = asyncio.create_task(self._serve())
        self._session = session
        watch = asyncio.create_task(self._watch())
        try:
            await session
        except asyncio.CancelledError:
            if not self._reason:
                raise  # not our own _end(): run() itself is being cancelled
        except (OSError, ValueError, MeterError) as error:
            self._reason = self._reason or "%s: %s" % (type(error).__name__, error)
        finally:
            self._session = None
            self.connected = False
            self._room.set()
            watch.cancel()
            if self._sender is not None:
                self._sender.cancel()
                self._sender = None
            if self._stream is not None:
                stream, self._stream = self._stream, None
                await stream.close()
        return self._reason

    def _end(self, reason: str) -> None:
        """Ends the connection, if one stands or is being made."""
        if self._session is None or self._reason:
            return
        self._reason = reason
        self.connected = False
        self._room.set()
        if asyncio.current_task() is not self._session:  # a task cannot cancel itself: it looks
            self._session.cancel()

    async def _serve(self) -> None:
        handler = self._handler
        stream = await handler.dial()
        self._stream = stream
        hello = handler.hello()
        await stream.write(mqtt.connect(hello.client_id, KEEPALIVE_S, hello.will))
        packets = mqtt.PacketReader()
        subscribe_id = 0
        while not self._reason:
            packet = packets.next()
            if packet is None:
                data = await stream.read(READ_BYTES)
                if not data:
                    raise OSError("closed by the broker")
                self._heard_at = self._clock.ticks_ms()
                self._pinged_at = None
                packets.feed(data)
                continue
            kind, flags, body = packet
            if kind == mqtt.CONNACK and not subscribe_id:
                mqtt.parse_connack(flags, body)
                subscribe_id = self._ids.next([waiting.packet_id for waiting in self._window])
                self._replies.append(mqtt.subscribe(subscribe_id, hello.topics))
                self._prepare_resend()
                self._sender = asyncio.create_task(self._send(stream))
            elif kind == mqtt.SUBACK and not self.connected:
                self._subscribed(flags, body, subscribe_id, hello.topics)
            elif kind == mqtt.PUBLISH and subscribe_id:
                await self._receive(mqtt.parse_publish(flags, body))
            elif kind == mqtt.PUBACK and subscribe_id:
                self._acknowledge(mqtt.parse_puback(flags, body))
            elif kind != mqtt.PINGRESP:
                raise mqtt.MqttError("packet of type %d out of turn" % kind)

    def _subscribed(self, flags: int, body: bytes, subscribe_id: int, topics: list[str]) -> None:
        packet_id, codes = mqtt.parse_suback(flags, body)
        if packet_id != subscribe_id or len(codes) != len(topics):
            raise mqtt.MqttError("SUBACK for another SUBSCRIBE")
        for topic, code in zip(topics, codes):
            if code >= mqtt.SUBSCRIPTION_FAILED:
                raise mqtt.MqttError("subscription to %s refused" % topic)
        self.connected = True
        self.counts["opened"] += 1
        self._handler.opened()

    async def _receive(self, message: mqtt.Message) -> None:
        self.counts["received"] += 1
        self._handler.received(message.topic, message.payload)
        if message.qos:
            while len(self._replies) >= REPLIES_MAX:
                self._replied.clear()
                await self._replied.wait()
            self._reply(mqtt.puback(message.packet_id))

    def _acknowledge(self, packet_id: int) -> None:
        for at in range(len(self._window)):
            if self._window[at].packet_id == packet_id:
                self._window_bytes -= self._window[at].size
                del self._window[at]
                self.counts["acknowledged"] += 1
                if not at:  # they come in order (4.6): one that was passed over is owed for good
                    self._waits_since = self._clock.ticks_ms()
                self._room.set()
                return

    # ---- sending

    def _reply(self, packet: bytes) -> None:
        self._replies.append(packet)
        self._to_send.set()

    def _prepare_resend(self) -> None:
        self._waits_since = self._clock.ticks_ms()
        for waiting in self._window:
            if waiting.sent:
                waiting.sent = False
                mqtt.mark_duplicate(waiting.head)
                self.counts["resent"] += 1

    def _next_packet(self) -> tuple[bytes | bytearray, bytes | bytearray] | None:
        if self._replies:
            self._replied.set()
            return self._replies.pop(0), b""
        for waiting in self._window:
            if not waiting.sent:
                waiting.sent = True
                return waiting.head, waiting.payload
        return None

    async def _send(self, stream: Stream) -> None:
        """Writes packets, one at a time and whole, until the connection ends."""
        try:
            while True:
                packet = self._next_packet()
                if packet is None:
                    self._to_send.clear()
                    await self._to_send.wait()
                    continue
                self._sent_at = self._clock.ticks_ms()
                self._writing = True
                await self._write(stream, packet[0], packet[1])
                self._writing = False
        except (OSError, ValueError) as error:
            self._end("%s: %s" % (type(error).__name__, error))

    async def _write(
        self, stream: Stream, head: bytes | bytearray, payload: bytes | bytearray
    ) -> None:
        """Piece by piece from one buffer: after hours a heap has room for no copy of a message."""
        buffer, rest = self._buffer, memoryview(payload)
        filled = len(head)
        buffer[:filled] = head
        while True:
            count = min(len(rest), PIECE_BYTES - filled)
            buffer[filled : filled + count] = rest[:count]
            await stream.write(memoryview(buffer)[: filled + count])
            rest = rest[count:]
            if not len(rest):
                return
            filled = 0

    def _is_full(self, payload_bytes: int) -> bool:
        if len(self._window) >= WINDOW_MESSAGES:
            return True
        return bool(self._window) and self._window_bytes + payload_bytes > WINDOW_BYTES

    # ---- time-outs

    async def _watch(self) -> None:
        """Ends a connection that does not get up, or that stands but says nothing any more."""
        begun_at = self._clock.ticks_ms()
        while True:
            await self._clock.sleep_ms(WATCH_MS)
            now = self._clock.ticks_ms()
            if self._writing and now - self._sent_at >= ANSWER_MS:
                self._end("a write did not end for %d ms" % ANSWER_MS)
            elif not self.connected:
                if now - begun_at >= CONNECT_MS:
                    self._end("not connected after %d ms" % CONNECT_MS)
            elif self._window and now - self._waits_since >= PUBACK_MS:
                self._end("no PUBACK for %d ms" % PUBACK_MS)
            elif self._pinged_at is not None:
                if now - self._pinged_at >= ANSWER_MS:
                    self._end("no answer to a ping for %d ms" % ANSWER_MS)
            elif now - min(self._sent_at, self._heard_at) >= PING_AFTER_MS:
                self._pinged_at = now
                self._reply(mqtt.PINGREQ_PACKET)
