"""The other gateways, as the running one deals with them: links, cards, guests, candidates.

Every message of a peer is one step of the ledger; what the step wants sent goes out after it.
"""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

from wattle_gateway.config import PeersConfig
from wattle_gateway.consensus.engine import Now
from wattle_gateway.errors import PeerError, StoreError
from wattle_gateway.home import departure, invitation
from wattle_gateway.home.identity import Identity
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import crypto, ready
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.peer_card import PeerCard
from wattle_gateway.peers.address_book import AddressBook, Reach
from wattle_gateway.peers.doorman import OwnPeer
from wattle_gateway.peers.guests import GuestList
from wattle_gateway.peers.links import LinkEvents, PeerLinks
from wattle_gateway.peers.tls import PeerFiles
from wattle_gateway.pki import authority
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.ledger_thread import LedgerThread
from wattle_gateway.runtime.logs import Log
from wattle_gateway.runtime.progress import Progress
from wattle_gateway.store.operation_file import OperationFile
from wattle_gateway.sync.messages import HISTORY, Hello, Join
from wattle_gateway.sync.parcels import JoinRequest, Parcel

# A candidate says again that it follows: its `ready` names a commit that must not be old.
JOIN_EVERY_S = 15.0
# Each comes over a guest's link; more than guests can wait, one who left may come back.
CANDIDATES_MAX = 16
# While the gateway is short of CPU: how long after it was asked a peer gets a piece of history, 1
# MiB at most. The peer would wait for 15 s, and asks for the next one then.
SERVING_PAUSE_S = 5.0

_log = Log("peering")


