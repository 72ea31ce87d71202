"""`dr pool` and `dr select`: the adjustable loads of the ledger, and a choice among them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from wattle_wire import topics

from wattle_gateway.contracts import offering, registry
from wattle_gateway.contracts.events import data_record, rows
from wattle_gateway.contracts.events.selecting import BUSY, is_busy, score_of, weights_of
from wattle_gateway.contracts.offering import StandingOffer
from wattle_gateway.contracts.reputation.standing import Standing
from wattle_gateway.contracts.reputation.standing import standing as standing_of
from wattle_gateway.contracts.selection.choice import Choice, Reason, choose
from wattle_gateway.contracts.selection.offers import Need, Offer, Weights
from wattle_gateway.contracts.state import State
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import area as areas
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.offer_bodies import DIRECTION_NAMES

# Upper ends of the classes of response time that the pool is shown by.
RESPONSE_CLASSES_MS = (1_000, 5_000, 30_000, 300_000, 3_600_000)

_Watts = tuple[int, int]
"""(called, of it confirmed)."""


@dataclass(frozen=True)
class PoolLine:
    """Loads of one area, direction and class of response time: `within_ms` the class's upper end.

    `registered_w` what the registry says they can adjust, `offered_w` what they offer; `called_w`
    what those under an order are to adjust now, `confirmed_w` the part of it of which a committed
    sample says that it was carried out. Loads that nobody offers have no area, direction or
    response time: None.
    """

    area: str | None
    direction: str | None
    within_ms: int | None
    loads: int
    registered_w: int
    offered_w: int
    called_w: int = 0
    confirmed_w: int = 0

    def as_json(self) -> dict[str, Any]:
        """The line as JSON."""
        return {
            "area": self.area,
            "direction": self.direction,
            "within_ms": self.within_ms,
            "loads": self.loads,
            "registered_w": self.registered_w,
            "offered_w": self.offered_w,
            "called_w": self.called_w,
            "confirmed_w": self.confirmed_w,
        }


class _Load(NamedTuple):
    """What one load adds to its line."""

    registered_w: int
    offered_w: int
    called_w: int
    confirmed_w: int


def pool(state: Mapping[bytes, bytes], time_ms: int, area: str | None) -> list[PoolLine]:
    """The lines of one area and what lies behind it, or of all, by area, direction and response
    time; loads without an offer last, and only if no area is asked for. Raises StateError."""
    standing = {(one.meter, one.device): one for one in offering.standing_offers(state, time_ms)}
    under_order = _under_order(state, time_ms)
    groups: dict[tuple[str, int, int], list[_Load]] = {}
    idle: list[_Load] = []
    for meter in registry.meters(state):
        if meter.revoked is not None:
            continue
        for point in meter.points:
            found = standing.get((meter.kid, point.device))
            called = under_order.get((meter.kid, point.device), (0, 0))
            if found is not None:
                terms = found.terms
                group = (terms.area, terms.direction, _response_class(terms.response_ms))
                load = _Load(point.capacity_w, terms.capacity_w, *called)
                groups.setdefault(group, []).append(load)
            elif point.capacity_w:
                idle.append(_Load(point.capacity_w, 0, *called))
    lines = [
        PoolLine(where, DIRECTION_NAMES[direction], within_ms, len(loads), *_sums(loads))
        for (where, direction, within_ms), loads in sorted(groups.items())
        if area is None or areas.within(where, area)
    ]
    if idle and area is None:
        lines.append(PoolLine(None, None, None, len(idle), *_sums(idle)))
    return lines


def _sums(loads: Sequence[_Load]) -> tuple[int, ...]:
    return tuple(sum(column) for column in zip(*loads, strict=True))


def _under_order(state: Mapping[bytes, bytes], time_ms: int) -> dict[tuple[bytes, int], _Watts]:
    """Point -> what loads are to adjust by orders in force, and what of it is confirmed."""
    view = State(state)
    found: dict[tuple[bytes, int], _Watts] = {}
    for event in rows.events(state):
        if not event.begin_ms <= time_ms < event.end_ms:
            continue
        index = (time_ms - event.begin_ms) // event.interval_ms
        for quota in rows.quotas(view, event):
            if quota.ordered_ms is None or quota.ordered_ms > time_ms:
                continue
            quota_w = quota.quota_w(index)
            is_confirmed = quota.confirmed_ms is not None and quota.confirmed_ms <= time_ms
            confirmed_w = quota_w if is_confirmed else 0
            before = found.get((quota.meter, quota.device), (0, 0))
            found[quota.meter, quota.device] = (before[0] + quota_w, before[1] + confirmed_w)
    return found


@dataclass(frozen=True)
class Selection:
    """A choice, and the offers that it was made among by the digest of their transaction; `place`
    of the need, from which distances count."""

    choice: Choice
    standing: Mapping[bytes, StandingOffer]
    place: str

    def as_json(self) -> dict[str, Any]:
        """The choice as JSON."""
        return {
            "need_w": self.choice.need.quota_w,
            "within_ms": self.choice.need.within_ms,
            "hold_ms": self.choice.need.hold_ms,
            "place": self.place,
            "reached_w": self.choice.reached_w,
            "enough": self.choice.enough,
            "loads": [self._load(reason) for reason in self.choice.reasons],
        }

    def _load(self, reason: Reason) -> dict[str, Any]:
        standing = self.standing[reason.offer.digest]
        return {
            "point": point_name(standing),
            "why": reason.why,
            "area": standing.terms.area,
            "distance": reason.offer.distance,
            "capacity_w": reason.offer.quota_w,
            "price": reason.offer.price,
            "asset": standing.terms.asset,
            "response_ms": reason.offer.response_ms,
            "merit": reason.merit,
            "cost": reason.cost,
            "rank": reason.rank,
        }


@dataclass(frozen=True)
class Wanted:
    """Which offers are asked: of a `direction`; of one area and priced in one asset, or of any.
    `near` is where the need is, from which distances count; None: in the area."""

    direction: int
    area: str | None = None
    asset: str | None = None
    near: str | None = None

    @property
    def place(self) -> str:
        """Where the need is; EVERYWHERE if nothing says."""
        return self.near or self.area or areas.EVERYWHERE

    def takes(self, standing: StandingOffer) -> bool:
        """Whether an offer is asked."""
        terms = standing.terms
        return (
            terms.direction == self.direction
            and (self.area is None or areas.within(terms.area, self.area))
            and self.asset in (None, terms.asset)
        )


def select(
    state: Mapping[bytes, bytes],
    time_ms: int,
    need: Need,
    wanted: Wanted,
    market: Market | None = None,
) -> Selection:
    """Which standing offers answer a need, by what the ledger keeps of who sent them: scores,
    reputations, faults, calls. Without `market` (below rules 3) it keeps none, and all are equal.

    Raises UsageError for prices in several assets, StateError.
    """
    asked = [one for one in offering.standing_offers(state, time_ms) if wanted.takes(one)]
    assets = sorted({one.terms.asset for one in asked})
    if len(assets) > 1:
        raise UsageError(
            f"these loads are priced in {', '.join(assets)}, which cannot be compared: choose one"
            " with --asset"
        )
    weights = Weights() if market is None else weights_of(market)
    busy = [one for one in asked if _is_busy(state, one, time_ms, need)]
    taken = {one.digest for one in busy}
    free = [one for one in asked if one.digest not in taken]
    offers = [_offer(one, weights, wanted.place) for one in free]
    if market is not None:
        origins = {one.origin for one in free}
        known = {kid: standing_of(state, market, kid, time_ms) for kid in origins}
        offers = [
            _judged(offer, state, one, known[one.origin], market, time_ms)
            for offer, one in zip(offers, free, strict=True)
        ]
    found = choose(offers, need, weights)
    aside = (Reason(_offer(one, weights, wanted.place), BUSY) for one in busy)
    found = replace(found, reasons=(*found.reasons, *aside))
    return Selection(found, {one.digest: one for one in asked}, wanted.place)


def _is_busy(state: Mapping[bytes, bytes], one: StandingOffer, time_ms: int, need: Need) -> bool:
    """Whether a load is called by an event while it would be needed, or has to rest."""
    calls = rows.calls(state, one.meter, one.device)
    return is_busy(calls, time_ms, time_ms + need.hold_ms, one.terms.rest_ms)


def _judged(
    offer: Offer,
    state: Mapping[bytes, bytes],
    one: StandingOffer,
    stands: Standing,
    market: Market,
    time_ms: int,
) -> Offer:
    """An offer with what the ledger keeps of its sender, as a selection for an event counts it."""
    calls = rows.calls(state, one.meter, one.device)
    ended_ms = max((call.end_ms for call in calls if call.end_ms <= time_ms), default=0)
    return replace(
        offer,
        score=score_of(stands, market),
        # Who is suspended is not called, however good its scores have been since.
        reputation=0 if stands.suspended else stands.reputation,
        rested_ms=time_ms - ended_ms,
        standing_permille=data_record.merit_share(state, market, stands, one.meter, one.device),
    )


def point_name(standing: StandingOffer) -> str:
    """The point of an offer as people write it."""
    return f"{topics.meter_id(standing.meter)}/{standing.device}"


def _offer(standing: StandingOffer, weights: Weights, place: str) -> Offer:
    terms = standing.terms
    return Offer(
        standing.digest,
        terms.capacity_w,
        terms.price,
        terms.response_ms,
        terms.holds_ms,
        distance=areas.distance(terms.area, place),
        rested_ms=weights.rested_ms,
    )


def _response_class(response_ms: int) -> int:
    return next(end_ms for end_ms in RESPONSE_CLASSES_MS if response_ms <= end_ms)
