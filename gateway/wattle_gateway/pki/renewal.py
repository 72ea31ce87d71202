"""When a gateway's own certificates are renewed, and what the new ones say.

A certificate is renewed for the key that it has: one file is replaced, whole or not at all, and no
moment has a key without its certificate. Meters and brokers trust the site authority, so nobody has
to be told. It begins at 2000-01-01, too (DESIGN section 3), so that no clock makes it invalid that
is behind.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from wattle_gateway.errors import HomeError
from wattle_gateway.pki import authority
from wattle_gateway.pki.authority import SiteAuthority
from wattle_gateway.pki.keys import PublicKey

# What the gateway shows to its broker and the broker to meters: short enough that renewal is
# something that happens, long enough that a gateway may stand in a store for a year.
OWN_LIFE = timedelta(days=730)
# A third of that is left for whatever is in the way of writing a file.
RENEWED_BEFORE = timedelta(days=240)


def end_of_life(now: datetime) -> datetime:
    """When a certificate issued at `now` ends: not after its authority."""
    return min(now.replace(microsecond=0) + OWN_LIFE, authority.NOT_AFTER)


def is_due(certificate: x509.Certificate, now: datetime) -> bool:
    """Whether it is to be renewed now; never if the new one would not end later."""
    end = certificate.not_valid_after_utc
    return now > end - RENEWED_BEFORE and end_of_life(now) > end


def is_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether this authority has issued it; one that an operator brought along it cannot renew."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def server(
    old: x509.Certificate, issuer: SiteAuthority, hosts: Iterable[str], until: datetime
) -> x509.Certificate:
    """A broker's certificate in the place of `old`: for the names of that one and these `hosts`,
    these first. UsageError for a host that is no name, HomeError for a key that is not P-256."""
    names = [*dict.fromkeys([*hosts, *names_of(old)])]
    return issuer.issue_server(_key(old), names, until)


def client(old: x509.Certificate, issuer: SiteAuthority, until: datetime) -> x509.Certificate:
    """The gateway's own certificate in the place of `old`, under the same secret name.

    HomeError as `server`."""
    return issuer.issue_client(_key(old), authority.common_name(old), until)


def names_of(certificate: x509.Certificate) -> list[str]:
    """The names and addresses that a broker's certificate is for."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = [str(address) for address in found.get_values_for_type(x509.IPAddress)]
    return [*found.get_values_for_type(x509.DNSName), *addresses]


def _key(certificate: x509.Certificate) -> PublicKey:
    public = certificate.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
        raise HomeError("a certificate for a key that is not P-256 is not renewed here")
    return public
