"""A technician's authority at one site: it names new meters to brokers, and nothing else.

The gateway's operator makes it from a request (`wattle-gateway technician issue`): 30 days, path
length 0, and a name constraint, so that it is good for meters of one site (SPEC section 2). What it
issues cannot outlive it: brokers verify the whole chain. Before that day the meter is given the
gateway's own certificate, which it gets when it is enrolled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wattle_tools import tool_home
from wattle_tools.errors import AuthorityError, ToolHomeError

METER_DOMAIN = "wattle.internal"  # SPEC section 2
# The gateway's rule, with the day by which its clock may differ.
LIFE_MAX = timedelta(days=32)
# Whoever goes home today with a meter that nobody lets in tomorrow has been there in vain.
LEFT_MIN = timedelta(days=1)
KEY_FILE, REQUEST_FILE = "authority.key", "request.pem"
_FILE_BYTES_MAX = 8_192
_NAME_CHARS_MAX = 32


@dataclass(frozen=True)
class Issued:
    """A meter's certificate and `chain`: it and the authority's, PEM, as a meter stores them."""

    certificate: x509.Certificate
    chain: bytes


class TechnicianAuthority:
    """`certificate` is that of `key`; `site` the one it is good for."""

    def __init__(
        self, site: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
    ) -> None:
        self.site = site
        self.certificate = certificate
        self._key = key

    @property
    def until(self) -> datetime:
        """When it and all that it has issued ends."""
        return self.certificate.not_valid_after_utc

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of its certificate."""
        return self.certificate.fingerprint(SHA256()).hex()

    def issue(self, meter: str, tls_public: bytes, now: datetime) -> Issued:
        """The TLS client certificate of a meter; `tls_public` is an uncompressed point of P-256.

        Raises AuthorityError if it has ended or is about to.
        """
        if now + LEFT_MIN > self.until:
            raise AuthorityError(
                f"the authority for {self.site} ends {self.until:%Y-%m-%d %H:%M} UTC",
                "have the gateway's operator make a new one from its request.pem",
            )
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), tls_public)
        name = x509.DNSName(f"{meter}.{self.site}.{METER_DOMAIN}")
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, meter)]))
            .issuer_name(self.certificate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.certificate.not_valid_before_utc)
            .not_valid_after(self.until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([name]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(issuer, critical=False)
            .sign(self._key, SHA256())
        )
        pem = certificate.public_bytes(Encoding.PEM)
        return Issued(certificate, pem + self.certificate.public_bytes(Encoding.PEM))


def request(folder: Path, technician: str) -> Path:
    """The request for an authority, made anew; the key is made once. Raises ToolHomeError,
    AuthorityError."""
    check_name(technician)
    path = folder / KEY_FILE
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        tool_home.write(path, made, private=True)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, technician)])
    asked = x509.CertificateSigningRequestBuilder().subject_name(subject)
    target = folder / REQUEST_FILE
    tool_home.write(target, asked.sign(_key(path), SHA256()).public_bytes(Encoding.PEM))
    return target


def check_name(technician: str) -> None:
    """Raises AuthorityError for a name that cannot stand in a certificate."""
    if not technician.isprintable() or not 1 <= len(technician) <= _NAME_CHARS_MAX:
        raise AuthorityError(
            f"{technician!r} cannot stand in a certificate",
            f"give a name of 1 to {_NAME_CHARS_MAX} characters with --who",
        )


def offered(
    folder: Path, site: str, trusted: Sequence[bytes], source: Path
) -> tuple[bytes, datetime]:
    """(PEM, end) of the authority in `source`, which could be taken for a site.

    trusted: certificates (DER) of the alliance's site authorities. Raises AuthorityError.
    """
    pem, key = _read(source), _key(folder / KEY_FILE)
    return pem, _checked(pem, site, key, trusted, source).not_valid_after_utc


def install(folder: Path, site: str, trusted: Sequence[bytes], source: Path) -> datetime:
    """Takes the authority in `source` for a site into its folder; gives when it ends.

    Raises AuthorityError as `offered` does, ToolHomeError.
    """
    pem, until = offered(folder, site, trusted, source)
    tool_home.write(folder / "authority.pem", pem)
    return until


def load(folder: Path, site: str, trusted: Sequence[bytes]) -> TechnicianAuthority | None:
    """The authority for a site, None if the technician has none there. Raises AuthorityError."""
    path = folder / "authority.pem"
    if not path.exists():
        return None
    key = _key(folder / KEY_FILE)
    return TechnicianAuthority(site, key, _checked(_read(path), site, key, trusted, path))


def _checked(
    pem: bytes,
    site: str,
    key: ec.EllipticCurvePrivateKey,
    trusted: Sequence[bytes],
    source: Path,
) -> x509.Certificate:
    again = "have the gateway's operator make one from this site's request.pem"
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        extensions = certificate.extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
        names = extensions.get_extension_for_class(x509.NameConstraints).value
        is_ours = certificate.public_key() == key.public_key()
    except (ValueError, x509.ExtensionNotFound, x509.InvalidVersion) as error:
        raise AuthorityError(f"{source}: not the authority of a technician", again) from error
    if not is_ours:
        raise AuthorityError(f"{source}: made for another key than this tool's at {site}", again)
    permitted = [str(name.value) for name in names.permitted_subtrees or []]
    if permitted != [f"{site}.{METER_DOMAIN}"]:
        raise AuthorityError(
            f"{source}: for meters of {', '.join(permitted) or 'nowhere'}, expected {site}",
            "take the authority of this site",
        )
    if not constraints.ca or constraints.path_length != 0:
        raise AuthorityError(f"{source}: no authority, or one that could make others", again)
    if certificate.not_valid_after_utc - certificate.not_valid_before_utc > LIFE_MAX:
        raise AuthorityError(f"{source}: good for more than {LIFE_MAX.days} days", again)
    if not any(_issued_by(authority, certificate) for authority in trusted):
        raise AuthorityError(f"{source}: from no site authority of this alliance", again)
    return certificate


def _issued_by(authority: bytes, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(x509.load_der_x509_certificate(authority))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(tool_home.read(path, _FILE_BYTES_MAX), None)
    except (ToolHomeError, ValueError, TypeError) as error:
        raise AuthorityError(
            f"{path}: no key: {error}", "add the site again with `wattle-tool site add`"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise AuthorityError(f"{path}: no P-256 key", "remove it, and add the site again")
    return key


def _read(path: Path) -> bytes:
    try:
        return tool_home.read(path, _FILE_BYTES_MAX)
    except ToolHomeError as error:
        raise AuthorityError(str(error), "name the file that the operator gave") from error
