"""The gateway's own MQTT client: paho in its thread, messages handed to the event loop.

Back-pressure: a message is acknowledged to the broker only when the gateway is done with it, and
at most `MESSAGES_IN_HAND_MAX` are in hand; beyond, the thread waits, the socket fills, and the
broker keeps the rest within its own limits.
"""

import asyncio
import contextlib
import secrets
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from wattle_gateway.errors import BrokerError
from wattle_gateway.ingest import broker_socket
from wattle_gateway.ingest.room import Room
from wattle_gateway.pki import keys
from wattle_gateway.runtime.logs import Log

# Two chunks for each of a few workers; at 16 KiB a sample this is 32 MiB.
MESSAGES_IN_HAND_MAX = 2_000
# The same while the gateway is short of memory.
SMALL_IN_HAND_MAX = 200
# Acks and commands on their way out; each is small and the next ack says all anew.
OUTGOING_MAX = 5_000
KEEPALIVE_S = 30
RECONNECT_FIRST_S = 1
RECONNECT_MAX_S = 30
# A broker that reloads its file may refuse a subscription it would take a moment later.
RESUBSCRIBE_PAUSE_S = 1.0

_log = Log("mqtt")


@dataclass(frozen=True)
class Message:
    """A message that arrived; `done` must be called exactly once, from the event loop."""

    topic: str
    payload: bytes
    retained: bool
    done: Callable[[], None]


@dataclass(frozen=True)
class TlsFiles:
    """PEM files: the authority to trust, our certificate and its key."""

    authority: Path
    certificate: Path
    key: Path


class MqttLink:
    """A connection to the broker that is always being kept up."""

    def __init__(
        self,
        host: str,
        port: int,
        files: TlsFiles,
        subscriptions: Sequence[str],
        on_message: Callable[[Message], None],
        on_up: Callable[[], None],
    ) -> None:
        """`on_message` and `on_up` (subscribed again after a connect) run in the event loop."""
        self._host = host
        self._port = port
        self._subscriptions = [(name, 1) for name in subscriptions]
        self._on_message = on_message
        self._on_up = on_up
        self._loop = asyncio.get_running_loop()
        self._room = Room(MESSAGES_IN_HAND_MAX)
        self._connection = 0
        self._subscribed_on = 0
        self._stopping = False
        self.connects = 0
        self.refusals = 0
        self._files = files
        self._context = _tls(files)
        self._client = self._new_client(self._context)

    @property
    def up(self) -> bool:
        """Whether messages reach us: the broker is connected and has taken our subscriptions."""
        return self._client.is_connected() and self._subscribed_on == self._connection

    def start(self) -> None:
        """Begin to connect, and again whenever the connection is lost."""
        self._client.connect_async(self._host, self._port, keepalive=KEEPALIVE_S)
        self._client.loop_start()

    async def stop(self) -> None:
        """Disconnect and end the thread."""
        self._stopping = True
        self._room.end()  # a thread that waits for room must see it
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    def take_few(self, few: bool) -> None:
        """Whether only SMALL_IN_HAND_MAX messages may be in hand; in the event loop."""
        self._room.limit(SMALL_IN_HAND_MAX if few else MESSAGES_IN_HAND_MAX)

    def reload(self) -> None:
        """Show the certificate that is in its file now at the next connect."""
        try:
            _show(self._context, self._files)
        except BrokerError as error:
            _log.error("the new certificate is not used", error=error)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Send with QoS 1; False (and nothing is kept for later) while the broker is away.
        `retain`: the broker keeps it for those who subscribe later."""
        if not self._client.is_connected():
            return False
        sent = self._client.publish(topic, payload, qos=1, retain=retain)
        return sent.rc == mqtt.MQTT_ERR_SUCCESS

    def _new_client(self, context: ssl.SSLContext) -> mqtt.Client:
        # A random id: nobody can take our place in the broker by knowing it (SPEC section 8).
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"gateway-{secrets.token_hex(8)}",
            clean_session=True,
            protocol=mqtt.MQTTv311,
            manual_ack=True,
        )
        client.tls_set_context(context)
        client.max_inflight_messages_set(OUTGOING_MAX)
        client.max_queued_messages_set(OUTGOING_MAX)
        client.reconnect_delay_set(RECONNECT_FIRST_S, RECONNECT_MAX_S)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._answered
        client.on_message = self._arrived
        client.on_socket_open = _send_at_once
        return client

    def _subscribe_again(self, connection: int) -> None:
        # A connection made since has subscribed by itself.
        if connection == self._connection and self._client.is_connected() and not self._stopping:
            self._client.subscribe(self._subscriptions)

    # The callbacks below run in paho's thread.

    def _connected(
        self, client: mqtt.Client, _data: Any, _flags: Any, code: ReasonCode, _props: Any
    ) -> None:
        if code.is_failure:
            _log.error("broker refuses us", reason=code)
            return
        self._connection += 1
        self.connects += 1
        client.subscribe(self._subscriptions)

    def _answered(
        self, _client: mqtt.Client, _data: Any, _mid: int, codes: list[ReasonCode], _props: Any
    ) -> None:
        connection = self._connection
        if any(code.is_failure for code in codes):
            self.refusals += 1
            _log.error("broker refuses a subscription", codes=[str(code) for code in codes])
            self._in_loop(
                lambda: self._loop.call_later(
                    RESUBSCRIBE_PAUSE_S, self._subscribe_again, connection
                )
            )
            return
        self._subscribed_on = connection
        _log.info("connected to the broker", host=self._host, port=self._port)
        self._in_loop(self._on_up)

    def _disconnected(
        self, _client: mqtt.Client, _data: Any, _flags: Any, code: ReasonCode, _props: Any
    ) -> None:
        if not self._stopping:
            _log.warning("connection to the broker lost", reason=code)

    def _arrived(self, client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        connection, mid = self._connection, message.mid

        def done() -> None:
            self._room.give()
            # The broker of a new connection knows nothing of the old one's packet ids.
            if connection == self._connection and message.qos == 1:
                client.ack(mid, 1)

        self._room.take()
        if self._stopping:
            return
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        arrived = Message(topic, bytes(message.payload), message.retain, done)
        self._in_loop(lambda: self._on_message(arrived))

    def _in_loop(self, work: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: we are going down
            self._loop.call_soon_threadsafe(work)


def _tls(files: TlsFiles) -> ssl.SSLContext:
    try:
        context = broker_socket.trusting(files.authority)
    except (OSError, ssl.SSLError) as error:
        raise BrokerError(f"cannot load the site's authority: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    _show(context, files)
    return context


def _show(context: ssl.SSLContext, files: TlsFiles) -> None:
    try:
        context.load_cert_chain(files.certificate, files.key, keys.password_of(files.key))
    except (OSError, ssl.SSLError) as error:
        raise BrokerError(f"cannot load the gateway's certificate: {error}") from error


def _send_at_once(_client: mqtt.Client, _data: Any, opened: Any) -> None:
    # With Nagle's algorithm a QoS 1 exchange waits 40 ms for a delayed ACK; paho leaves it on.
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
