"""An MQTT 3.1.1 connection over TLS of which two hundred cost little (asyncio, QoS 1)."""

import asyncio
import ssl
import struct
from collections.abc import Callable

_CONNECT, _CONNACK, _PUBLISH, _PUBACK, _SUBSCRIBE = (*(0x10, 0x20, 0x30, 0x40, 0x82),)
_QOS1, _RETAIN = 0x02, 0x01
_CLEAN_SESSION = 0x02
_TIMEOUT_S = 30.0
_PACKET_BYTES_MAX = 1 << 20
_IDS = 65_535


class LinkLostError(Exception):
    """The broker is not there, or not any more."""


class MqttConnection:
    """One connection; `on_message(topic, payload)`, `on_puback()` are called as they come."""

    def __init__(
        self, on_message: Callable[[str, bytes], None], on_puback: Callable[[], None]
    ) -> None:
        self._on_message = on_message
        self._on_puback = on_puback
        self._packet_id = 0

    async def open(self, port: int, context: ssl.SSLContext, name: str, *filters: str) -> None:
        """Connect and subscribe. Raises LinkLostError."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                self._reader, self._writer = await asyncio.open_connection(
                    "127.0.0.1", port, ssl=context, server_hostname="127.0.0.1"
                )
                header = _text("MQTT") + bytes([4, _CLEAN_SESSION]) + struct.pack(">H", 0)
                self._send(_CONNECT, header + _text(name))
                kind, body = await self._packet()
                if kind != _CONNACK or body[1]:
                    raise LinkLostError(f"refused: {kind:02x} {body.hex()}")
                wanted = b"".join(_text(one) + b"\x01" for one in filters)
                self._send(_SUBSCRIBE, self._next_id() + wanted)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise LinkLostError(f"{error!r}") from error

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish with QoS 1. Raises LinkLostError."""
        head = _PUBLISH | _QOS1 | (_RETAIN if retain else 0)
        self._send(head, _text(topic) + self._next_id() + payload)

    async def serve(self) -> None:
        """Take what comes until the connection ends, which raises LinkLostError."""
        try:
            while True:
                kind, body = await self._packet()
                if kind == _PUBACK:
                    self._on_puback()
                elif kind & 0xF0 == _PUBLISH:
                    self._take(kind, body)
        except (OSError, asyncio.IncompleteReadError) as error:
            raise LinkLostError(f"{error!r}") from error

    def close(self) -> None:
        """End the connection, at once."""
        self._writer.transport.abort()

    def _take(self, kind: int, body: bytes) -> None:
        (length,) = struct.unpack_from(">H", body)
        topic, rest = body[2 : 2 + length].decode(), body[2 + length :]
        if kind & 0x06:
            self._send(_PUBACK, rest[:2])
            rest = rest[2:]
        self._on_message(topic, rest)

    def _send(self, kind: int, body: bytes) -> None:
        if self._writer.is_closing():
            raise LinkLostError("the connection is closed")
        self._writer.write(bytes([kind]) + _length(len(body)) + body)

    async def _packet(self) -> tuple[int, bytes]:
        (kind,) = await self._reader.readexactly(1)
        length, shift = 0, 0
        while True:
            (digit,) = await self._reader.readexactly(1)
            length |= (digit & 0x7F) << shift
            shift += 7
            if not digit & 0x80:
                break
        if length > _PACKET_BYTES_MAX:
            raise LinkLostError(f"a packet of {length} bytes")
        return kind, await self._reader.readexactly(length)

    def _next_id(self) -> bytes:
        self._packet_id = self._packet_id % _IDS + 1
        return struct.pack(">H", self._packet_id)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def _length(value: int) -> bytes:
    encoded = bytearray()
    while True:
        value, digit = divmod(value, 128)
        encoded.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(encoded)
