"""What a step of the driver moved: all that its callers need to know, after it is durable."""

from dataclasses import dataclass, field

from wattle_gateway.contracts.chain import AckView
from wattle_gateway.contracts.execute import Outcome
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.orders.book import PointOrder
from wattle_gateway.sync.parcels import ArchiveRequest, JoinRequest, Parcel, Received


@dataclass
class Progress:
    """What a step moved. Everything in it is on disk by the time it is returned.

    `to_send` goes to peers now, in this order, and not before; `next_tick_ms` of the steady
    clock; `acks` where each meter stands whose samples were stored or committed; `transactions`
    the outcomes by transaction digest; `orders` to loads that it brought or changed, of
    emergencies also such as are in a block only; `market_changed`: events or offers have;
    `registry_changed`: meters were enrolled, moved or revoked, or something waits; `epoch_changed`
    the epoch in force, if another than before the step; `cheats` kids of members that the ledger
    has newly found out; `cards`, `joins` and `faults` of the peer whose message the step was: new
    peer cards, requests to become a member, and what was wrong with it (any fault ends the link);
    `archived` what it asked for that lies in the archive.
    """

    head: CommitHead
    next_tick_ms: int
    to_send: list[Parcel] = field(default_factory=list)
    acks: dict[bytes, AckView] = field(default_factory=dict)
    transactions: dict[bytes, Outcome] = field(default_factory=dict)
    orders: list[PointOrder] = field(default_factory=list)
    market_changed: bool = False
    registry_changed: bool = False
    epoch_changed: Epoch | None = None
    cheats: list[bytes] = field(default_factory=list)
    cards: list[bytes] = field(default_factory=list)
    joins: list[JoinRequest] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    archived: list[ArchiveRequest] = field(default_factory=list)

    def note(self, received: Received) -> None:
        """What a peer's message led to, as far as it is for others than the driver."""
        self.to_send += received.parcels
        self.cards += received.cards
        self.joins += received.joins
        self.faults += received.faults
        self.archived += received.archived
