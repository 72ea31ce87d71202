"""Streams of own blocks: who subscribed gets them in order, once, and each new one at once."""

from collections.abc import Iterator, Sequence

from wattle_gateway.ledger.block import VerifiedBlock
from wattle_gateway.sync.framing import ANSWER_BYTES
from wattle_gateway.sync.messages import BLOCK, SUBSCRIBE, OwnBlock, Subscribe
from wattle_gateway.sync.packed import pack
from wattle_gateway.sync.parcels import Parcel
from wattle_gateway.sync.peer import Links, Overdue, Peer, Stream
from wattle_gateway.sync.shelf import Shelf

# A stream that is behind goes on by one answer's worth each time; a subscriber is seldom behind
# by more than a round, as who is far behind asks for history first.
CATCH_UP_MS = 500
# A block that came as an answer has this long to come in its author's stream as well.
STREAM_OVERDUE_MS = 2000


class Streams:
    """Both directions: what peers asked of us, and what we ask of them."""

    def __init__(self, links: Links, shelf: Shelf) -> None:
        self._links = links
        self._shelf = shelf
        self._catch_up_ms: int | None = None
        self._overdue_ms: int | None = None

    @property
    def next_tick_ms(self) -> int | None:
        """When a stream that is behind goes on, or one that is broken is asked for anew."""
        times = [time for time in (self._catch_up_ms, self._overdue_ms) if time is not None]
        return min(times, default=None)

    def subscribed(self, peer: Peer, message: Subscribe, steady_ms: int) -> list[Parcel]:
        """A peer asks for own blocks. An epoch that is not in force yet is kept in mind."""
        peer.stream = Stream(message.epoch, message.round)
        return self._catch_up(peer, peer.stream, steady_ms)

    def send(self, made: Sequence[VerifiedBlock]) -> Iterator[Parcel]:
        """New own blocks, to all streams that are up to date."""
        for verified in made:
            block = verified.block
            raw = OwnBlock(pack(verified)).encode()
            for peer in self._links:
                stream = peer.stream
                if stream is None or stream.behind or stream.epoch != block.epoch:
                    continue
                if stream.sent_round < block.round:
                    stream.sent_round = block.round
                    yield Parcel(peer.kid, raw, BLOCK)

    def tick(self, steady_ms: int) -> list[Parcel]:
        """Streams that are behind go on, those of an epoch that has just begun among them."""
        if self._catch_up_ms is None or steady_ms < self._catch_up_ms:
            return []
        self._catch_up_ms = None
        parcels: list[Parcel] = []
        for peer in self._links:
            if peer.stream is not None and peer.stream.behind:
                parcels += self._catch_up(peer, peer.stream, steady_ms)
        return parcels

    def new_epoch(self, steady_ms: int) -> list[Parcel]:
        """The next epoch is in force: who asked for its blocks already gets them."""
        for peer in self._links:
            peer.overdue = None
        self._catch_up_ms = steady_ms
        return self.tick(steady_ms)

    def wanted(self, steady_ms: int) -> list[Parcel]:
        """Subscribe to every voting member that has come into this epoch, and anew where a
        stream is broken."""
        parcels = []
        number = self._links.epoch.number
        self._overdue_ms = None
        for author, peer in self._links.voting():
            if peer.claim is None or peer.claim.epoch < number:
                continue
            if peer.subscribed_epoch != number:
                parcels.append(self._subscribe(peer, author))
            elif peer.overdue is not None:
                due_ms = peer.overdue.since_ms + STREAM_OVERDUE_MS
                if due_ms <= steady_ms:
                    parcels.append(self._subscribe(peer, author))
                elif self._overdue_ms is None or due_ms < self._overdue_ms:
                    self._overdue_ms = due_ms
        return parcels

    def came(self, peer: Peer, round_number: int) -> None:
        """A block came in a peer's stream."""
        if peer.overdue is not None and round_number >= peer.overdue.round:
            peer.overdue = None

    def came_otherwise(self, author: int, round_number: int, steady_ms: int) -> None:
        """A member's block came as somebody's answer: its stream should bring it, too."""
        peer = self._links.get(self._links.epoch.members[author].kid)
        if peer is not None and peer.overdue is None:
            peer.overdue = Overdue(round_number, steady_ms)

    def _subscribe(self, peer: Peer, author: int) -> Parcel:
        number = self._links.epoch.number
        peer.subscribed_epoch = number
        peer.overdue = None
        above = self._shelf.holdings()[author]
        return Parcel(peer.kid, Subscribe(number, above).encode(), SUBSCRIBE)

    def _catch_up(self, peer: Peer, stream: Stream, steady_ms: int) -> list[Parcel]:
        if stream.epoch > self._links.epoch.number:
            return []
        stream.behind = not peer.budget.allows(steady_ms)
        parcels: list[Parcel] = []
        size_bytes = 0
        for round_number, packed in self._shelf.own_blocks(stream.epoch, stream.sent_round):
            if stream.behind or size_bytes >= ANSWER_BYTES:
                stream.behind = True
                self._catch_up_ms = steady_ms + CATCH_UP_MS
                break
            raw = OwnBlock(packed).encode()
            stream.sent_round = round_number
            size_bytes += len(raw)
            parcels.append(Parcel(peer.kid, raw, BLOCK))
        peer.budget.spend(size_bytes)
        return parcels
