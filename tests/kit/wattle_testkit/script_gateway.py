"""A gateway that does what a test tells it: verifies what meters send, and acks by script.

Its broker is a real one; its ledger is a dictionary. What it counts as final is what the rules
say: seqs that it holds, or that a sample it holds declares as a gap, without a hole from 1 up.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.asymmetric import ec
from paho.mqtt.enums import CallbackAPIVersion
from wattle_gateway.ingest import broker_socket
from wattle_gateway.ledger import crypto
from wattle_gateway.pki import keys
from wattle_wire import cose, downlink, sample_reader, topics, uplink
from wattle_wire.downlink import Ack
from wattle_wire.health import Health
from wattle_wire.sample import Sample

FIRST_SEQ = 1


@dataclass
class EnrolledMeter:
    """What the gateway knows of one meter, and all it has heard of it.

    `arrivals` lists the seqs of samples as they came, repeats included; `samples` maps seq to
    (sample, digest, raw); `broken` lists what did not verify.
    """

    meter: str
    site: str
    signing_public: bytes
    link_public: bytes
    arrivals: list[int] = field(default_factory=list)
    samples: dict[int, tuple[Sample, bytes, bytes]] = field(default_factory=dict)
    births: list[dict[str, object]] = field(default_factory=list)
    states: list[tuple[bool, bytes, bytes | None]] = field(default_factory=list)
    health: Health | None = None  # the newest
    news: list[tuple[int, int, int]] = field(default_factory=list)  # of updates
    broken: list[str] = field(default_factory=list)

    @property
    def covered(self) -> set[int]:
        """Seqs that are held or declared as lost."""
        result = set(self.samples)
        for sample, _, _ in list(self.samples.values()):
            for first, to, _ in sample.gaps:
                result.update(range(first, to + 1))
        return result

    @property
    def final(self) -> int:
        """The highest seq below which nothing is missing."""
        covered, seq = self.covered, FIRST_SEQ
        while seq in covered:
            seq += 1
        return seq - 1

    def broken_links(self) -> list[int]:
        """Seqs whose `prev` is not the digest of the sample before them, if both are there."""
        result = []
        for seq, (sample, _, _) in sorted(self.samples.items()):
            before = self.samples.get(seq - 1)
            if before is not None and sample.prev is not None and sample.prev != before[1]:
                result.append(seq)
        return result


class ScriptGateway:
    """Connects to a broker as the gateway of a ledger.

    `acking`: whether samples are acked as they come; `clock_ms`: answers questions for the time
    when set; `lose`: seqs whose first arrival is dropped as if it had never come.
    """

    def __init__(self, ledger_id: bytes, link: ec.EllipticCurvePrivateKey) -> None:
        self.ledger_id = ledger_id
        self.acking = True
        self.clock_ms: Callable[[], int] | None = None
        self.lose: set[int] = set()
        self.meters: dict[str, EnrolledMeter] = {}
        self.commits = 0
        self.link_public = crypto.public_of(link)
        self._link = link
        self._counter = 1_000
        self._lock = threading.RLock()
        self._connected = threading.Event()
        self._client: mqtt.Client | None = None

    def enrol(self, proof: bytes, site: str) -> EnrolledMeter:
        """Takes a meter by its proof of possession. Raises WireError."""
        signed = cose.parse_sign1("enrol", self.ledger_id, proof)
        _, signing, link, _, _, _ = uplink.decode_proof(signed.payload)
        crypto.verify(signing, signed.digest, signed.signature)
        meter = EnrolledMeter(topics.meter_id(signed.kid), site, signing, link)
        self.meters[meter.meter] = meter
        return meter

    def connect(self, host: str, port: int, authority: Path, certificate: Path, key: Path) -> None:
        """Connects over TLS; goes on trying while the broker is away."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        context = broker_socket.trusting(authority)
        context.load_cert_chain(certificate, key)
        client.tls_set_context(context)
        client.reconnect_delay_set(1, 1)
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_disconnect = lambda *_: self._connected.clear()
        client.connect_async(host, port, keepalive=10)
        client.loop_start()
        self._client = client

    @property
    def connected(self) -> bool:
        return self._connected.is_set()

    def disconnect(self) -> None:
        """Leaves the broker."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()

    def ack_of(self, meter: EnrolledMeter) -> Ack:
        """The ack that the rules ask for now."""
        final = meter.final
        held = sorted(seq for seq in meter.samples if seq > final)
        durable = final
        missing: list[list[int]] = []
        for seq in held:
            if seq == durable + 1 and not missing:
                durable = seq
            elif seq > (expected := missing[-1][2] if missing else durable + 1):
                missing.append([expected, seq - 1, seq + 1])
            else:
                missing[-1][2] = seq + 1
        rows = [[first, to] for first, to, _ in missing[: downlink.MISSING_MAX]]
        digest = sha256(b"commit %d" % self.commits).digest()
        return Ack(final, durable, rows, [], self.commits, digest)

    def send_ack(self, meter: EnrolledMeter, ack: Ack | None = None) -> bytes:
        """Sends an ack, by the rules unless one is given; gives its bytes."""
        if ack is None:
            self.commits += 1
            ack = self.ack_of(meter)
        return self._send(meter, topics.ACK, downlink.encode_ack(ack))

    def send_command(
        self, meter: EnrolledMeter, kind: int, body: list[object], counter: int | None = None
    ) -> bytes:
        """Sends a command with the next counter unless one is given; gives its bytes."""
        if counter is None:
            self._counter += 1
            counter = self._counter
        return self._send(meter, topics.CMD, downlink.encode_command(counter, kind, body))

    def send_raw(self, meter: EnrolledMeter, leaf: str, raw: bytes) -> None:
        """Sends bytes as they are to a meter's ack or cmd."""
        assert self._client is not None
        self._client.publish(topics.topic(meter.site, meter.meter, leaf), raw, qos=1)

    def _send(self, meter: EnrolledMeter, leaf: str, payload: bytes) -> bytes:
        kid = cose.kid_of(self.link_public)
        meter_kid = topics.kid_of_meter(meter.meter)
        secret = keys.shared_x(self._link, meter.link_public)
        key = cose.link_key(secret, self.ledger_id, meter_kid, kid)
        raw = cose.mac0(leaf, self.ledger_id, kid, payload, key)
        self.send_raw(meter, leaf, raw)
        return raw

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe([(f"wattle/1/+/+/{leaf}", 1) for leaf in ("sample", "birth", "state")])
        self._connected.set()

    def _on_message(self, _: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        _site, name, leaf = topics.parse(message.topic)
        meter = self.meters.get(name)
        if meter is None:
            return
        payload = bytes(message.payload)
        with self._lock:
            try:
                if leaf == topics.STATE:
                    self._state(meter, payload)
                elif leaf == topics.BIRTH:
                    signed = self._verified(meter, "birth", payload)
                    meter.births.append(uplink.decode_birth(signed.payload))
                else:
                    self._sample(meter, payload)
            except ValueError as error:
                meter.broken.append(f"{leaf}: {error}")

    def _verified(self, meter: EnrolledMeter, kind: str, raw: bytes) -> cose.Signed:
        signed = cose.parse_sign1(kind, self.ledger_id, raw)
        crypto.verify(meter.signing_public, signed.digest, signed.signature)
        return signed

    def _state(self, meter: EnrolledMeter, raw: bytes) -> None:
        online, connection, nonce, health, news = uplink.decode_state(raw)
        if health is not None:
            meter.health = health
        if news is not None:
            meter.news.append(news)
        meter.states.append((online, connection, nonce))
        if online and self.acking:
            self.send_ack(meter, self.ack_of(meter))
        if nonce is not None and self.clock_ms is not None:
            self.send_command(meter, downlink.TIME, [nonce, self.clock_ms()])

    def _sample(self, meter: EnrolledMeter, raw: bytes) -> None:
        signed = self._verified(meter, "sample", raw)
        content = sample_reader.decode(signed.payload)
        if content.seq in self.lose:
            self.lose.remove(content.seq)
            return
        meter.arrivals.append(content.seq)
        known = meter.samples.get(content.seq)
        if known is not None and known[1] != signed.digest:
            meter.broken.append(f"seq {content.seq} was used twice")
        meter.samples[content.seq] = (content, signed.digest, raw)
        if self.acking:
            self.send_ack(meter)
