"""What a link costs on the wire: bytes of TCP payload (TLS included), as the kernel counts them."""

import asyncio.trsock
import socket
import struct
from dataclasses import dataclass

# struct tcp_info of linux/tcp.h: tcpi_bytes_acked and tcpi_bytes_received, since Linux 4.2.
_BYTES_ACKED_AT = 120
_COUNTERS = struct.Struct("=QQ")
_TCP_INFO_BYTES = _BYTES_ACKED_AT + _COUNTERS.size


@dataclass(frozen=True)
class Traffic:
    """Bytes sent (and acknowledged by the other host) and received."""

    sent: int = 0
    received: int = 0

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(self.sent + other.sent, self.received + other.received)


def read(connection: asyncio.trsock.TransportSocket | None) -> Traffic | None:
    """The traffic of a connection so far; None once it is closed."""
    if connection is None:  # what a transport gives whose socket is gone
        return None
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    except OSError:
        return None
    if len(info) < _TCP_INFO_BYTES:
        return Traffic()  # a kernel older than the counters
    return Traffic(*_COUNTERS.unpack_from(info, _BYTES_ACKED_AT))
