"""What can be told about the links: for `status`, and for the bench that weighs them."""

from collections import Counter
from dataclasses import dataclass

from wattle_gateway.ledger.peer_card import PeerCard
from wattle_gateway.peers.link import Link
from wattle_gateway.peers.traffic import Traffic

# Guests' kids are theirs to choose; members are 32.
TALLIED_MAX = 256


@dataclass(frozen=True)
class PeerStatus:
    """One other gateway. `sent_bytes` and `received_bytes` are TCP payload (TLS included) since
    the gateway's start; `up_s` the age of the link and `heard_s` that of its newest message, None
    without a link; `address` where its card
    says it is; `error` why there is no link, or the last fault."""

    kid: str
    up_s: int | None
    heard_s: float | None
    guest: bool
    dialled: bool
    address: str
    latency_ms: int
    queued_bytes: int
    sent_bytes: int
    received_bytes: int
    links: int
    faults: int
    kept_off_s: int
    error: str


class Tally:
    """Counts over all links that a gateway had."""

    def __init__(self) -> None:
        self._traffic: dict[bytes, Traffic] = {}
        self._links: Counter[bytes] = Counter()
        self._errors: dict[bytes, str] = {}
        self.strangers = 0

    def ended(self, link: Link) -> None:
        """A link has ended: keep what it cost and why it ended."""
        self._traffic[link.kid] = self._traffic.get(link.kid, Traffic()) + link.traffic()
        self._links[link.kid] += 1
        self._errors[link.kid] = link.reason
        while len(self._traffic) > TALLIED_MAX:
            oldest = next(iter(self._traffic))
            for table in (self._traffic, self._links, self._errors):
                table.pop(oldest, None)

    def failed(self, kid: bytes, error: str) -> None:
        """A member could not be reached."""
        self._errors[kid] = error

    def status(
        self,
        kid: bytes,
        link: Link | None,
        card: PeerCard | None,
        faults: tuple[int, str],
        kept_off_s: float,
        now_s: float,
    ) -> PeerStatus:
        """All that is known of one gateway; `now_s` of the clock of `Link.since_s`."""
        traffic = self._traffic.get(kid, Traffic())
        if link is not None:
            traffic += link.traffic()
        count, fault = faults
        unknown = "" if card is not None else "its peer card is not known"
        return PeerStatus(
            kid=kid.hex(),
            up_s=None if link is None else int(now_s - link.since_s),
            heard_s=None if link is None else round(now_s - link.heard_s, 1),
            guest=link is not None and link.guest,
            dialled=link is not None and link.dialled,
            address="" if card is None else f"{card.host}:{card.port}",
            latency_ms=0 if link is None else link.latency_ms,
            queued_bytes=0 if link is None else link.queued_bytes,
            sent_bytes=traffic.sent,
            received_bytes=traffic.received,
            links=self._links[kid] + (link is not None),
            faults=count,
            kept_off_s=round(kept_off_s),
            error=fault if link is not None else self._errors.get(kid, fault) or unknown,
        )
