"""Requests for certificates (PKCS #10), made by who keeps the key to himself."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from wattle_gateway.errors import UsageError

REQUEST_BYTES_MAX = 8_192
NAME_CHARS_MAX = 32


def parse(pem: bytes, source: str) -> tuple[ec.EllipticCurvePublicKey, str]:
    """Key (P-256) and common name (printable, 1 to NAME_CHARS_MAX characters) in a request; it is
    signed by that key. UsageError, which names `source`, for anything else."""
    if len(pem) > REQUEST_BYTES_MAX:
        raise UsageError(f"{source}: expected at most {REQUEST_BYTES_MAX} bytes")
    try:
        request = x509.load_pem_x509_csr(pem)
        is_sound = request.is_signature_valid
        public = request.public_key()
    except (ValueError, x509.InvalidVersion) as error:
        raise UsageError(f"{source}: not a request (PKCS #10, PEM)") from error
    if not is_sound:
        raise UsageError(f"{source}: its signature does not verify: it is damaged")
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name != "secp256r1":
        raise UsageError(f"{source}: expected a P-256 key")
    names = request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(names[0].value) if len(names) == 1 else ""
    if not name.isprintable() or not 1 <= len(name) <= NAME_CHARS_MAX:
        raise UsageError(f"{source}: expected one name of 1 to {NAME_CHARS_MAX} characters")
    return public, name
