"""Who may have a link: members by the certificate in their card, guests by a token, and former
members by their certificate, as guests: they may follow the ledger and ask to come back."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from wattle_gateway.errors import PeerError
from wattle_gateway.peers import tls
from wattle_gateway.peers.address_book import AddressBook
from wattle_gateway.peers.guests import GUESTS_MAX, GuestList
from wattle_gateway.peers.tls import PeerFiles
from wattle_gateway.sync.messages import Hello


@dataclass(frozen=True)
class OwnPeer:
    """Who we are: `kid` of the block key, `files` of our peer certificate, and the `token` of
    our invitation until we are a member for the first time."""

    kid: bytes
    files: PeerFiles
    token: bytes | None = None


class Doorman:
    """Decides by address book, invitations and the members of the moment."""

    def __init__(
        self, own: OwnPeer, book: AddressBook, guests: GuestList, now_ms: Callable[[], int]
    ) -> None:
        """`now_ms` Unix ms, for invitations."""
        self._own = own
        self._book = book
        self._guests = guests
        self._now_ms = now_ms
        self._members: frozenset[bytes] = frozenset()
        self._former: frozenset[bytes] = frozenset()
        self._context: ssl.SSLContext | None = None
        self.takes_guests = True

    @property
    def members(self) -> frozenset[bytes]:
        """The kids of those that may have a link without being guests, ours perhaps included."""
        return self._members

    @property
    def by_token(self) -> bool:
        """Whether we come by our token, as one who never was a member."""
        return self._own.kid not in self._members | self._former

    def set_members(self, members: frozenset[bytes], former: frozenset[bytes]) -> None:
        """These are the members now, and these were."""
        self._members = members
        self._former = former - members
        self._context = None

    def cards_changed(self) -> None:
        """The address book is not what it was."""
        self._context = None

    def listening_context(self) -> ssl.SSLContext:
        """For the listening socket: each handshake gets the certificates of the moment, so that
        cards come and go while the socket stays. HomeError if our own files cannot be loaded."""
        context = tls.server_context(self._own.files, [])
        context.sni_callback = self._choose_context
        return context

    async def who(self, certificate: bytes | None, said: Hello, guests: frozenset[bytes]) -> bytes:
        """The kid that a caller has shown to be; PeerError if it may not connect.

        `certificate` (DER) that it showed, `guests` those that are here.
        """
        kid = said.kid
        if not self.takes_guests and (certificate is None or kid not in self._members):
            raise PeerError("this gateway is short of its machine and takes no guests now")
        if certificate is None:
            await self._check_guest(said, guests - self._former)
            return kid
        card = self._book.card(kid)
        is_known = kid in self._members or kid in self._former
        if not is_known or card is None or card.certificate != certificate:
            raise PeerError(f"it does not show the certificate in the card of {kid.hex()}")
        if kid in self._former:
            _check_room(guests & self._former, kid)
        return kid

    async def _check_guest(self, said: Hello, guests: frozenset[bytes]) -> None:
        if said.token is None:
            raise PeerError("it shows neither a certificate nor a token")
        if said.kid == self._own.kid:
            raise PeerError("it says it is us")
        _check_room(guests, said.kid)
        is_member = said.kid in self._members
        admit = partial(
            self._guests.admit, said.token, said.kid, self._now_ms(), is_member=is_member
        )
        await asyncio.to_thread(admit)

    def _choose_context(self, connection: object, _name: object, _context: object) -> None:
        assert isinstance(connection, ssl.SSLObject)
        if self._context is None:
            cards = self._book.cards_of((self._members | self._former) - {self._own.kid})
            trusted = [card.certificate for card in cards]
            self._context = tls.server_context(self._own.files, trusted)
        connection.context = self._context


def _check_room(guests: frozenset[bytes], kid: bytes) -> None:
    others = len(guests - {kid})
    if others >= GUESTS_MAX:
        raise PeerError(f"{others} guests are here, expected at most {GUESTS_MAX}")
