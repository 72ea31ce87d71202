"""All links of one gateway: one to each other member, and those of guests.

A link belongs to the kid in whose card the shown certificate stands. Both sides dial, so that one
of them may be unreachable; of two links the one that the lower kid dialled is kept (SPEC 15).
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from websockets.asyncio.connection import Connection
from websockets.asyncio.server import Server, ServerConnection

from wattle_gateway.errors import PeerError, StoreError
from wattle_gateway.peers import greeting, listener, sockets, tls
from wattle_gateway.peers.address_book import AddressBook
from wattle_gateway.peers.doorman import Doorman, OwnPeer
from wattle_gateway.peers.guests import GuestList
from wattle_gateway.peers.link import Link
from wattle_gateway.peers.pauses import SOUND_S, Backoff, Pauses
from wattle_gateway.peers.standing import Standing
from wattle_gateway.peers.status import PeerStatus, Tally
from wattle_gateway.runtime.logs import Log
from wattle_gateway.sync import messages
from wattle_gateway.sync.messages import Bye, Hello

# The member with the higher kid lets the other one dial first: mostly one link is enough.
SECOND_DIALS_AFTER_S = 1.0

_log = Log("peers")


@dataclass(frozen=True)
class LinkEvents:
    """What the links ask and tell. All run in the event loop; for one kid, one at a time.

    `hello()` says where we stand (no token); `up` (whether the other is a guest), `message` (raw,
    neither hello nor bye) and `down` are awaited before the link goes on.
    """

    hello: Callable[[], Hello]
    up: Callable[[bytes, bool], Awaitable[None]]
    message: Callable[[bytes, bytes], Awaitable[None]]
    down: Callable[[bytes], Awaitable[None]]


class PeerLinks:
    """Keeps up the links to the members; `start`, then `run`, at last `stop`."""

    def __init__(
        self,
        own: OwnPeer,
        book: AddressBook,
        guests: GuestList,
        events: LinkEvents,
        now_ms: Callable[[], int],
        jitter: Callable[[], float],
        pauses: Pauses | None = None,
    ) -> None:
        """`now_ms` Unix ms, for invitations; `jitter()` gives 0 <= x < 1."""
        self._own = own
        self._book = book
        self._door = Doorman(own, book, guests, now_ms)
        self._events = events
        self._jitter = jitter
        self._pauses = pauses or Pauses()
        self._links: dict[bytes, Link] = {}
        self._standing = Standing()
        self._tally = Tally()
        self._news: dict[bytes, asyncio.Event] = {}
        self._changed = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._server: Server | None = None
        self._listener: listener.BoundedListener | None = None

    # --- the operator's side

    async def start(self, host: str, port: int) -> None:
        """Take links on `host`:`port` (0: any). PeerError if it cannot listen there."""
        try:
            self._listener = await asyncio.to_thread(listener.listen, host, port)
        except OSError as error:
            raise PeerError(f"cannot listen for peers on {host}:{port}: {error}") from error
        self._server = await sockets.take(
            self._listener, self._door.listening_context(), self._take
        )

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._listener is not None
        return int(self._listener.getsockname()[1])

    async def run(self) -> None:
        """Keep up the links until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            try:
                await self._keep_dialling(tasks)
            finally:
                self._tasks = None  # a group that ends takes no more

    async def _keep_dialling(self, tasks: asyncio.TaskGroup) -> None:
        dialling: dict[bytes, asyncio.Task[None]] = {}
        while True:
            # A task is never cancelled half-way through a message: it ends by itself when its
            # gateway is a member no more.
            dialling = {kid: task for kid, task in dialling.items() if not task.done()}
            for kid in sorted(self._door.members - {self._own.kid} - dialling.keys()):
                dialling[kid] = tasks.create_task(self._keep_up(kid))
            await self._changed.wait()
            self._changed.clear()

    async def stop(self) -> None:
        """End all links and take no more."""
        self.dismiss_all("the gateway stops")
        await asyncio.gather(*(link.close() for link in list(self._links.values())))
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def set_members(
        self, members: frozenset[bytes], former: frozenset[bytes] = frozenset()
    ) -> None:
        """Exactly these gateways (kids, ours included or not) may have a link, beside guests, to
        whom the `former` members belong."""
        self._door.set_members(members, former)
        for kid, link in list(self._links.items()):
            left = not link.guest and kid not in members
            # We came as a guest and are a member now: from now on with our certificate.
            joined = link.guest and link.dialled and self._own.kid in members
            # One who came as a former member is one again.
            returned = link.guest and link.certificate is not None and kid in members
            if left or joined or (returned and not link.dialled):
                self._dismiss(link, greeting.ENDS, "the members have changed")
        for event in self._news.values():
            event.set()
        self._changed.set()

    def take_guests(self, welcome: bool) -> None:
        """Whether guests and former members may come; those who are here go if not."""
        self._door.takes_guests = welcome
        if not welcome:
            for link in list(self._links.values()):
                if link.guest and not link.dialled:
                    self._dismiss(link, greeting.ENDS, "this gateway is short of its machine")

    def card_changed(self, kid: bytes) -> None:
        """The address book has a new card of a gateway: links go by it from now on."""
        self._door.cards_changed()
        link = self._links.get(kid)
        card = self._book.card(kid)
        shown = None if link is None else link.certificate
        if link is not None and card is not None and shown not in (None, card.certificate):
            self._dismiss(link, greeting.ENDS, "you have a new card")
        if kid in self._news:
            self._news[kid].set()

    # --- messages

    def send(self, to: bytes, raw: bytes) -> bool:
        """Queue a message for a gateway; False if there is no link or it cannot take it."""
        link = self._links.get(to)
        return link is not None and link.send(raw)

    def up(self) -> list[bytes]:
        """The kids of the gateways that we have a link to, rising."""
        return sorted(kid for kid, link in self._links.items() if link.up)

    def fault(self, kid: bytes, what: str) -> None:
        """A gateway broke the rules: its link ends; after repeated faults it is kept off."""
        is_off = self._standing.fault(kid, what, _steady_s())
        _log.warning("fault of a peer", peer=kid.hex(), what=what, kept_off=is_off)
        link = self._links.get(kid)
        if link is not None:
            self._dismiss(link, greeting.FAULT, what)

    def dismiss_all(self, why: str) -> None:
        """End all links in good order; those to members come back by themselves."""
        for link in list(self._links.values()):
            self._dismiss(link, greeting.ENDS, why)

    def status(self) -> list[PeerStatus]:
        """What is known of the others: members first, then guests, by rising kid."""
        now_s = _steady_s()
        others = (self._door.members | self._links.keys()) - {self._own.kid}
        return [
            self._tally.status(
                kid,
                self._links.get(kid),
                self._book.card(kid),
                self._standing.faults(kid),
                self._standing.off_for_s(kid, now_s),
                now_s,
            )
            for kid in sorted(others, key=lambda kid: (kid not in self._door.members, kid))
        ]

    @property
    def strangers(self) -> int:
        """Connections that were refused before we knew a gateway behind them."""
        full = 0 if self._listener is None else self._listener.refused
        return self._tally.strangers + full

    # --- dialling

    async def _keep_up(self, kid: bytes) -> None:
        """Dial a member whenever there is no link to it."""
        news = self._news.setdefault(kid, asyncio.Event())
        backoff = Backoff(self._pauses, self._jitter)
        if self._own.kid > kid:
            await _sleep_until(news, SECOND_DIALS_AFTER_S * (1 + self._jitter()))
        while kid in self._door.members:
            news.clear()
            link = self._links.get(kid)
            if link is None:
                await self._dial(kid)
            else:
                await link.ended.wait()
                if _steady_s() - link.since_s >= SOUND_S:
                    backoff.reset()
            if kid not in self._links:
                off_s = self._standing.off_for_s(kid, _steady_s())
                await _sleep_until(news, max(off_s, backoff.next_s()))
        del self._news[kid]
        self._changed.set()  # it may be a member again by now

    async def _dial(self, kid: bytes) -> None:
        card = self._book.card(kid)
        if card is None or self._standing.off_for_s(kid, _steady_s()) > 0:
            return
        as_guest = self._own.kid not in self._door.members
        files = None if self._door.by_token else self._own.files
        try:
            connection = await sockets.dial(card, tls.client_context(files, card.certificate))
        except PeerError as error:
            self._tally.failed(kid, str(error))
            _log.debug("no link", peer=kid.hex(), error=error)
            return
        try:
            said = await self._greet(connection, self._door.by_token)
            if said.kid != kid:
                raise PeerError(f"it says it is {said.kid.hex()}")
            link = Link(connection, kid, card.certificate, dialled=True, guest=as_guest)
            await self._hold(link)
        except PeerError as error:
            self._tally.failed(kid, str(error))
            _log.info("no link", peer=kid.hex(), error=error)
        finally:
            connection.transport.abort()  # whatever happened; nothing if it is closed

    # --- taking

    async def _take(self, connection: ServerConnection) -> None:
        """A caller has opened a WebSocket. Its task belongs to `run`, which hears of our bugs."""
        if self._tasks is not None:
            await asyncio.wait([self._tasks.create_task(self._admit(connection))])

    async def _admit(self, connection: Connection) -> None:
        certificate = sockets.certificate_of(connection.transport)
        try:
            said = await self._greet(connection, False)
            guests = frozenset(link.kid for link in self._links.values() if link.guest)
            kid = await self._door.who(certificate, said, guests)
            off_s = self._standing.off_for_s(kid, _steady_s())
            if off_s > 0:
                raise PeerError(f"{kid.hex()} is kept off for {off_s:.0f} s more, after faults")
        except (PeerError, StoreError) as error:
            self._tally.strangers += 1
            _log.info("a caller is refused", address=_address(connection), error=error)
            refused = Link(connection, b"", certificate, dialled=False, guest=True)
            self._dismiss(refused, greeting.NOT_YOU, str(error))
            await refused.close()
            return
        guest = certificate is None or kid not in self._door.members
        await self._hold(Link(connection, kid, certificate, dialled=False, guest=guest))

    # --- both

    async def _greet(self, connection: Connection, by_token: bool) -> Hello:
        own = self._events.hello()
        if by_token:
            own = replace(own, token=self._own.token)
        return await greeting.exchange(connection, own)

    async def _hold(self, link: Link) -> None:
        """Live through a link's life, unless there is a better one."""
        kid = link.kid
        old = self._links.get(kid)
        if old is not None and not self._replaces(link, old):
            self._dismiss(link, greeting.ENDS, "there is a link")
            await link.close()
            return
        self._links[kid] = link
        if old is not None:
            self._dismiss(old, greeting.ENDS, "replaced by a new link")
            await old.ended.wait()
        try:
            await self._events.up(kid, link.guest and not link.dialled)
            _log.info("link is up", peer=kid.hex(), address=link.address, dialled=link.dialled)
            await link.run(lambda raw: self._message(kid, link, raw))
        except PeerError as error:
            self.fault(kid, str(error))
        finally:
            await self._put_down(link)

    async def _message(self, kid: bytes, link: Link, raw: bytes) -> None:
        if link.guest and len(raw) > sockets.GUEST_MESSAGE_BYTES_MAX and not link.dialled:
            raise PeerError(f"a guest's message of {len(raw)} bytes")
        if raw[:1] == bytes([messages.BYE]):
            link.cut(greeting.farewell(raw))
            return
        await self._events.message(kid, raw)

    async def _put_down(self, link: Link) -> None:
        kid = link.kid
        self._dismiss(link, greeting.ENDS, "the gateway stops")
        await link.close()
        self._tally.ended(link)
        _log.info("link is down", peer=kid.hex(), why=link.reason)
        try:
            await self._events.down(kid)
        finally:
            # Not before: the next link has to wait until this one is told to be down.
            if self._links.get(kid) is link:
                del self._links[kid]
            link.ended.set()

    def _replaces(self, new: Link, old: Link) -> bool:
        """Who dials has no link any more; of two that were dialled by both sides the lower's
        counts."""
        if not old.up:
            return True
        if new.guest and not old.guest:
            return False
        if new.dialled == old.dialled:
            return True
        return new.dialled == (self._own.kid < new.kid)

    @staticmethod
    def _dismiss(link: Link, code: int, why: str) -> None:
        link.dismiss(Bye(code, why).encode(), why)


def _steady_s() -> float:
    return time.monotonic()


async def _sleep_until(news: asyncio.Event, pause_s: float) -> None:
    try:
        async with asyncio.timeout(pause_s):
            await news.wait()
    except TimeoutError:
        pass


def _address(connection: Connection) -> str:
    where = connection.remote_address
    return f"{where[0]}:{where[1]}" if where else "?"
