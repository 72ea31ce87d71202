"""The listening socket of peer links, with a bound on what strangers can hold open.

TLS and WebSocket handshakes happen after a connection was taken, so the bound must stand before
them. A stranger with many addresses can still keep others out for as long as it floods; members
are reached all the same, because each side of a link also dials.
"""

import socket

# 32 members, guests, and as many that are being replaced or have yet to say who they are.
CONNECTIONS_MAX = 128
# All members behind one address (a bench, a common firewall) must fit.
CONNECTIONS_AN_ADDRESS_MAX = 64
BACKLOG = 64


class BoundedListener(socket.socket):
    """A TCP socket whose `accept` refuses connections beyond the limits."""

    def __init__(
        self,
        family: int,
        connections_max: int = CONNECTIONS_MAX,
        an_address_max: int = CONNECTIONS_AN_ADDRESS_MAX,
    ) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self._connections_max = connections_max
        self._an_address_max = an_address_max
        self._open: list[tuple[socket.socket, str]] = []
        self.refused = 0

    def accept(self) -> tuple[socket.socket, object]:
        """The next connection; ConnectionAbortedError, which servers pass over, if refused."""
        connection, address = super().accept()
        host = str(address[0])
        self._open = [held for held in self._open if held[0].fileno() >= 0]
        of_address = sum(1 for _, other in self._open if other == host)
        if len(self._open) >= self._connections_max or of_address >= self._an_address_max:
            self.refused += 1
            connection.close()
            raise ConnectionAbortedError(f"too many connections, one from {host} is refused")
        self._open.append((connection, host))
        return connection, address


def listen(host: str, port: int) -> BoundedListener:
    """Listen on `host`:`port` (0: any). Raises OSError."""
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = BoundedListener(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
