"""Publishes bytes over MQTT 3.1.1 with QoS 1 and TLS, at little cost to the machine.

A client library spends more on a message than the gateway under test does; packets are made
before the clock starts, and only PUBACKs are counted.
"""

import socket
import ssl
import struct
from collections.abc import Sequence
from pathlib import Path

from wattle_hil.errors import BenchError

# Below what brokers allow a client to have in flight.
WINDOW = 100

_CONNECT, _CONNACK, _PUBLISH_QOS1, _PUBACK = 0x10, 0x20, 0x32, 0x40
_CLEAN_SESSION = 0x02
_PUBACK_BYTES = 4
_CONNACK_BYTES = 4
_TIMEOUT_S = 30.0


def publish_packet(topic: str, payload: bytes, packet_id: int) -> bytes:
    """A PUBLISH with QoS 1 (MQTT 3.1.1 section 3.3). packet_id: 1 to 65,535."""
    body = _text(topic) + struct.pack(">H", packet_id) + payload
    return bytes([_PUBLISH_QOS1]) + _length(len(body)) + body


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def _length(value: int) -> bytes:
    """Remaining length, section 2.2.3."""
    encoded = bytearray()
    while True:
        value, digit = divmod(value, 128)
        encoded.append(digit | (0x80 if value else 0))
        if not value:
            return bytes(encoded)


class Publisher:
    """One connection with a client certificate."""

    def __init__(self, port: int, authority: Path, certificate: Path, key: Path) -> None:
        """Connects to the broker on this machine. Raises BenchError."""
        context = ssl.create_default_context(cafile=str(authority))
        context.load_cert_chain(certificate, key)
        try:
            raw = socket.create_connection(("127.0.0.1", port), _TIMEOUT_S)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = context.wrap_socket(raw, server_hostname="127.0.0.1")
            header = _text("MQTT") + bytes([4, _CLEAN_SESSION]) + struct.pack(">H", 0)
            body = header + _text(certificate.stem[:23])
            self._socket.sendall(bytes([_CONNECT]) + _length(len(body)) + body)
            answer = self._take(_CONNACK_BYTES)
        except OSError as error:
            raise BenchError(f"the broker cannot be reached: {error}") from error
        if answer[0] != _CONNACK or answer[3] != 0:
            raise BenchError(f"the broker refuses the meter: {answer.hex()}")

    def publish(self, packets: Sequence[bytes]) -> None:
        """Publishes packets and waits for all their PUBACKs. Raises BenchError."""
        try:
            for start in range(0, len(packets), WINDOW):
                window = packets[start : start + WINDOW]
                self._socket.sendall(b"".join(window))
                acks = self._take(_PUBACK_BYTES * len(window))
                if set(acks[::_PUBACK_BYTES]) != {_PUBACK}:
                    raise BenchError("the broker sent something else than PUBACKs")
        except OSError as error:
            raise BenchError(f"the broker is gone: {error}") from error

    def close(self) -> None:
        """Ends the connection."""
        self._socket.close()

    def _take(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._socket.recv(count - len(data))
            if not more:
                raise BenchError("the broker closed the connection")
            data += more
        return data
