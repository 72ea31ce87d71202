"""A meter made of paper: real keys, real certificate, real MQTT over TLS, no board behind it."""

import secrets
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paho.mqtt.enums import CallbackAPIVersion
from wattle_gateway.ingest import broker_socket
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_gateway.pki import keys
from wattle_wire import cose, downlink, topics, uplink
from wattle_wire.downlink import Ack

from wattle_testkit.alliance import Board, private_key
from wattle_testkit.gateway_process import GatewayProcess
from wattle_testkit.waiting import until

DEADLINE_S = 15.0
SITE = "home"


class PaperMeter:
    """An enrolled (or not) board at the broker of a gateway; a context manager."""

    def __init__(
        self,
        board: Board,
        gateway: GatewayProcess,
        *,
        site: str = SITE,
        certificate: Path | None = None,
        port: int | None = None,
        client_id: str | None = None,
    ) -> None:
        """`certificate` of another, `client_id` of another: for meters that lie."""
        self.board = board
        self.meter = topics.meter_id(board.kid)
        self.site = site
        self.acks: list[Ack] = []
        self.commands: list[tuple[int, int, list[object]]] = []
        self.received: list[tuple[str, bytes]] = []
        self.granted: list[bool] = []
        self.connection = secrets.token_bytes(uplink.CONNECTION_BYTES)
        self._gateway = gateway
        self._port = port or gateway.port
        self._connected = threading.Event()
        self._dropped = threading.Event()
        self._greets = False
        self._published: set[int] = set()
        self._epoch = gateway.epoch
        self._mac_key = self._derive_key()
        self.client = self._new_client(client_id or secrets.token_hex(8))
        self._tls(certificate)

    def __enter__(self) -> "PaperMeter":
        self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self) -> None:
        """Connect, subscribe to ack and cmd, say that we are there; again after every loss."""
        self._greets = True
        self.client.connect("127.0.0.1", self._port, keepalive=30)
        self.client.loop_start()
        until(lambda: len(self.granted) >= 2, DEADLINE_S, "the meter is connected")
        self.say_online()

    def attempt(self) -> bool:
        """Try to connect; whether the broker let us in."""
        try:
            self.client.connect("127.0.0.1", self._port, keepalive=30)
        except OSError:
            return False
        self.client.loop_start()
        until(lambda: self._connected.is_set() or self._dropped.is_set(), DEADLINE_S, "an answer")
        if not self._connected.is_set():
            self.close()
        return self._connected.is_set()

    @property
    def online(self) -> bool:
        """Whether the broker holds our connection."""
        return self.client.is_connected()

    def close(self) -> None:
        """Disconnect."""
        self.client.disconnect()
        self.client.loop_stop()

    def subscribe(self, *filters: str) -> None:
        """Subscribe and wait for the answer, which goes to `granted`."""
        before = len(self.granted)
        self.client.subscribe([(name, 1) for name in filters])
        until(lambda: len(self.granted) >= before + len(filters), DEADLINE_S, "a SUBACK")

    def say_online(self, nonce: bytes | None = None) -> None:
        """Publish `state`, asking for the time if a nonce is given."""
        payload = uplink.encode_state(self.connection, True, nonce)
        self.publish(self.topic(topics.STATE), payload, retain=True)

    def send(self, *samples: SignedSample) -> None:
        """Publish samples; waits for their PUBACKs."""
        for signed in samples:
            self.publish(self.topic(topics.SAMPLE), signed.raw)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish with QoS 1 and wait for the PUBACK, over a lost connection if need be."""
        mid = self.client.publish(topic, payload, qos=1, retain=retain).mid
        until(lambda: mid in self._published, DEADLINE_S, "a PUBACK")

    def topic(self, leaf: str) -> str:
        """A topic of this meter."""
        return topics.topic(self.site, self.meter, leaf)

    def await_final(self, seq: int) -> Ack:
        """The first ack whose `final` has reached `seq`."""
        return self._await_ack(lambda ack: ack.final >= seq, f"final {seq}")

    def await_durable(self, seq: int) -> Ack:
        """The first ack whose `durable` has reached `seq`."""
        return self._await_ack(lambda ack: ack.durable >= seq, f"durable {seq}")

    def _await_ack(self, wanted: Callable[[Ack], bool], what: str) -> Ack:
        found = until(lambda: next(filter(wanted, self.acks), None), DEADLINE_S, what)
        assert found is not None
        return found

    def _derive_key(self) -> bytes:
        member = self._gateway.member
        secret = keys.shared_x(private_key(f"{self.board.name} link"), member.link_key)
        return bytes(cose.link_key(secret, self._epoch.ledger_id, self.board.kid, member.link_kid))

    def _new_client(self, client_id: str) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv311, clean_session=True
        )
        client.will_set(
            self.topic(topics.STATE), uplink.encode_state(self.connection, False), 1, True
        )
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    def _tls(self, certificate: Path | None) -> None:
        home = self._gateway.home
        context = broker_socket.trusting(home.certificate("authority"))
        path = certificate or home.meter_certificates / f"{self.meter}.pem"
        if path.exists():
            key = home.folder.with_name(f"{self.board.name}.{secrets.token_hex(4)}.key")
            pem = private_key(f"{self.board.name} tls").private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
            )
            key.write_bytes(pem)
            context.load_cert_chain(path, key)
        self.client.tls_set_context(context)

    def _on_connect(self, client: Any, _data: Any, _flags: Any, code: Any, _props: Any) -> None:
        if code.is_failure:
            return
        if self._greets:
            client.subscribe([(self.topic(topics.ACK), 1), (self.topic(topics.CMD), 1)])
            state = uplink.encode_state(self.connection, True)
            client.publish(self.topic(topics.STATE), state, qos=1, retain=True)
        self._connected.set()

    def _on_publish(self, _client: Any, _data: Any, mid: int, _code: Any, _props: Any) -> None:
        self._published.add(mid)

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, _code: Any, _p: Any) -> None:
        self._dropped.set()

    def _on_subscribe(self, _client: Any, _data: Any, _mid: Any, codes: Any, _props: Any) -> None:
        self.granted += [not code.is_failure for code in codes]

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        raw = bytes(message.payload)
        self.received.append((message.topic, raw))
        ledger_id = self._epoch.ledger_id
        if message.topic == self.topic(topics.ACK):
            payload = cose.open_mac0("ack", ledger_id, raw, self._mac_key)
            self.acks.append(downlink.decode_ack(payload))
        elif message.topic == self.topic(topics.CMD):
            payload = cose.open_mac0("cmd", ledger_id, raw, self._mac_key)
            self.commands.append(downlink.decode_command(payload))
