"""Adjustable loads that may be called: execution of `offer` and `retract`, and their rows
(SPEC sections 11 and 12; DEMAND_RESPONSE.md, D5)."""

from collections.abc import Mapping
from dataclasses import dataclass

from wattle_wire import cbor, cose, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts import accounts, classes, ownership, parties, registry
from wattle_gateway.contracts.errors import RefusedError, StateError
from wattle_gateway.contracts.parties import Party
from wattle_gateway.contracts.registry import Meter, Rows
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import State, key, keys_beginning, prefix
from wattle_gateway.ledger import area, genesis
from wattle_gateway.ledger.errors import FormatError
from wattle_gateway.ledger.offer_bodies import OfferBody, OfferTerms, Retract, parse_terms
from wattle_gateway.ledger.transaction import DIGEST_BYTES, Point, Transaction


@dataclass(frozen=True)
class StandingOffer:
    """The load at point `device` of `meter` (kid), offered by transaction `digest` of `origin`
    at commit time `from_ms`, when the point was `owner`'s (kids)."""

    meter: bytes
    device: int
    digest: bytes
    origin: bytes
    owner: bytes
    from_ms: int
    terms: OfferTerms


def offer(state: State, tx: Transaction, body: OfferBody, party: Party, setting: Setting) -> None:
    """Execute an `offer`, which replaces an earlier one. RefusedError for the first clause that
    fails."""
    if area.is_path(body.terms.area) and setting.epoch.rules < genesis.AREA_PATH_RULES:
        raise RefusedError(classes.MALFORMED_BODY)
    meter, point = point_of(state, body.meter, body.device)
    if meter.revoked is not None:
        raise RefusedError(classes.ALREADY_REVOKED)
    owner = ownership.owner_at(state, meter.kid, point, setting.time_ms)
    check_speaks_for(state, party, owner, setting)
    most_w = point.capacity_w
    if setting.epoch.rules >= genesis.EVENT_RULES:
        most_w = min(most_w, point.rating_w)
    if body.terms.capacity_w > most_w:
        raise RefusedError(classes.ABOVE_CAPACITY)
    if accounts.asset(state, body.terms.asset) is None:
        raise RefusedError(classes.ASSET_UNKNOWN)
    row = [tx.digest, party.kid, owner, setting.time_ms, body.terms.row()]
    state.put(key("offer", body.meter, body.device), cbor.encode(row))


def retract(state: State, body: Retract, party: Party, setting: Setting) -> None:
    """Execute a `retract`. RefusedError for the first clause that fails."""
    meter, point = point_of(state, body.meter, body.device)
    owner = ownership.owner_at(state, meter.kid, point, setting.time_ms)
    check_speaks_for(state, party, owner, setting)
    row = key("offer", body.meter, body.device)
    if state.get(row) is None:
        raise RefusedError(classes.OFFER_UNKNOWN)
    state.delete(row)


def standing_offers(state: Mapping[bytes, bytes], time_ms: int) -> list[StandingOffer]:
    """The offers that hold at a time, by meter and device: of points of meters that are not
    revoked, made for who owns them then. Raises StateError."""
    begin = prefix("offer", 2)
    found = [_decode(row, state[row]) for row in keys_beginning(state, begin)]
    holding = [one for one in found if _holds(state, one, time_ms)]
    return sorted(holding, key=lambda one: (one.meter, one.device))


def standing_offer(state: Rows, meter: bytes, device: int, time_ms: int) -> StandingOffer | None:
    """The offer of one point (kid and device) that holds at a time, None if there is none.
    Raises StateError."""
    found = newest_offer(state, meter, device)
    return found if found is not None and _holds(state, found, time_ms) else None


def newest_offer(state: Rows, meter: bytes, device: int) -> StandingOffer | None:
    """The offer of one point (kid and device) that was not retracted, whether it holds or not."""
    row = key("offer", meter, device)
    value = state.get(row)
    return None if value is None else _decode(row, value)


def offers_in(state: State, time_ms: int) -> list[StandingOffer]:
    """As `standing_offers`, of a state while a commit executes."""
    found = [_decode(row, value) for row, value in state.rows(prefix("offer", 2))]
    return [one for one in found if _holds(state, one, time_ms)]


def _holds(state: Rows, found: StandingOffer, time_ms: int) -> bool:
    meter = registry.meter(state, found.meter)
    point = None if meter is None else meter.point(found.device)
    if meter is None or point is None or meter.revoked is not None or found.from_ms > time_ms:
        return False
    return ownership.owner_at(state, meter.kid, point, time_ms) == found.owner


def point_of(state: State, meter_kid: bytes, device: int) -> tuple[Meter, Point]:
    """A meter (kid) and its point of a device number; RefusedError if there is none."""
    meter = registry.meter(state, meter_kid)
    if meter is None:
        raise RefusedError(classes.METER_UNKNOWN)
    point = meter.point(device)
    if point is None:
        raise RefusedError(classes.POINT_UNKNOWN)
    return meter, point


def check_speaks_for(state: State, party: Party, owner: bytes, setting: Setting) -> None:
    """An owner (kid) speaks for itself, and its host for it; RefusedError for anybody else."""
    if party.kid == owner:
        return
    hosted = parties.party(state, setting.epoch, owner)
    if hosted is None or hosted.host != party.kid:
        raise RefusedError(classes.NOT_OWNER_OR_HOST)


def _decode(row: bytes, value: bytes) -> StandingOffer:
    try:
        ids = structure.array(cbor.decode(row), 3, "offer")
        fields = structure.array(cbor.decode(value), 5, "offer")
        return StandingOffer(
            structure.octets(ids[1], cose.KID_BYTES, "meter"),
            structure.uint(ids[2], "device"),
            structure.octets(fields[0], DIGEST_BYTES, "digest"),
            structure.octets(fields[1], cose.KID_BYTES, "originator"),
            structure.octets(fields[2], cose.KID_BYTES, "owner"),
            structure.uint(fields[3], "from_ms"),
            parse_terms(fields[4]),
        )
    except (WireError, FormatError) as error:
        raise StateError(f"offer {row.hex()}: {error}") from error
