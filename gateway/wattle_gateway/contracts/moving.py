"""Execution of `move`: home and further gateways of an enrolled meter change (SPEC section 12).

Both homes agree, as both owners do when a point is handed on. A home that has no vote any more
cannot, so whoever takes its meters needs what a new meter would: somebody of another role.
"""

from dataclasses import replace

from wattle_gateway.contracts import classes, registry
from wattle_gateway.contracts.errors import RefusedError
from wattle_gateway.contracts.parties import Party
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger.move_body import Move


def keeps_home(state: State, body: Move) -> bool:
    """Whether only further gateways change, in which nobody but the home has a say."""
    meter = registry.meter(state, body.meter)
    return meter is not None and meter.home == body.home


def check_move(state: State, body: Move, origin: Party, setting: Setting) -> Meter:
    """Every clause of a `move` by `origin`; RefusedError for the first that fails."""
    epoch = setting.epoch
    meter = registry.meter(state, body.meter)
    if meter is None:
        raise RefusedError(classes.METER_UNKNOWN)
    if meter.revoked is not None:
        raise RefusedError(classes.ALREADY_REVOKED)
    if any(epoch.party_of(kid) is None for kid in (body.home, *body.further)):
        raise RefusedError(classes.MEMBER_UNKNOWN)
    if epoch.author_of(body.home) is None:
        raise RefusedError(classes.HOME_WITHOUT_VOTE)
    sender = body.home if epoch.author_of(meter.home) is None else meter.home
    if origin.kid != sender:
        raise RefusedError(classes.APPROVAL_MISSING)
    if (meter.home, meter.further) == (body.home, body.further):
        raise RefusedError(classes.NOTHING_MOVES)
    return meter


def move(state: State, body: Move, origin: Party, setting: Setting) -> bytes:
    """Execute a `move` to which all have agreed who are asked; gives the meter's kid."""
    meter = check_move(state, body, origin, setting)
    registry.put_meter(state, replace(meter, home=body.home, further=body.further))
    return meter.kid
