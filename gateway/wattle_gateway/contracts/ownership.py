"""Who owns a point, and from when on (SPEC sections 11 and 12)."""

from dataclasses import dataclass

from wattle_wire import cbor, cose, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts import classes, parties, registry
from wattle_gateway.contracts.errors import RefusedError, StateError
from wattle_gateway.contracts.parties import Party
from wattle_gateway.contracts.registry import Meter, Rows
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import State, key
from wattle_gateway.ledger.account_bodies import Assign
from wattle_gateway.ledger.transaction import Point

# A row of the state that its owners can grow: a change a year outlasts any metering device.
OWNERS_MAX = 64


@dataclass(frozen=True)
class Owned:
    """From `from_ms` (Unix ms) on the point is `owner`'s (kid)."""

    from_ms: int
    owner: bytes


def owners(state: Rows, meter: bytes, point: Point) -> tuple[Owned, ...]:
    """All owners of a point of a meter (kid), rising: the one that the enrolment names, from 0 on,
    then every change. Raises StateError."""
    return (Owned(0, point.owner), *_changes(state, meter, point.device))


def owner_at(state: Rows, meter: bytes, point: Point, time_ms: int) -> bytes:
    """The kid of who owns a point at a time. Raises StateError."""
    held = [owned.owner for owned in owners(state, meter, point) if owned.from_ms <= time_ms]
    return held[-1]


def check_assign(state: State, body: Assign, origin: Party, setting: Setting) -> None:
    """Every clause of an `assign` by `origin`; RefusedError for the first that fails."""
    meter = registry.meter(state, body.meter)
    if meter is None:
        raise RefusedError(classes.METER_UNKNOWN)
    last = _last_owner(state, meter, body.device)
    if last.owner != origin.kid:
        raise RefusedError(classes.NOT_THE_OWNER)
    if body.owner == origin.kid:
        raise RefusedError(classes.TO_ITSELF)
    owner = parties.party(state, setting.epoch, body.owner)
    if owner is None or not owner.owns:
        raise RefusedError(classes.MEMBER_UNKNOWN)
    if body.from_ms < setting.time_ms or body.from_ms <= last.from_ms:
        raise RefusedError(classes.OWNER_BACKDATED)
    if len(_changes(state, body.meter, body.device)) >= OWNERS_MAX:
        raise RefusedError(classes.OWNERS_FULL)


def assign(state: State, body: Assign, origin: Party, setting: Setting) -> None:
    """Execute an `assign` to which the new owner has agreed."""
    check_assign(state, body, origin, setting)
    changes = (*_changes(state, body.meter, body.device), Owned(body.from_ms, body.owner))
    row = [[owned.from_ms, owned.owner] for owned in changes]
    state.put(key("owners", body.meter, body.device), cbor.encode(row))


def _last_owner(state: State, meter: Meter, device: int) -> Owned:
    point = meter.point(device)
    if point is None:
        raise RefusedError(classes.POINT_UNKNOWN)
    return owners(state, meter.kid, point)[-1]


def _changes(state: Rows, meter: bytes, device: int) -> tuple[Owned, ...]:
    value = state.get(key("owners", meter, device))
    if value is None:
        return ()
    try:
        rows = structure.items(cbor.decode(value), OWNERS_MAX, "owners")
        return tuple(_owned(row) for row in rows)
    except WireError as error:
        raise StateError(f"owners of {meter.hex()}/{device}: {error}") from error


def _owned(value: object) -> Owned:
    row = structure.array(value, 2, "owner")
    return Owned(
        structure.uint(row[0], "from_ms"), structure.octets(row[1], cose.KID_BYTES, "owner")
    )
