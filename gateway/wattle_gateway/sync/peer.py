"""What a gateway remembers of each peer it is linked to, and the links as a whole.

Nothing here is believed: a peer's claims only decide whom to ask first. Every field has a bound.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from wattle_gateway.ledger.block import BlockRef
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.genesis import MEMBERS_MAX
from wattle_gateway.sync.messages import Holdings

# Whose history begins too late may read its archive again by then.
BEGINS_AGAIN_MS = 60_000
# Members of the epochs that are being left and entered, and as many guests.
PEERS_MAX = 3 * MEMBERS_MAX
# What a peer may ask of disk and link: a gateway that catches up gets a day of an alliance of
# four (some 100 MB) in half a minute, and a hundred that ask without end cannot starve consensus.
SERVED_BYTES_PER_S = 4 << 20
SERVED_BURST_BYTES = 16 << 20


class ByteBudget:
    """A token bucket of bytes on the steady clock."""

    def __init__(self) -> None:
        self._bytes = SERVED_BURST_BYTES
        self._filled_ms: int | None = None

    def allows(self, steady_ms: int) -> bool:
        """Whether something may be sent; what it was is told to `spend` afterwards."""
        if self._filled_ms is not None:
            gained = max(0, steady_ms - self._filled_ms) * SERVED_BYTES_PER_S // 1000
            self._bytes = min(SERVED_BURST_BYTES, self._bytes + gained)
        self._filled_ms = steady_ms
        return self._bytes > 0

    def spend(self, size_bytes: int) -> None:
        """So many bytes were sent."""
        self._bytes -= size_bytes


@dataclass
class Stream:
    """A subscription to own blocks: those up to `sent_round` have gone out.

    `behind`: older ones than the newest wait to be sent, or its epoch has yet to begin.
    """

    epoch: int
    sent_round: int
    behind: bool = True


@dataclass(frozen=True)
class Overdue:
    """A block of the peer that came from somebody else and should come in its stream."""

    round: int
    since_ms: int


@dataclass(frozen=True)
class Request:
    """A fetch that was sent: for `refs` and, if `rounds` is not empty, for what is above them."""

    id: int
    epoch: int
    refs: tuple[BlockRef, ...]
    rounds: tuple[int, ...]
    deadline_ms: int


@dataclass
class Peer:
    """One linked peer. `guest`: it came with a token and no certificate, nothing it says counts.

    `claim` its newest holdings; `stream` what it asked of us; `subscribed_epoch` what we asked
    of it, `overdue` what came of it by another way; `fetches` ours in flight to it, `late` those
    that ran out of time; `dry` and `proves_no_more`: since its last claim it has given all the
    blocks it has and we lack, or proved all the commits it could; `begins` the first commit that it
    said it has when, at `begins_told_ms`, it was asked for an earlier one; `distrusted_ms` until
    when no history is asked of it.
    """

    kid: bytes
    guest: bool
    budget: ByteBudget = field(default_factory=ByteBudget)
    claim: Holdings | None = None
    stream: Stream | None = None
    subscribed_epoch: int | None = None
    overdue: Overdue | None = None
    holdings_sent: Holdings | None = None
    holdings_sent_ms: int = 0
    fetches: dict[int, Request] = field(default_factory=dict)
    late: dict[int, Request] = field(default_factory=dict)
    dry: bool = False
    proves_no_more: bool = False
    begins: int = 1
    begins_told_ms: int = 0
    distrusted_ms: int | None = None
    asked_last_ms: int | None = None
    joined_ms: int | None = None

    def distrusted(self, steady_ms: int) -> bool:
        """Whether its histories are not wanted now."""
        return self.distrusted_ms is not None and steady_ms < self.distrusted_ms

    def may_reach_further(self, steady_ms: int) -> bool:
        """Whether it is time to ask again for commits that it could not give."""
        return steady_ms >= self.begins_told_ms + BEGINS_AGAIN_MS


class Links:
    """The peers that are linked now, by rising kid, as seen by a member of an epoch.

    `author` is the own index in the epoch, None for who follows without a vote.
    """

    def __init__(self, epoch: Epoch, own_kid: bytes) -> None:
        self.epoch = epoch
        self.own_kid = own_kid
        self._peers: dict[bytes, Peer] = {}
        self._next_id = 0

    @property
    def author(self) -> int | None:
        """The own author index in the epoch in force."""
        return self.epoch.author_of(self.own_kid)

    def add(self, kid: bytes, guest: bool) -> Peer | None:
        """A new link, or None if there are PEERS_MAX; an older one of the same kid is replaced."""
        if kid not in self._peers and len(self._peers) >= PEERS_MAX:
            return None
        peer = Peer(kid, guest)
        self._peers = dict(sorted({**self._peers, kid: peer}.items()))
        return peer

    def remove(self, kid: bytes) -> Peer | None:
        """The link is gone."""
        return self._peers.pop(kid, None)

    def get(self, kid: bytes) -> Peer | None:
        """The peer of this kid, None if it is not linked."""
        return self._peers.get(kid)

    def author_of(self, kid: bytes) -> int | None:
        """A peer's author index in the epoch in force; None for guests and who has no vote."""
        peer = self._peers.get(kid)
        return None if peer is None or peer.guest else self.epoch.author_of(kid)

    @property
    def empty(self) -> bool:
        """Whether nobody is linked."""
        return not self._peers

    def __iter__(self) -> Iterator[Peer]:
        """All peers, guests among them."""
        return iter(self._peers.values())

    def members(self) -> Iterator[Peer]:
        """The peers that are no guests."""
        return (peer for peer in self._peers.values() if not peer.guest)

    def voting(self) -> Iterator[tuple[int, Peer]]:
        """Author index and peer of each linked voting member of the epoch in force."""
        for peer in self.members():
            author = self.epoch.author_of(peer.kid)
            if author is not None:
                yield author, peer

    def new_id(self) -> int:
        """A request id of this gateway's own."""
        self._next_id += 1
        return self._next_id
