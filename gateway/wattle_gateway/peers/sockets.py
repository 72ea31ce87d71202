"""WebSockets inside TLS, taken and dialled, with the limits that hold before anybody is known."""

import asyncio
import http
import logging
import ssl
import time
from collections.abc import Awaitable, Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import WebSocketException
from websockets.frames import DATA_OPCODES, Frame
from websockets.http11 import Request, Response
from websockets.protocol import Event

from wattle_gateway.errors import PeerError
from wattle_gateway.ledger.peer_card import PeerCard
from wattle_gateway.peers import link, tls
from wattle_gateway.peers.listener import BoundedListener
from wattle_gateway.peers.pauses import RateLimit
from wattle_gateway.sync import framing

PATH = "/wattle/1/peers"
OPEN_WITHIN_S = 10.0
# Guests ask and say hello; they have nothing large to give.
GUEST_MESSAGE_BYTES_MAX = 64 << 10

# Both sides ping every half minute; the rest is for whoever answers late.
CONTROL_FRAMES_A_SECOND = 1.0
CONTROL_FRAMES_BURST = 30

# The library writes a traceback for every stranger who hangs up early; what matters is said by
# those who call it.
_silent = logging.getLogger("wattle_gateway.websocket")
_silent.setLevel(logging.CRITICAL + 1)


class _Taken(ServerConnection):
    """A connection that was taken: who showed a certificate of ours may send large messages."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._control = RateLimit(CONTROL_FRAMES_A_SECOND, CONTROL_FRAMES_BURST, time.monotonic())
        if certificate_of(transport) is not None:
            self.protocol.max_message_size = framing.MESSAGE_BYTES_MAX
        super().connection_made(transport)

    def process_event(self, event: Event) -> None:
        """Pings are answered before anybody reads: too many end the connection."""
        if _floods(event, self._control):
            self.transport.abort()
        else:
            super().process_event(event)


class _Dialled(ClientConnection):
    """A connection that we made."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._control = RateLimit(CONTROL_FRAMES_A_SECOND, CONTROL_FRAMES_BURST, time.monotonic())
        super().connection_made(transport)

    def process_event(self, event: Event) -> None:
        """As in `_Taken`."""
        if _floods(event, self._control):
            self.transport.abort()
        else:
            super().process_event(event)


def _floods(event: Event, control: RateLimit) -> bool:
    if not isinstance(event, Frame) or event.opcode in DATA_OPCODES:
        return False
    return control.take(time.monotonic()) > 0


async def take(
    listener: BoundedListener,
    context: ssl.SSLContext,
    handle: Callable[[ServerConnection], Awaitable[None]],
) -> Server:
    """Serve `listener`; `handle` gets each open WebSocket, which ends when it returns."""
    return await serve(
        handle,
        sock=listener,
        ssl=context,
        process_request=_check_path,
        compression=None,
        server_header=None,
        open_timeout=OPEN_WITHIN_S,
        ssl_handshake_timeout=OPEN_WITHIN_S,
        ssl_shutdown_timeout=link.CLOSE_WITHIN_S,
        max_size=GUEST_MESSAGE_BYTES_MAX,
        max_queue=link.READ_AHEAD,
        write_limit=link.WRITE_BUFFER_BYTES,
        ping_interval=link.PING_EVERY_S,
        ping_timeout=link.PONG_WITHIN_S,
        close_timeout=link.CLOSE_WITHIN_S,
        create_connection=_Taken,
        logger=_silent,
    )


async def dial(card: PeerCard, context: ssl.SSLContext) -> ClientConnection:
    """A WebSocket to where `card` says; PeerError if there is none to be had."""
    try:
        return await connect(
            f"wss://peer{PATH}",
            host=card.host,
            port=card.port,
            ssl=context,
            server_hostname="",
            proxy=None,
            compression=None,
            user_agent_header=None,
            open_timeout=OPEN_WITHIN_S,
            ssl_handshake_timeout=OPEN_WITHIN_S,
            ssl_shutdown_timeout=link.CLOSE_WITHIN_S,
            max_size=framing.MESSAGE_BYTES_MAX,
            max_queue=link.READ_AHEAD,
            write_limit=link.WRITE_BUFFER_BYTES,
            ping_interval=link.PING_EVERY_S,
            ping_timeout=link.PONG_WITHIN_S,
            close_timeout=link.CLOSE_WITHIN_S,
            create_connection=_Dialled,
            logger=_silent,
        )
    # ValueError: a redirect, which nobody of ours sends; UnicodeError: a host that IDNA refuses.
    except (OSError, TimeoutError, WebSocketException, ValueError) as error:
        what = str(error) or type(error).__name__
        raise PeerError(f"{card.host}:{card.port}: {what}") from error


def certificate_of(transport: asyncio.BaseTransport) -> bytes | None:
    """The certificate (DER) that the other side showed, None for a guest."""
    return tls.shown(transport.get_extra_info("ssl_object"))


def _check_path(connection: ServerConnection, request: Request) -> Response | None:
    if request.path == PATH:
        return None
    return connection.respond(http.HTTPStatus.NOT_FOUND, f"expected {PATH}\n")
