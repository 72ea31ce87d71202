"""One link: a WebSocket to another gateway, with a bounded way out and a paced way in."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable

from websockets.asyncio.connection import Connection
from websockets.exceptions import ConnectionClosed

from wattle_gateway.errors import PeerError
from wattle_gateway.peers import traffic
from wattle_gateway.peers.pauses import RateLimit
from wattle_gateway.peers.traffic import Traffic

# Two of the largest messages: what waits for longer is fetched again after a new start.
SEND_BYTES_MAX = 16 << 20
# And small ones: each costs a few hundred bytes beside its own.
SEND_MESSAGES_MAX = 10_000
# 19 others at a block each 150 ms and what they ask for is below a tenth of it.
MESSAGES_A_SECOND = 500.0
MESSAGES_BURST = 2_000
# Half-open links are found within a minute, for 0.4 MB a day and link, pongs included.
PING_EVERY_S = 30.0
PONG_WITHIN_S = 25.0
CLOSE_WITHIN_S = 2.0
# Messages that are read ahead of the one in hand, beside what the sockets hold.
READ_AHEAD = 1
WRITE_BUFFER_BYTES = 64 << 10


class Link:
    """An open WebSocket to the gateway `kid`.

    `certificate` (DER) is the one that it showed, None for a guest, whose kid is what it says;
    `dialled`: by us; `guest`: one of both came by a token. `since_s`, `heard_s`: when it began and
    when its newest message came, of the monotonic clock.
    """

    def __init__(
        self,
        socket: Connection,
        kid: bytes,
        certificate: bytes | None,
        *,
        dialled: bool,
        guest: bool,
    ) -> None:
        self._socket = socket
        self.kid = kid
        self.certificate = certificate
        self.dialled = dialled
        self.guest = guest
        self.since_s = self.heard_s = time.monotonic()
        self.ended = asyncio.Event()
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._wake = asyncio.Event()
        self._tcp = socket.transport.get_extra_info("socket")
        self._traffic = Traffic()
        self._goodbye: asyncio.Task[None] | None = None
        self.reason = ""

    @property
    def up(self) -> bool:
        """Whether it takes messages."""
        return not self.reason

    @property
    def queued_bytes(self) -> int:
        """What waits to be sent."""
        return self._queued_bytes

    @property
    def latency_ms(self) -> int:
        """Round trip of the newest ping, 0 before the first."""
        return round(self._socket.latency * 1000)

    @property
    def address(self) -> str:
        """Where the other side's socket is."""
        where = self._socket.remote_address
        return f"{where[0]}:{where[1]}" if where else ""

    def traffic(self) -> Traffic:
        """Bytes on the wire so far; after the end, up to its last message."""
        now = traffic.read(self._tcp)
        if now is not None:
            self._traffic = now
        return self._traffic

    def send(self, raw: bytes) -> bool:
        """Queue a message. One that does not fit cuts the link: the other side begins anew."""
        if self.reason:
            return False
        if self._queued_bytes + len(raw) > SEND_BYTES_MAX or len(self._queue) >= SEND_MESSAGES_MAX:
            self.cut("it does not read what it is sent")
            return False
        self._queue.append(raw)
        self._queued_bytes += len(raw)
        self._wake.set()
        return True

    def cut(self, reason: str) -> None:
        """End the link at once; what is queued is dropped."""
        self.reason = self.reason or reason
        self.traffic()
        self._socket.transport.abort()

    def dismiss(self, bye: bytes, reason: str) -> None:
        """End the link with `bye` as the last message; what is queued is dropped."""
        if not self.reason:
            self.reason = reason
            self._goodbye = asyncio.create_task(self._say(bye))

    async def run(self, on_message: Callable[[bytes], Awaitable[None]]) -> None:
        """Send and receive until the link ends; each message is awaited before the next is read.

        Raises PeerError for what is no message of a link at all.
        """
        writer = asyncio.create_task(self._write())
        try:
            # The reader is never cancelled half-way through a message: a step of the ledger
            # whose outcome nobody hears would be lost. It ends when the socket does.
            await self._read(on_message)
        finally:
            writer.cancel()
            await asyncio.wait([writer])
            self.traffic()

    async def close(self) -> None:
        """Wait until the socket is gone."""
        if self._goodbye is not None:
            await self._goodbye
        self.cut("closed")
        await self._socket.wait_closed()

    async def _say(self, bye: bytes) -> None:
        self.traffic()
        with contextlib.suppress(ConnectionClosed, TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self._socket.send(bye)
                await self._socket.close()
        self._socket.transport.abort()

    async def _read(self, on_message: Callable[[bytes], Awaitable[None]]) -> None:
        loop = asyncio.get_running_loop()
        rate = RateLimit(MESSAGES_A_SECOND, MESSAGES_BURST, loop.time())
        while True:
            try:
                raw = await self._socket.recv()
            except ConnectionClosed as error:
                self.reason = self.reason or _why(error)
                return
            if not isinstance(raw, bytes):
                raise PeerError("it sent text, expected binary messages")
            if self.reason:
                return
            self.heard_s = time.monotonic()
            self.traffic()
            await on_message(raw)
            wait_s = rate.take(loop.time())
            if wait_s > 0:
                await asyncio.sleep(wait_s)

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._queue:
                try:
                    await self._socket.send(self._queue[0])
                except ConnectionClosed:
                    return  # the reader sees it too
                self._queued_bytes -= len(self._queue.popleft())


def _why(error: ConnectionClosed) -> str:
    if error.rcvd is not None:
        return f"closed by the other side: {error.rcvd.code:d} {error.rcvd.reason}".rstrip()
    if error.sent is not None:
        return f"closed: {error.sent.code:d} {error.sent.reason}".rstrip()
    return "connection lost"
