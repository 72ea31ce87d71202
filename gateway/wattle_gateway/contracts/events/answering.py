"""Whether a load can answer an event: what `declare` is checked for and a standing offer too."""

from wattle_gateway.contracts import classes, parties
from wattle_gateway.contracts.errors import RefusedError
from wattle_gateway.contracts.events.rows import EventRow
from wattle_gateway.contracts.measurement.energy import RESOLUTION_PARTS
from wattle_gateway.contracts.measurement.primary import Ratio
from wattle_gateway.contracts.offering import StandingOffer
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.settlement import agreements
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger import area, event_bodies, genesis
from wattle_gateway.ledger.transaction import Point

# Fewer readings than this in an interval say little about its energy (D12).
READINGS_MIN = 10
_MWH_PER_W_MS = 3600  # a W over this many ms is a mWh


def check_between(state: State, event: EventRow, owner: bytes, setting: Setting) -> None:
    """Who buys is not who sells (D14), and an aggregator buys of those that it hosts alone.
    RefusedError otherwise."""
    if owner == event.publisher:
        raise RefusedError(classes.SELF_DEALING)
    seller = parties.party(state, setting.epoch, owner)
    hosted = seller is not None and seller.host == event.publisher
    buyer = setting.epoch.party_of(event.publisher)
    aggregates = buyer is not None and buyer.role == genesis.AGGREGATOR
    if aggregates and not hosted:
        raise RefusedError(classes.NOT_HOSTED)
    if hosted and not aggregates:
        raise RefusedError(classes.SELF_DEALING)


def fits(event: EventRow, offer: StandingOffer) -> bool:
    """Whether it stands in the event's area, goes its direction, and is paid in its asset."""
    body, terms = event.body, offer.terms
    return (
        area.within(terms.area, body.area)
        and body.direction == terms.direction
        and body.asset == terms.asset
    )


def is_too_coarse(
    event: EventRow, offer: StandingOffer, point: Point, quotas_w: tuple[int, ...]
) -> bool:
    """Whether its meter could not tell what it delivers (D12): in some interval the step of its
    register is more than a hundredth of the quota, and it is read fewer than ten times."""
    terms = offer.terms
    if event.interval_ms >= READINGS_MIN * terms.period_ms:
        return False
    ratio = Ratio.of(point.ct, point.vt, point.orient)
    step_mwh = abs(ratio.energy_mwh(terms.resolution_wh))
    least_w = min(quota_w for quota_w in quotas_w if quota_w)
    return least_w * event.interval_ms < RESOLUTION_PARTS * step_mwh * _MWH_PER_W_MS


def price_mwh(state: State, event: EventRow, seller: bytes, asked: int) -> int:
    """What a MWh of this seller (kid) costs the event, before a uniform price is known.

    RefusedError if that is more than the event pays, or a contract is missing that would say.
    """
    body = event.body
    if body.method == event_bodies.FIXED:
        return body.energy_price
    if body.method != event_bodies.CONTRACT:
        if asked > body.energy_price:
            raise RefusedError(classes.PRICE_ABOVE_CAP)
        return asked
    agreed = agreements.contract_price(state, event.publisher, seller, body.asset, body.begin_ms)
    if agreed is None:
        raise RefusedError(classes.NO_CONTRACT)
    availability, energy, _ = agreed
    if availability > body.availability_price or energy > body.energy_price:
        raise RefusedError(classes.PRICE_ABOVE_CAP)
    return energy
