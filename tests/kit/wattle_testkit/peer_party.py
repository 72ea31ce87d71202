"""The links of a gateway without a gateway behind them: real sockets, TLS and databases."""

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from wattle_gateway.ledger import peer_card
from wattle_gateway.ledger.genesis import Genesis
from wattle_gateway.peers.address_book import AddressBook
from wattle_gateway.peers.doorman import OwnPeer
from wattle_gateway.peers.guests import GuestList
from wattle_gateway.peers.links import LinkEvents, PeerLinks
from wattle_gateway.peers.pauses import Pauses
from wattle_gateway.peers.tls import PeerFiles
from wattle_gateway.pki import authority, keys, peer_certificate
from wattle_gateway.store import connection
from wattle_gateway.store.operation_file import OperationFile
from wattle_gateway.sync import messages
from wattle_gateway.sync.messages import Hello
from wattle_gateway.sync.packed import PackedBlock

from wattle_testkit.alliance import CREATED_MS, Party, genesis_of, private_key
from wattle_testkit.waiting import until

DEADLINE_S = 20.0
LOOPBACK = "127.0.0.1"
# By rising kid, which decides whose link is kept.
PARTIES = sorted((Party(f"member {number}") for number in range(4)), key=lambda p: p.kid)
GENESIS = genesis_of(*PARTIES)


def message(text: str | bytes) -> bytes:
    """A well-formed peer message that carries this, to be told from others."""
    body = text.encode() if isinstance(text, str) else text
    return messages.OwnBlock(PackedBlock(b"header", (body,))).encode()


class PeerParty:
    """A member, or guest, with its links. `heard` lists what the links told, in order."""

    def __init__(self, folder: Path, party: Party, genesis: Genesis) -> None:
        self.party = party
        self.kid = party.kid
        self.genesis = genesis
        self.folder = folder / party.name
        self.folder.mkdir(parents=True)
        path = self.folder / "operation.db"
        connection.create_operation(path, genesis.ledger_id)
        self.operation = OperationFile(path, genesis.ledger_id)
        self.book = AddressBook(self.operation, genesis.ledger_id)
        self.guests = GuestList(self.operation)
        self.token: bytes | None = None
        self.now_ms = CREATED_MS
        self._versions = itertools.count(1)
        self.heard: list[tuple[str, bytes, bytes]] = []
        self.guest_links: dict[bytes, bool] = {}
        self.on_message: Callable[[bytes, bytes], None] | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.files, self.certificate = self.new_certificate("peer")

    def new_certificate(self, name: str, kid: bytes | None = None) -> tuple[PeerFiles, bytes]:
        """A peer key with its certificate (files and DER), by default for the own kid."""
        key = private_key(f"{self.party.name} {name}")
        certificate = peer_certificate.issue(key, kid or self.kid)
        files = PeerFiles(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        files.certificate.write_bytes(authority.pem(certificate))
        if not files.key.exists():
            keys.save_private(files.key, key)
        return files, authority.der(certificate)

    def card(self, port: int, *, certificate: bytes | None = None) -> bytes:
        """A new signed card that says we are at this port of the loopback."""
        return peer_card.build(
            self.genesis.ledger_id,
            self.kid,
            self.party.sign,
            version=next(self._versions),
            certificate=certificate or self.certificate,
            host=LOOPBACK,
            port=port,
            broker_host=LOOPBACK,
            broker_port=8883,
        )

    def make_links(self) -> PeerLinks:
        """The links, not started."""
        self.links = PeerLinks(
            OwnPeer(self.kid, self.files, self.token),
            self.book,
            self.guests,
            LinkEvents(self.hello, self._up, self._message, self._down),
            lambda: self.now_ms,
            random.Random(self.party.name).random,
            Pauses(0.02, 0.2),
        )
        return self.links

    @asynccontextmanager
    async def running(
        self, *members: "PeerParty", port: int = 0, listens: bool = True
    ) -> AsyncIterator["PeerParty"]:
        """Listen, and keep links to the members (ours is one, unless we have a token)."""
        links = self.make_links()
        if listens:
            await links.start(LOOPBACK, port)
        own = () if self.token else (self.kid,)
        links.set_members(frozenset({*(member.kid for member in members), *own}))
        task = asyncio.create_task(links.run())
        try:
            yield self
            assert not task.done(), task
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await links.stop()

    def close(self) -> None:
        """Close the database."""
        self.operation.close()

    def knows(self, other: "PeerParty", raw: bytes | None = None) -> None:
        """Put another's card into our book, and tell the links."""
        card = self.book.take(raw or other.card(other.links.port))
        if card is not None:
            self.links.card_changed(card.kid)

    def hello(self) -> Hello:
        """Where we say we stand."""
        return Hello(self.genesis.ledger_id, self.kid, 0, 7, bytes(32))

    def messages_of(self, other: "PeerParty") -> list[bytes]:
        """What another has sent us."""
        return [raw for what, kid, raw in self.heard if what == "message" and kid == other.kid]

    def has_link(self, other: "PeerParty") -> bool:
        """Whether there is a link to another that has been told to be up."""
        told = [what for what, kid, _ in self.heard if kid == other.kid and what != "message"]
        return other.kid in self.links.up() and told[-1:] == ["up"]

    async def _up(self, kid: bytes, guest: bool) -> None:
        self.guest_links[kid] = guest
        self.heard.append(("up", kid, b""))

    async def _down(self, kid: bytes) -> None:
        self.heard.append(("down", kid, b""))

    async def _message(self, kid: bytes, raw: bytes) -> None:
        await self.gate.wait()
        self.heard.append(("message", kid, raw))
        if self.on_message is not None:
            self.on_message(kid, raw)


def meet(*parties: PeerParty) -> None:
    """Everybody knows everybody's card."""
    for one in parties:
        for other in parties:
            if one is not other:
                one.knows(other)


async def soon(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds, leaving the loop to those who make it so."""
    await asyncio.to_thread(until, condition, DEADLINE_S, what)


def run_story(
    folder: Path, story: Callable[[list[PeerParty]], Awaitable[None]], count: int = 2
) -> None:
    """Run a story about the first `count` of PARTIES, with databases in `folder`."""

    async def all_of_it() -> None:
        parties = [PeerParty(folder, party, GENESIS) for party in PARTIES[:count]]
        try:
            await story(parties)
        finally:
            for party in parties:
                party.close()

    asyncio.run(all_of_it())
