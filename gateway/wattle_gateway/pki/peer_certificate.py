"""The TLS certificate of a peer link: its own issuer, trusted only because a peer card holds it.

No authority is involved: a card is signed by a member's block key and says "this is the
certificate that I show". The subject is the member's kid, so that no member's certificate can
stand in the way of another's when TLS looks for an issuer by name.
"""

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from wattle_gateway.errors import PeerError
from wattle_gateway.pki.authority import NOT_AFTER, NOT_BEFORE
from wattle_gateway.pki.keys import PrivateKey


def issue(key: PrivateKey, kid: bytes) -> x509.Certificate:
    """A certificate for the `peer` key of the member `kid`, for both sides of a link."""
    subject = _subject(kid)
    public = key.public_key()
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        # Two certificates of one member (old and new) have one name; these tell them apart.
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .sign(key, SHA256())
    )


def check(der: bytes, kid: bytes) -> x509.Certificate:
    """The certificate in a card of `kid`; PeerError unless it has the form that `issue` makes."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        public = certificate.public_key()
        authority = _is_authority(certificate)
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature, x509.InvalidVersion) as error:
        raise PeerError(f"card of {kid.hex()}: not a self-signed certificate: {error}") from error
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
        raise PeerError(f"card of {kid.hex()}: its certificate is for no P-256 key")
    if certificate.subject != _subject(kid):
        found = certificate.subject.rfc4514_string()
        raise PeerError(f"card of {kid.hex()}: certificate of {found!r}, expected its own kid")
    if authority:
        raise PeerError(f"card of {kid.hex()}: its certificate could issue others")
    return certificate


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _subject(kid: bytes) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, kid.hex())])
