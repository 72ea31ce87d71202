"""The client's end of TLS to a broker: a socket whose handshake fails is closed there and then."""

import socket
import ssl
import struct
from pathlib import Path

# struct linger, on and 0 s: closing resets the connection (socket(7)).
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class BrokerSocket(ssl.SSLSocket):
    """A connection to a broker that is either shaken hands on or closed.

    paho drops a socket whose handshake fails without closing it; while a broker comes and goes,
    each try would hold a descriptor until the interpreter collects it.
    """

    def do_handshake(self, block: bool = False) -> None:
        """As ssl.SSLSocket does; when it fails, the socket is closed. Raises OSError."""
        try:
            if self.getsockname() == self.getpeername():
                # With no wait for the last packets the port is free again for the broker.
                self.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
                raise ConnectionRefusedError("connected to ourselves: nobody listens there")
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


def trusting(authority: Path) -> ssl.SSLContext:
    """A client's context that trusts the authority in a PEM file and makes `BrokerSocket`s.

    Raises OSError (ssl.SSLError among them) when the file cannot be read or holds no certificate.
    """
    context = ssl.create_default_context(cafile=str(authority))
    context.sslsocket_class = BrokerSocket
    return context
