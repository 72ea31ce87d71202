"""Acks: telling each meter how far it stands, soon after that moves and not too often."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from wattle_wire import cose, downlink, topics
from wattle_wire.downlink import REFUSED_MAX, Ack

from wattle_gateway.contracts.chain import AckView
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.ingest.links import LinkKeys
from wattle_gateway.ledger.commit import CommitHead

# A meter that sends a backlog moves its ack with every sample; it needs no more than this.
ACK_EVERY_S = 0.2


@dataclass
class _Standing:
    """What to tell a meter, what it was told, and when (loop time, s)."""

    view: AckView
    told: AckView | None = None
    told_s: float = 0.0
    refused: dict[int, int] = field(default_factory=dict)


class AckSender:
    """Sends acks through `publish(topic, payload) -> sent`."""

    def __init__(
        self, ledger_id: bytes, links: LinkKeys, publish: Callable[[str, bytes], bool]
    ) -> None:
        self._ledger_id = ledger_id
        self._links = links
        self._publish = publish
        self._standing: dict[bytes, _Standing] = {}
        self._due: dict[bytes, None] = {}
        self._wake = asyncio.Event()
        self._meters: dict[bytes, Meter] = {}
        self._head: CommitHead | None = None
        self.sent = 0

    def set_meters(self, meters: dict[bytes, Meter]) -> None:
        """The registry as it stands."""
        self._meters = meters

    def moved(self, head: CommitHead, views: dict[bytes, AckView]) -> None:
        """Meters stand here now; those for whom it is news are told."""
        self._head = head
        for meter, view in views.items():
            standing = self._standing.setdefault(meter, _Standing(view))
            standing.view = view
            if standing.told != view:
                self._plan(meter)

    def refused(self, meter: bytes, seq: int, reason: int) -> None:
        """Hint to a meter that a sample of it was refused."""
        standing = self._standing.get(meter)
        if standing is not None and len(standing.refused) < REFUSED_MAX:
            standing.refused[seq] = reason
            self._plan(meter)

    def remind(self, meter: bytes) -> None:
        """Tell a meter where it stands although nothing moved: it has just connected."""
        if meter in self._standing:
            self._plan(meter)

    def remind_all(self) -> None:
        """Tell every meter: we have just connected."""
        for meter in self._standing:
            self.remind(meter)

    async def run(self) -> None:
        """Send what is due until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._due:
                wait_s = self._send_due(loop.time())
                if wait_s > 0:
                    await asyncio.sleep(wait_s)

    def _plan(self, meter: bytes) -> None:
        self._due[meter] = None
        self._wake.set()

    def _send_due(self, now_s: float) -> float:
        """Send to all whose time has come; gives the seconds until the next one's."""
        wait_s = ACK_EVERY_S
        for meter in list(self._due):
            standing = self._standing[meter]
            left_s = standing.told_s + ACK_EVERY_S - now_s
            if left_s > 0:
                wait_s = min(wait_s, left_s)
                continue
            del self._due[meter]
            self._send(meter, standing, now_s)
        return wait_s if self._due else 0.0

    def _send(self, kid: bytes, standing: _Standing, now_s: float) -> None:
        meter = self._meters.get(kid)
        if meter is None or meter.revoked is not None or self._head is None:
            return
        view = standing.view
        ack = Ack(
            view.final,
            view.durable,
            [list(pair) for pair in view.missing],
            [list(pair) for pair in sorted(standing.refused.items())],
            self._head.index,
            self._head.digest,
        )
        message = cose.mac0(
            "ack",
            self._ledger_id,
            self._links.kid,
            downlink.encode_ack(ack),
            self._links.key_of(meter),
        )
        topic = topics.topic(meter.site, topics.meter_id(kid), topics.ACK)
        if self._publish(topic, message):
            self.sent += 1
            standing.told = view
            standing.told_s = now_s
            standing.refused = {}
