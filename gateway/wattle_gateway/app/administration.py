"""What an operator may ask of the running gateway, at its admin socket."""

from typing import TYPE_CHECKING

from wattle_gateway.admin.account_desk import AccountDesk
from wattle_gateway.admin.alarm_readers import AlarmReaders
from wattle_gateway.admin.channel import AdminServer
from wattle_gateway.admin.commands import AdminCommands
from wattle_gateway.admin.membership import Membership
from wattle_gateway.admin.meter_moves import MeterMoves
from wattle_gateway.admin.meter_resending import MeterResending
from wattle_gateway.admin.meter_updates import MeterUpdates
from wattle_gateway.app import live

if TYPE_CHECKING:
    from wattle_gateway.app.gateway import Gateway


def server(gateway: "Gateway") -> AdminServer:
    """The admin socket of a gateway whose other parts are made; not started yet."""
    membership = Membership(
        gateway.home,
        gateway.identity.kid,
        gateway.signatory,
        gateway.ledger,
        gateway.candidates,
    )
    handlers = AdminCommands(
        gateway.registrar,
        membership,
        gateway.ledger,
        gateway.identity,
        gateway.config.site,
        lambda: live.live_status(gateway),
    )
    updating = MeterUpdates(
        gateway.updates, gateway.desk, lambda: gateway.epoch, lambda: gateway.meters
    )
    accounts = AccountDesk(gateway.signatory, gateway.ledger)
    again = MeterResending(gateway.resending, gateway.presence.connections, lambda: gateway.meters)
    moves = MeterMoves(gateway.signatory, gateway.ledger, gateway.clock.now_ms)
    readers = AlarmReaders(gateway.home, gateway.identity.site_authority, gateway.admit_again)
    parts = (
        readers,
        gateway.seal_keeper,
        handlers,
        updating,
        accounts,
        again,
        moves,
        gateway.certificates,
    )
    names = {name: run for part in parts for name, run in part.by_name().items()}
    if gateway.archive is not None:
        names |= gateway.archive.by_name()
    return AdminServer(gateway.home.admin_socket, names)
