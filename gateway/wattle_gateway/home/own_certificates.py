"""The certificates in a gateway's folder: how long they last, and new ones in their place."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from wattle_gateway.config import GatewayConfig
from wattle_gateway.errors import HomeError
from wattle_gateway.home import durable_file
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.pki import authority, renewal
from wattle_gateway.pki.authority import SiteAuthority

AUTHORITY = "authority"
BROKER = "broker"
GATEWAY = "gateway"
PEER = "peer"
ALL = (AUTHORITY, BROKER, GATEWAY, PEER)
# To listen on one of these is to be reached by others.
ANY_ADDRESS = ("0.0.0.0", "::")
# The site authority stands in the ledger; a peer card pins the very certificate of its gateway.
RENEWED = (BROKER, GATEWAY)


@dataclass(frozen=True)
class OwnCertificate:
    """One of ALL and what it says; `ours`: the site authority has issued it (or is it)."""

    name: str
    certificate: x509.Certificate
    ours: bool

    @property
    def until(self) -> datetime:
        """Its last instant, UTC."""
        return self.certificate.not_valid_after_utc

    def days_left(self, now: datetime) -> int:
        """Whole days until then, below 0 once it has ended."""
        return (self.until - now).days


def read(home: GatewayHome) -> Iterator[OwnCertificate]:
    """Those of ALL that are there and whole; `doctor` names the others."""
    try:
        issuer: x509.Certificate | None = authority.load_certificate(home.certificate(AUTHORITY))
    except HomeError:
        issuer = None
    for name in ALL:
        try:
            found = authority.load_certificate(home.certificate(name))
        except HomeError:
            continue
        ours = name not in RENEWED or (issuer is not None and renewal.is_by(found, issuer))
        yield OwnCertificate(name, found, ours)


def ends(found: Iterable[OwnCertificate]) -> dict[str, int]:
    """When each ends, Unix s, by its name; but a peer's, whose dates nobody reads."""
    return {one.name: int(one.until.timestamp()) for one in found if one.name != PEER}


def hosts_of(loaded: GatewayConfig) -> list[str]:
    """The names and addresses by which the broker is reached, as the configuration has them."""
    broker = loaded.broker
    listen = [] if broker.listen in ANY_ADDRESS else [broker.listen]
    return [*dict.fromkeys([broker.host, *listen])]


def renew(
    home: GatewayHome, issuer: SiteAuthority, name: str, hosts: Iterable[str], now: datetime
) -> x509.Certificate:
    """A new certificate for the key of one of RENEWED; a broker's is for `hosts`, too.

    Raises HomeError for one that is missing, damaged, of another issuer or cannot be written,
    UsageError for a host that is no name.
    """
    path = home.certificate(name)
    old = authority.load_certificate(path)
    if not renewal.is_by(old, issuer.certificate):
        raise HomeError(
            f"{path}: not issued by this site's authority; renew it where it came from, "
            "and put it in the place of this file"
        )
    until = renewal.end_of_life(now)
    if name == BROKER:
        new = renewal.server(old, issuer, hosts, until)
    else:
        new = renewal.client(old, issuer, until)
    try:
        durable_file.write(path, authority.pem(new))
    except OSError as error:
        raise HomeError(f"{path}: cannot be written: {error.strerror}") from error
    return new


def of_outside_broker(home: GatewayHome, issuer: SiteAuthority, loaded: GatewayConfig) -> bytes:
    """The broker's certificate (PEM) for files that nobody renews: it ends with the authority.

    One of another issuer is given as it is. Raises HomeError as `renew`.
    """
    old = authority.load_certificate(home.certificate(BROKER))
    if not renewal.is_by(old, issuer.certificate):
        return authority.pem(old)
    return authority.pem(renewal.server(old, issuer, hosts_of(loaded), authority.NOT_AFTER))