class Peering:
    """`start`, then `run`; `follow` after every step of the ledger."""

    def __init__(
        self,
        home: GatewayHome,
        identity: Identity,
        operation: OperationFile,
        ledger: LedgerThread,
        now_ms: Callable[[], int],
        on_cards: Callable[[], None],
    ) -> None:
        """`on_cards` is called when another gateway is found at a new place."""
        self._identity = identity
        self._ledger = ledger
        self._now_ms = now_ms
        self._on_cards = on_cards
        self._home = home
        self._certificate = home.certificate("peer")
        self._invitation = invitation.load_own(home)
        self.book = AddressBook(operation, identity.genesis.ledger_id)
        self.candidates: dict[bytes, JoinRequest] = {}
        token = None if self._invitation is None else self._invitation.token
        self.links = PeerLinks(
            OwnPeer(identity.kid, PeerFiles(self._certificate, home.key("peer")), token),
            self.book,
            GuestList(operation),
            LinkEvents(self._hello, self._up, self._message, self._down),
            now_ms,
            random.Random().random,
        )
        self.serves_slowly = False
        self._sheds = False
        self._retold: asyncio.Task[None] | None = None
        self._ask_now = asyncio.Event()
        self._ever: frozenset[bytes] = frozenset()
        self._epoch: Epoch
        self._head: CommitHead

    async def start(self, epoch: Epoch, head: CommitHead, peers: PeersConfig, reach: Reach) -> None:
        """Take links if the configuration says so, and find out whom to dial.

        Raises PeerError if it cannot listen, HomeError for an own certificate that is missing.
        """
        self._epoch, self._head = epoch, head
        self._card = self._own_card(self._certificate, reach)
        self._ever = await self._ledger.read(lambda driver: driver.ledger.ever_members)
        self._set_members()
        await self._tell_cards()
        if peers.listen:
            await self.links.start(peers.listen, peers.port)
            _log.info("listening for peers", address=f"{peers.listen}:{peers.port}")
        if self._is_member and not self.book.knows_others_than(self._identity.kid):
            others = [member for member in epoch.everyone if member.kid != self._identity.kid]
            if others:
                _log.error("no other gateway's peer card is known; waiting to be given one")

    async def run(self) -> None:
        """Keep the links up, and ask to become a member while we are none."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.links.run())
            tasks.create_task(self._keep_asking())

    def follow(self, progress: Progress) -> None:
        """A step of the ledger is durable: send what it made."""
        self._head = progress.head
        for parcel in progress.to_send:
            self.send(parcel)

    def send(self, parcel: Parcel) -> None:
        """To a peer, if it is linked; a piece of history later while the gateway is short."""
        if self.serves_slowly and parcel.kind == HISTORY:
            loop = asyncio.get_running_loop()
            loop.call_later(SERVING_PAUSE_S, self.links.send, parcel.to, parcel.raw)
        else:
            self.links.send(parcel.to, parcel.raw)

    def shed_observers(self, sheds: bool) -> None:
        """Whether only voting members have a link: observers, guests and who once was a member
        follow by the other gateways meanwhile."""
        if sheds != self._sheds:
            self._sheds = sheds
            self.links.take_guests(not sheds)
            self._set_members()

    async def enter(self, epoch: Epoch) -> None:
        """The next epoch is in force: other gateways may be members."""
        self._epoch = epoch
        for kid in [kid for kid in self.candidates if epoch.party_of(kid) is not None]:
            del self.candidates[kid]
        self._set_members()
        await self._tell_cards()
        self._ask_now.set()

    def begin_anew(self) -> None:
        """The ledger was read anew and knows of no peers: they are to come again."""
        self.links.dismiss_all("the ledger is read anew")
        # What it was told of cards is forgotten, too; this task ends within a step.
        self._retold = asyncio.create_task(self._tell_cards())

    # --- what the links tell

    def _hello(self) -> Hello:
        ledger_id, head = self._identity.genesis.ledger_id, self._head
        return Hello(ledger_id, self._identity.kid, self._epoch.number, head.index, head.digest)

    async def _up(self, kid: bytes, guest: bool) -> None:
        await self._step(lambda driver, at: driver.connected(kid, at, guest=guest))
        self._ask_now.set()

    async def _down(self, kid: bytes) -> None:
        await self._step(lambda driver, at: driver.disconnected(kid, at))

    async def _message(self, kid: bytes, raw: bytes) -> None:
        progress = await self._step(lambda driver, at: driver.receive(kid, raw, at))
        if progress is None:
            return
        for fault in progress.faults[:1]:
            self.links.fault(kid, fault)
        for card in progress.cards:
            await self._learn(card)
        for request in progress.joins:
            await self._hear(request)

    async def _step(self, work: Callable[[LedgerDriver, Now], Progress]) -> Progress | None:
        """One step; None if the disk did not take it, in which case all links begin anew."""

        def both(driver: LedgerDriver, at: Now) -> tuple[Progress, Progress]:
            progress = work(driver, at)
            return progress, progress

        try:
            return await self._ledger.step(both)
        except StoreError:
            return None

    # --- cards, members and those who want to be

    @property
    def _is_member(self) -> bool:
        return self._epoch.party_of(self._identity.kid) is not None

    def _own_card(self, certificate: Path, reach: Reach) -> PeerCard:
        return self.book.own(
            self._identity.kid,
            crypto.signer(self._identity.block_key),
            authority.der(authority.load_certificate(certificate)),
            reach,
            self._now_ms(),
        )

    def _set_members(self) -> None:
        """Whom to have links with. Who is a member no more may lack the last commits, and may
        want to come back: it comes as a guest."""
        members = frozenset(member.kid for member in self._epoch.everyone)
        self._ever |= members
        if self._sheds and self._is_member:
            voting = frozenset(member.kid for member in self._epoch.members)
            self.links.set_members(voting | {self._identity.kid})
            return
        if self._identity.kid not in self._ever and self._invitation is not None:
            # The others do not know the token, and it is none of their business.
            members = frozenset({self._invitation.inviter})
        self.links.set_members(members, self._ever - members)

    async def _tell_cards(self) -> None:
        """Let the ledger's gossip know the cards of the members, ours included."""
        if not self._is_member:
            return
        kids = [member.kid for member in self._epoch.everyone]
        raws = [card.raw for card in self.book.cards_of(kids)]
        await self._step(lambda driver, at: driver.know_cards(raws, at))

    async def _learn(self, raw: bytes) -> None:
        keep = frozenset(member.kid for member in self._epoch.everyone)
        try:
            card = await asyncio.to_thread(self.book.take, raw, keep)
        except (PeerError, LedgerError, StoreError) as error:
            _log.warning("a peer card is not taken", error=error)
            return
        if card is not None and card.kid != self._identity.kid:
            _log.info("new peer card", peer=card.kid.hex(), address=f"{card.host}:{card.port}")
            self.links.card_changed(card.kid)
            self._on_cards()

    async def _hear(self, request: JoinRequest) -> None:
        """Somebody wants to become a member: remember that for the operator."""
        if request.source != request.kid or self._epoch.party_of(request.kid) is not None:
            return
        if request.kid not in self.candidates:
            _log.info("a gateway asks to become a member", candidate=request.kid.hex())
            while len(self.candidates) >= CANDIDATES_MAX:
                del self.candidates[next(iter(self.candidates))]
        self.candidates[request.kid] = request
        await self._learn(request.card)

    async def _keep_asking(self) -> None:
        """While we are no member, and our operator has not taken us out, ask all we have a link
        to: now that there is news, and again and again."""
        while True:
            try:
                async with asyncio.timeout(JOIN_EVERY_S):
                    await self._ask_now.wait()
            except TimeoutError:
                pass
            self._ask_now.clear()
            if not self._is_member and not departure.is_marked(self._home):
                self._ask()

    def _ask(self) -> None:
        wish = ready.build(
            self._identity.genesis.ledger_id,
            crypto.signer(self._identity.block_key),
            epoch=self._epoch.number,
            commit_index=self._head.index,
            commit_digest=self._head.digest,
            member=self._identity.member,
        )
        for kid in self.links.up():
            self.links.send(kid, Join(wish, self._card.raw).encode())
