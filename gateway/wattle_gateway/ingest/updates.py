"""Updates on their way to meters (SPEC section 17): offered here, fetched by the meters.

In memory only: an operator who sends an update waits for its end. After a restart of the gateway
the update is sent once more, and the meter goes on where it stands.
"""

from collections.abc import Callable
from dataclasses import dataclass

from wattle_wire import topics, update
from wattle_wire.bundle import Bundle

from wattle_gateway.contracts.registry import Meter
from wattle_gateway.errors import UsageError

# An update is at most 280 kB in memory: a substation's meters a few at a time, 18 MB.
OFFERS_MAX = 64
# A meter that says nothing about an offer has not heard of it; two verifications take it a second.
REPEAT_MS = 10_000

News = tuple[int, int, int]
"""(version, code, offset) as a meter's state has it."""


@dataclass
class Offer:
    """An update for one meter; `sent_ms` when its message was sent last."""

    bundle: Bundle
    message: bytes
    chunks: list[bytes]
    sent_ms: int


class UpdateOffers:
    """Sends updates and their chunks as meters ask; `news` is what each meter said last."""

    def __init__(self, publish: Callable[[str, bytes], bool], steady_ms: Callable[[], int]) -> None:
        self._publish = publish
        self._steady_ms = steady_ms
        self._offers: dict[bytes, Offer] = {}
        self.news: dict[bytes, News] = {}

    def offer(self, meter: Meter, bundle: Bundle) -> None:
        """Send `bundle` (with its two signatures) to a meter, in place of what it was offered.

        Raises UsageError while OFFERS_MAX others are on their way.
        """
        if len(self._offers) >= OFFERS_MAX and meter.kid not in self._offers:
            raise UsageError(f"{OFFERS_MAX} updates are on their way; try again when some are done")
        offer = Offer(bundle, bundle.message(), bundle.chunks(), 0)
        self._offers[meter.kid] = offer
        self.news.pop(meter.kid, None)
        self._send(meter, offer)

    def heard(self, meter: Meter, news: News | None) -> None:
        """A meter's state has arrived, with what it says of an update."""
        offer = self._offers.get(meter.kid)
        if offer is None:
            if news is not None:
                self.news[meter.kid] = news
            return
        ours = news is not None and news[0] in (0, offer.bundle.update.version)
        if news is None or not ours:
            if self._steady_ms() - offer.sent_ms >= REPEAT_MS:
                self._send(meter, offer)
            return
        _, code, offset = self.news[meter.kid] = news
        at, rest = divmod(offset, update.CHUNK_BYTES_MAX)
        if code == update.RECEIVING and not rest and at < len(offer.chunks):
            self._publish(_topic(meter), offer.chunks[at])
        elif code not in (update.RECEIVING, update.TRIAL):
            del self._offers[meter.kid]

    def _send(self, meter: Meter, offer: Offer) -> None:
        offer.sent_ms = self._steady_ms()
        self._publish(_topic(meter), offer.message)


def _topic(meter: Meter) -> str:
    return topics.topic(meter.site, topics.meter_id(meter.kid), topics.CMD)
