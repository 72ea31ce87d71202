"""Telling peers how far this gateway is: hints that mend what was lost on the way."""

from wattle_gateway.sync.messages import HOLDINGS, Holdings
from wattle_gateway.sync.parcels import Parcel
from wattle_gateway.sync.peer import Links, Peer
from wattle_gateway.sync.shelf import Shelf

# Who holds what is told when it has changed,
HOLDINGS_MS = 10000
# and again when it has not: the hint itself may have been lost, and an alliance that waits for
# one lost block makes none that would show the loss.
HOLDINGS_AGAIN_MS = 30000


class HoldingsTeller:
    """Own holdings, to each peer when they are due."""

    def __init__(self, links: Links, shelf: Shelf) -> None:
        self._links = links
        self._shelf = shelf
        self._due_ms: int | None = None

    @property
    def next_tick_ms(self) -> int | None:
        """When to look next whether a peer is to be told."""
        return self._due_ms

    def tick(self, steady_ms: int) -> list[Parcel]:
        """To all for whom it is due."""
        if self._due_ms is None or steady_ms < self._due_ms:
            return []
        self._due_ms = None if self._links.empty else steady_ms + HOLDINGS_MS
        own = self._own()
        due = [
            peer
            for peer in self._links
            if peer.holdings_sent != own or steady_ms >= peer.holdings_sent_ms + HOLDINGS_AGAIN_MS
        ]
        return [self.tell(peer, steady_ms) for peer in due]

    def tell(self, peer: Peer, steady_ms: int) -> Parcel:
        """To this peer, now."""
        if self._due_ms is None:
            self._due_ms = steady_ms + HOLDINGS_MS
        own = self._own()
        peer.holdings_sent, peer.holdings_sent_ms = own, steady_ms
        return Parcel(peer.kid, own.encode(), HOLDINGS)

    def tell_straggler(self, peer: Peer, steady_ms: int) -> list[Parcel]:
        """A peer in an earlier epoch has yet to hear that it is over."""
        if steady_ms < peer.holdings_sent_ms + HOLDINGS_MS:
            return []
        return [self.tell(peer, steady_ms)]

    def _own(self) -> Holdings:
        number = self._links.epoch.number
        return Holdings(number, tuple(self._shelf.holdings()), self._shelf.head.index)
