"""MQTT 3.1.1 packets of a client; pure: bytes in, packets out.

Source: OASIS MQTT 3.1.1; section numbers below are its own. QoS 0 and 1 only: QoS 2 is refused
where it arrives, since nothing of it was asked for.
"""

import struct

from wattle_meter.errors import MeterError

CONNACK = 2
PUBLISH = 3
PUBACK = 4
SUBACK = 9
PINGRESP = 13

PINGREQ_PACKET = b"\xc0\x00"

REMAINING_LENGTH_MAX = 268435455  # four bytes of seven bits (2.2.3)
# What a board takes from a broker: the longest message to it is an ack or a command, below 1 kB.
PACKET_BYTES_MAX = 4096
PACKET_ID_MAX = 65535
SUBSCRIPTION_FAILED = 0x80  # 3.9.3
_TEXT_BYTES_MAX = 65535  # 1.5.3

_DUP = 0x08
_CONNACK_CODES = (
    "accepted",
    "protocol version refused",
    "client id refused",
    "server unavailable",
    "bad user name or password",
    "not authorised",
)


class MqttError(MeterError):
    """Bytes from the broker that are no packet for a 3.1.1 client, or a packet beyond a limit."""


class Message:
    """A PUBLISH received: `topic` text, `payload` bytes, `qos` 0 or 1, `packet_id` (0: none)."""

    def __init__(
        self, topic: str, payload: bytes, qos: int, packet_id: int, retain: bool, dup: bool
    ) -> None:
        self.topic = topic
        self.payload = payload
        self.qos = qos
        self.packet_id = packet_id
        self.retain = retain
        self.dup = dup


def connect(client_id: str, keepalive_s: int, will: tuple[str, bytes, bool] | None = None) -> bytes:
    """CONNECT (3.1) with a clean session; `will` = (topic, payload, retain), sent at QoS 1."""
    flags = 0x02
    payload = _text(client_id)
    if will is not None:
        topic, message, retain = will
        flags |= 0x04 | 1 << 3 | (0x20 if retain else 0)
        payload += _text(topic) + struct.pack(">H", len(message)) + message
    body = _text("MQTT") + struct.pack(">BBH", 4, flags, keepalive_s) + payload
    return bytes(_head(0x10, len(body))) + body


def publish_head(topic: str, size: int, packet_id: int = 0, retain: bool = False) -> bytearray:
    """PUBLISH (3.3) up to its payload of `size` bytes: at QoS 1 with a `packet_id` of 1..65535, at
    QoS 0 without."""
    topic_text = _text(topic)
    length = len(topic_text) + (2 if packet_id else 0) + size
    packet = _head(0x30 | (0x02 if packet_id else 0) | (0x01 if retain else 0), length)
    packet += topic_text
    if packet_id:
        packet += struct.pack(">H", packet_id)
    return packet


def mark_duplicate(packet: bytearray) -> None:
    """Sets DUP in a PUBLISH that is sent again (3.3.1.1)."""
    packet[0] |= _DUP


def puback(packet_id: int) -> bytes:
    """PUBACK (3.4)."""
    return struct.pack(">BBH", 0x40, 2, packet_id)


def subscribe(packet_id: int, topics: list[str]) -> bytes:
    """SUBSCRIBE (3.8) to `topics`, each at QoS 1."""
    body = struct.pack(">H", packet_id)
    for topic in topics:
        body += _text(topic) + b"\x01"
    return bytes(_head(0x82, len(body))) + body


class PacketIds:
    """Hands out packet identifiers: 1..65535, round and round, without those in use (2.3.1)."""

    def __init__(self) -> None:
        self._last = 0

    def next(self, in_use: list[int]) -> int:
        """The next identifier that is not `in_use` (fewer than 65535)."""
        while True:
            self._last = self._last % PACKET_ID_MAX + 1
            if self._last not in in_use:
                return self._last


class PacketReader:
    """Finds packets in the byte stream of a broker, however it is cut into pieces.

    `limit`: longest packet that is accepted, head included.
    """

    def __init__(self, limit: int = PACKET_BYTES_MAX) -> None:
        self._limit = limit
        self._buffer = b""

    def feed(self, data: bytes) -> None:
        """Adds bytes of the stream; call next() until it has none before feeding more."""
        self._buffer += data

    def next(self) -> tuple[int, int, bytes] | None:
        """(packet type, flags, body) of the next whole packet, or None. Raises MqttError."""
        buffer = self._buffer
        length = 0
        at = 1
        while True:
            if at >= len(buffer):
                return None
            length |= (buffer[at] & 0x7F) << 7 * (at - 1)
            at += 1
            if at + length > self._limit:
                raise MqttError("packet of %d bytes, at most %d" % (at + length, self._limit))
            if buffer[at - 1] < 0x80:
                break
            if at > 4:
                raise MqttError("remaining length of more than four bytes")
        if len(buffer) < at + length:
            return None
        self._buffer = buffer[at + length :]
        return buffer[0] >> 4, buffer[0] & 15, buffer[at : at + length]


def parse_connack(flags: int, body: bytes) -> None:
    """Returns if the broker accepted (3.2). Raises MqttError with its reason otherwise."""
    if flags or len(body) != 2 or body[0] > 1:
        raise MqttError("malformed CONNACK")
    code = body[1]
    if code:
        name = _CONNACK_CODES[code] if code < len(_CONNACK_CODES) else "unknown reason"
        raise MqttError("connection refused: %d, %s" % (code, name))


def parse_puback(flags: int, body: bytes) -> int:
    """The packet identifier in a PUBACK (3.4). Raises MqttError."""
    if flags or len(body) != 2:
        raise MqttError("malformed PUBACK")
    return body[0] << 8 | body[1]


def parse_suback(flags: int, body: bytes) -> tuple[int, bytes]:
    """(packet identifier, one return code a topic) of a SUBACK (3.9). Raises MqttError."""
    if flags or len(body) < 3:
        raise MqttError("malformed SUBACK")
    return body[0] << 8 | body[1], body[2:]


def parse_publish(flags: int, body: bytes) -> Message:
    """The message in a PUBLISH (3.3). Raises MqttError."""
    qos = flags >> 1 & 3
    if qos > 1 or (flags & _DUP and not qos):
        raise MqttError("PUBLISH with flags %x, expected QoS 0 or 1" % flags)
    at = 2 + (body[0] << 8 | body[1]) if len(body) >= 2 else 2
    packet_id = 0
    end = at + (2 if qos else 0)
    if len(body) < end:
        raise MqttError("PUBLISH that ends before its payload")
    if qos:
        packet_id = body[at] << 8 | body[at + 1]
        if not packet_id:
            raise MqttError("PUBLISH at QoS 1 without a packet identifier")
    try:
        topic = str(body[2:at], "utf-8")
    except UnicodeError:
        topic = ""
    if not topic:
        raise MqttError("PUBLISH without a topic")
    return Message(topic, body[end:], qos, packet_id, bool(flags & 1), bool(flags & _DUP))


def _text(text: str) -> bytes:
    data = text.encode()
    if len(data) > _TEXT_BYTES_MAX:
        raise MqttError("text of %d bytes, at most %d" % (len(data), _TEXT_BYTES_MAX))
    return struct.pack(">H", len(data)) + data


def _head(first: int, length: int) -> bytearray:
    if length > REMAINING_LENGTH_MAX:
        raise MqttError("packet of %d bytes, at most %d" % (length, REMAINING_LENGTH_MAX))
    head = bytearray((first,))
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return head
