"""The brokers of a soak: MQTT 3.1.1 as far as a meter speaks it, and its faults."""

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Protocol

from wattle_testkit.soak.agenda import Agenda
from wattle_testkit.soak.plan import Weather

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ = 1, 3, 4, 8, 12
ECONNREFUSED, EHOSTUNREACH, ECONNRESET = 111, 113, 104
_CONNACK_NOT_AUTHORISED = 5
# What the buffers on both sides take before a write waits.
_BUFFERED_BYTES = 16_384


class Subscriber(Protocol):
    """A gateway as its broker sees it."""

    def published(self, session: "Session", leaf: str, payload: bytes) -> None: ...


class Session:
    """One connection of the meter; `tell(kind, body)` sends a frame to it."""

    def __init__(
        self,
        number: int,
        gateway: int,
        subscriber: Subscriber,
        agenda: Agenda,
        weather: Weather,
        random: Random,
        tell: Callable[[bytes, bytes], None],
    ) -> None:
        self.open = False
        self.subscribed = False
        self.topic = ""  # of the meter, up to its leaf
        self._gateway = gateway
        self._subscriber = subscriber
        self._agenda = agenda
        self._weather = weather
        self._random = random
        self._number = bytes((number,))
        self._tell_meter = tell
        self._buffer = b""
        self._packet_id = 0
        self._unacknowledged: dict[int, bytes] = {}
        self._arrives_ms = 0
        self._swallowed = 0
        self._torn = False

    def dial(self) -> None:
        """The outcome of the connect comes after a while, or never."""
        if self._has("unreachable") or self._has("half_open"):
            if self._random.random() < 0.5:
                self._agenda.after(3_000, lambda: self._tell(b"c", bytes((EHOSTUNREACH,))))
            return
        refused = self._has("refused") or self._weather.has("offline")
        self._agenda.after(
            self._random.randint(5, 150), lambda: self._dialled(ECONNREFUSED if refused else 0)
        )

    def received(self, data: bytes) -> None:
        """Bytes of the meter."""
        if not self.open:
            return
        if self._is_cut_off():
            self._swallowed += len(data)
            if self._swallowed > _BUFFERED_BYTES:
                self._tell(b"h", b"")
            return
        if self._torn:
            self.end(ECONNRESET)  # somebody is there again, but knows nothing of this connection
            return
        self._buffer += data
        while (packet := self._next_packet()) is not None:
            self._packet(*packet)

    def publish(self, leaf: str, payload: bytes) -> None:
        """To the meter, at QoS 1."""
        if not self.subscribed:
            return
        topic = f"{self.topic}{leaf}".encode()
        self._packet_id = self._packet_id % 65_535 + 1
        head = len(topic).to_bytes(2, "big") + topic + self._packet_id.to_bytes(2, "big")
        self._unacknowledged[self._packet_id] = packet = _packet(0x32, head + payload)
        self._send(packet)
        if self._has("acks_repeated"):  # as a broker does that thinks it was not acknowledged
            self._send(bytes((packet[0] | 8,)) + packet[1:])

    def end(self, errno: int = 0) -> None:
        """The broker closes (0) or resets the connection."""
        if self.open:
            self.open = self.subscribed = False
            self._agenda.after(self._random.randint(1, 50), lambda: self._ended(errno))

    def _ended(self, errno: int) -> None:
        self._tell(b"e", bytes((errno,)))

    def _dialled(self, errno: int) -> None:
        self.open = not errno
        self._tell(b"c", bytes((errno,)))

    def _has(self, kind: str) -> bool:
        return self._weather.has(kind, self._gateway)

    def _is_cut_off(self) -> bool:
        """Whether bytes get lost now; a connection that has lost some never works again."""
        cut_off = self._has("half_open") or self._weather.has("offline")
        self._torn = self._torn or cut_off
        return cut_off

    def _send(self, data: bytes) -> None:
        if not self.open or self._is_cut_off() or self._torn:
            return
        at_ms = self._agenda.now_ms + self._random.randint(2, 40)
        self._arrives_ms = max(self._arrives_ms, at_ms)
        self._agenda.at(self._arrives_ms, partial(self._deliver, data))

    def _deliver(self, data: bytes) -> None:
        if self.open:
            self._tell(b"d", data)

    def _tell(self, kind: bytes, body: bytes) -> None:
        self._tell_meter(kind, self._number + body)

    def _next_packet(self) -> tuple[int, int, bytes] | None:
        length = shift = 0
        for at in range(1, len(self._buffer)):
            length |= (self._buffer[at] & 0x7F) << shift
            shift += 7
            if self._buffer[at] < 0x80:
                end = at + 1 + length
                if len(self._buffer) < end:
                    return None
                first, body = self._buffer[0], self._buffer[at + 1 : end]
                self._buffer = self._buffer[end:]
                return first >> 4, first & 15, body
        return None

    def _packet(self, kind: int, flags: int, body: bytes) -> None:
        if kind == CONNECT:
            code = _CONNACK_NOT_AUTHORISED if self._has("login_refused") else 0
            self._send(bytes((0x20, 2, 0, code)))
            if code:
                self.end()
        elif kind == SUBSCRIBE:
            first = body[4 : 4 + int.from_bytes(body[2:4], "big")].decode()
            self.topic = first[: first.rindex("/") + 1]
            self.subscribed = True
            self._send(b"\x90\x04" + body[:2] + b"\x01\x01")
        elif kind == PINGREQ:
            self._send(b"\xd0\x00")
        elif kind == PUBACK:
            self._unacknowledged.pop(int.from_bytes(body, "big"), None)
        elif kind == PUBLISH:
            self._published(flags, body)
        else:
            raise AssertionError(f"a packet of type {kind} from the meter")

    def _published(self, flags: int, body: bytes) -> None:
        end = 2 + int.from_bytes(body[:2], "big")
        topic, packet_id, payload = body[2:end].decode(), body[end : end + 2], body[end + 2 :]
        if flags >> 1 & 3 != 1 or not topic.startswith(self.topic):
            raise AssertionError(f"PUBLISH with flags {flags:x} to {topic}")
        if not (self._has("puback_lost") and self._random.random() < 0.3):
            self._send(b"\x40\x02" + packet_id)
            if self._has("puback_twice") and self._random.random() < 0.5:
                self._send(b"\x40\x02" + packet_id)
        if self._has("samples_lost") and self._random.random() < 0.3:
            return
        self._subscriber.published(self, topic.rpartition("/")[2], payload)


def _packet(first: int, body: bytes) -> bytes:
    length, head = len(body), bytearray((first,))
    while True:
        head.append(length & 0x7F | (0x80 if length > 0x7F else 0))
        length >>= 7
        if not length:
            return bytes(head) + body
