"""The site authority: a small X.509 CA that names brokers, the gateway and meters to each other.

A certificate opens the door to the broker and nothing else; truth comes from signatures in the
samples. So the authority needs no online service: it issues at enrolment and lists revocations.
"""

import ipaddress
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wattle_gateway.errors import HomeError, UsageError
from wattle_gateway.pki.keys import PrivateKey, PublicKey

# A board without time starts at 2000-01-01 and must be able to connect (DESIGN section 3).
NOT_BEFORE = datetime(2000, 1, 1, tzinfo=UTC)
# The last instant that every X.509 reader takes as UTCTime (RFC 5280 section 4.1.2.5).
NOT_AFTER = datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)
# Brokers read the list when they start and when it changes: the date only has to lie ahead.
CRL_DAYS = 3650
# Of a technician's authority, and of what it issues: a laptop is lost sooner than a gateway.
TECHNICIAN_DAYS = 30
_CLOCKS_DIFFER = timedelta(days=1)
# A meter in a technician's certificate is <meter id>.<site>.METER_DOMAIN (SPEC section 2).
METER_DOMAIN = "wattle.internal"
# X.520 ub-common-name
_COMMON_NAME_CHARS_MAX = 64

_GATEWAY_NAME_PREFIX = "gateway-"
_GATEWAY_NAME_BYTES = 16


def new_gateway_name() -> str:
    """A name for a gateway's own MQTT certificate that nobody can guess.

    Brokers tell clients by the common name alone, and every authority that a broker trusts can
    write any name. So this one is kept like a password: in the folder of the gateway and the
    files of its broker, and on the wire only inside TLS to that broker.
    """
    return _GATEWAY_NAME_PREFIX + secrets.token_hex(_GATEWAY_NAME_BYTES)


def common_name(certificate: x509.Certificate) -> str:
    """The common name of a certificate that an authority of ours issued."""
    (attribute,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(attribute.value)


class SiteAuthority:
    """The CA of a site: `key` signs, `certificate` is what everybody trusts."""

    def __init__(self, key: PrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self.certificate = certificate

    @classmethod
    def create(cls, key: PrivateKey, name: str) -> "SiteAuthority":
        """A new authority; `name` (at most 49 characters) goes into its subject."""
        subject = _name(f"{name} site authority")
        public = key.public_key()
        certificate = (
            _builder(subject, subject, public)
            # One below: a technician's authority of short life stands between it and the meters.
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(key, SHA256())
        )
        return cls(key, certificate)

    def issue_server(
        self, public: PublicKey, hosts: Sequence[str], until: datetime | None = None
    ) -> x509.Certificate:
        """A broker's certificate for `hosts`, each a DNS name or an IP address; it ends with the
        authority if `until` does not say otherwise."""
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        name = hosts[0][:_COMMON_NAME_CHARS_MAX]
        return (
            self._leaf(public, name, ExtendedKeyUsageOID.SERVER_AUTH, until)
            .add_extension(names, critical=False)
            .sign(self._key, SHA256())
        )

    def issue_client(
        self, public: PublicKey, common_name: str, until: datetime | None = None
    ) -> x509.Certificate:
        """A client certificate; brokers know its owner by `common_name` alone. `until` as in
        `issue_server`."""
        return self._leaf(public, common_name, ExtendedKeyUsageOID.CLIENT_AUTH, until).sign(
            self._key, SHA256()
        )

    def issue_technician(
        self, public: PublicKey, site: str, name: str, now: datetime
    ) -> x509.Certificate:
        """The authority of the technician `name`: it may name meters of `site` to brokers, for
        TECHNICIAN_DAYS from `now` on, and can make no authority below itself.

        Its name constraint is not critical, against RFC 5280 section 4.2.1.10: meters carry this
        certificate with their own, and their TLS (mbedTLS) takes none with a critical extension
        that it does not know. Brokers' (Go, OpenSSL) judge by it all the same.
        """
        suffix = x509.DNSName(f"{site}.{METER_DOMAIN}")
        subject = _name(f"{site} technician {name}"[:_COMMON_NAME_CHARS_MAX])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            _undated(subject, self.certificate.subject, public)
            .not_valid_before(now - _CLOCKS_DIFFER)
            .not_valid_after(now + timedelta(days=TECHNICIAN_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.NameConstraints([suffix], None), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(issuer, critical=False)
            .sign(self._key, SHA256())
        )

    def revocation_list(
        self, revoked: Iterable[x509.Certificate], now: datetime
    ) -> x509.CertificateRevocationList:
        """A CRL of the given certificates, for brokers that know meters by certificate only."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(min(now, NOT_AFTER - timedelta(days=CRL_DAYS)))
            .next_update(min(now + timedelta(days=CRL_DAYS), NOT_AFTER))
        )
        for certificate in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(certificate.serial_number)
                .revocation_date(now)
                .build()
            )
        return builder.sign(self._key, SHA256())

    def _leaf(
        self,
        public: PublicKey,
        common_name: str,
        purpose: x509.ObjectIdentifier,
        until: datetime | None,
    ) -> x509.CertificateBuilder:
        issuer = self.certificate.subject
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            _undated(_name(common_name), issuer, public)
            .not_valid_before(NOT_BEFORE)
            .not_valid_after(until or NOT_AFTER)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(authority, critical=False)
        )


def pem(certificate: x509.Certificate | x509.CertificateRevocationList) -> bytes:
    """The PEM form of a certificate or CRL."""
    return certificate.public_bytes(Encoding.PEM)


def der(certificate: x509.Certificate) -> bytes:
    """The DER form of a certificate."""
    return certificate.public_bytes(Encoding.DER)


def pem_of_authority(der: bytes) -> bytes | None:
    """The PEM form of an authority's certificate, None if the bytes are no such thing."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except (ValueError, x509.ExtensionNotFound, x509.InvalidVersion):
        return None
    return pem(certificate) if constraints.value.ca else None


def load_certificate(path: Path) -> x509.Certificate:
    """The certificate in a PEM file; HomeError names the file and what is wrong."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise HomeError(f"{path}: cannot read the certificate: {error.strerror}") from error
    except ValueError as error:
        raise HomeError(f"{path}: not a certificate in PEM form") from error


def _builder(subject: x509.Name, issuer: x509.Name, public: PublicKey) -> x509.CertificateBuilder:
    return _undated(subject, issuer, public).not_valid_before(NOT_BEFORE).not_valid_after(NOT_AFTER)


def _undated(subject: x509.Name, issuer: x509.Name, public: PublicKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return x509.DNSName(host)
    except ValueError as error:
        raise UsageError(f"host {host!r}: expected a DNS name or an IP address") from error
