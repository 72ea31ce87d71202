"""TLS 1.3 between gateways: each side trusts the very certificates that stand in peer cards.

OpenSSL checks that the other holds the key of one of them; `shown` then gives the exact
certificate, and the caller finds out whose card it is from. Nothing is trusted by issuer or name,
and nothing by dates: a certificate holds until a newer card of its gateway names another one. So
neither a wrong clock nor a date that somebody forgot parts an alliance.
"""

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from wattle_gateway.errors import HomeError
from wattle_gateway.pki import keys

# X509_V_FLAG_NO_CHECK_TIME (OpenSSL, X509_VERIFY_PARAM_set_flags(3)), which Python does not name.
_NO_CHECK_TIME = 0x200000


@dataclass(frozen=True)
class PeerFiles:
    """PEM files of the own certificate and its key."""

    certificate: Path
    key: Path


def server_context(own: PeerFiles, trusted: Iterable[bytes]) -> ssl.SSLContext:
    """For incoming links: a caller shows one of the `trusted` certificates (DER) or none.

    One that shows none is a guest; one that shows another is refused in the handshake.
    HomeError if the own files cannot be loaded.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, trusted)
    _show(context, own)
    context.verify_mode = ssl.CERT_OPTIONAL
    # Nobody resumes a session: the tickets would be half a kilobyte a link for nothing.
    context.num_tickets = 0
    return context


def client_context(own: PeerFiles | None, trusted: bytes) -> ssl.SSLContext:
    """For a link to the one that shows exactly `trusted` (DER); without `own` as a guest.

    HomeError if the own files cannot be loaded.
    """
    context = _context(ssl.PROTOCOL_TLS_CLIENT, [trusted])
    context.check_hostname = False  # the certificate itself is known; what it is called is not
    context.verify_mode = ssl.CERT_REQUIRED
    if own is not None:
        _show(context, own)
    return context


def shown(connection: object) -> bytes | None:
    """The certificate (DER) that the other side of a TLS transport's `ssl_object` showed."""
    assert isinstance(connection, ssl.SSLObject)
    return connection.getpeercert(binary_form=True)


def _context(protocol: int, trusted: Iterable[bytes]) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_flags |= _NO_CHECK_TIME
    together = b"".join(trusted)
    if together:
        context.load_verify_locations(cadata=together)
    return context


def _show(context: ssl.SSLContext, own: PeerFiles) -> None:
    try:
        context.load_cert_chain(own.certificate, own.key, keys.password_of(own.key))
    except (OSError, ssl.SSLError) as error:
        raise HomeError(f"{own.certificate}: the peer certificate cannot be used: {error}") from (
            error
        )
