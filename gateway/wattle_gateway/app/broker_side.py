"""The broker as the running gateway keeps it: whom it lets in, and what meters are told of us."""

from wattle_gateway.broker import nats, nats_config, program
from wattle_gateway.broker.hidden_files import HiddenFiles
from wattle_gateway.broker.nats import NatsBroker
from wattle_gateway.broker.permissions import BrokerAccess, MeterAccess
from wattle_gateway.config import BrokerConfig
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.home import alarm_readers
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.pki import authority, keys


def embedded(home: GatewayHome, broker: BrokerConfig, access: BrokerAccess) -> NatsBroker:
    """The embedded broker of a gateway; BrokerError if there is no program for it, HomeError if
    the gateway's own certificate is missing."""
    hidden = None
    if keys.is_encrypted(home.key("broker")):
        hidden = HiddenFiles(keys.load_plain_pem(home.key("broker")))
    files = nats_config.NatsFiles(
        certificate=home.certificate("broker"),
        key=home.key("broker") if hidden is None else hidden.key.path,
        authority=nats.authorities_file(home.broker),
        store=home.broker / "store",
    )
    own_name = authority.common_name(authority.load_certificate(home.certificate("gateway")))
    return NatsBroker(
        program.find(broker.nats_server),
        home.broker,
        lambda meters: nats_config.render(
            broker.listen,
            broker.port,
            files,
            own_name,
            meters,
            "" if hidden is None else hidden.store_key,
            alarm_readers.names(home),
        ),
        access,
        hidden,
    )


def access(
    home: GatewayHome, meters: dict[bytes, Meter], epoch: Epoch, own: authority.SiteAuthority
) -> BrokerAccess:
    """Every enrolled meter that is not revoked, whoever's it is: each gateway serves them all; and
    who may read alarms."""
    admitted = frozenset(
        MeterAccess(kid.hex(), meter.site) for kid, meter in meters.items() if meter.revoked is None
    )
    return BrokerAccess(admitted, trusted(epoch, own), alarm_readers.names(home))


def trusted(epoch: Epoch, own: authority.SiteAuthority) -> tuple[bytes, ...]:
    """The site authorities (PEM) of the voting members of an epoch, ours first.

    What a member put into its row and is no authority's certificate is left out: brokers would
    not start with it.
    """
    found = [authority.pem(own.certificate)]
    for member in epoch.members:
        pem = authority.pem_of_authority(member.site_authority)
        if pem is not None and pem not in found:
            found.append(pem)
    return tuple(found)


def reachable(listen: str) -> str:
    """An address by which a broker that listens on `listen` is reached from here."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen, listen)
