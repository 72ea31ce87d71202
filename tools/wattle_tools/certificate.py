"""Installing the certificate by which a broker knows a board."""

from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from wattle_tools import board_folder, proof
from wattle_tools.errors import CertificateError
from wattle_tools.proof import Proof

CERTIFICATE_FILE = "tls.crt.der"
# What the firmware reads of it.
CERTIFICATE_BYTES_MAX = 4_096
_FILE_BYTES_MAX = 16_384


def install(folder: Path, source: Path) -> str:
    """Put the certificate in `source` (PEM or DER) into a board's folder; gives the meter id.

    Raises as `put` does.
    """
    return put(folder, read(source), str(source))


def put(folder: Path, data: bytes, source: str) -> str:
    """Put the certificate in `data`, which came from `source`, into a board's folder; gives the
    meter id.

    Raises CertificateError as `checked` does, BoardError if the folder has no valid proof of
    identity.
    """
    meter, content = offered(folder, data, source)
    target = folder / CERTIFICATE_FILE
    draft = target.with_name(target.name + ".new")
    try:
        draft.write_bytes(content)
        draft.replace(target)
    except OSError as error:
        raise CertificateError(f"{target}: cannot be written: {error.strerror}") from error
    return meter


def offered(folder: Path, data: bytes, source: str) -> tuple[str, bytes]:
    """(meter id, what is stored) of the certificate in `data` that could be put into a board's
    folder. Raises as `put` does.
    """
    board = proof.verified(folder, board_folder.ledger_of(folder))
    trusted = [read(path) for path in board_folder.authorities(folder)]
    return board.meter, checked(data, board, trusted, source)


def checked(data: bytes, board: Proof, trusted: Sequence[bytes], source: str) -> bytes:
    """What a board stores of the certificate in `data` (PEM or DER, with that of a technician's
    authority behind it if he issued it): DER, or PEM of both.

    trusted: the site authorities (DER) that the board trusts. Raises CertificateError unless it is
    for the board's own TLS key and name and comes from one of them.
    """
    certificate = _parsed(data, source)[0]
    public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if not public.endswith(board.tls_public):
        raise CertificateError(f"{source}: the certificate is not for this board's TLS key")
    return for_meter(data, board.meter, trusted, source)


def for_meter(data: bytes, meter: str, trusted: Sequence[bytes], source: str) -> bytes:
    """As `checked`, without knowing the board's TLS key."""
    certificate, *others = _parsed(data, source)
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if [name.value for name in names] != [meter]:
        raise CertificateError(f"{source}: the certificate names another meter than {meter}")
    roots = [x509.load_der_x509_certificate(authority) for authority in trusted]
    issued = certificate
    for issuer in others:
        if not _issued(issuer, issued):
            raise CertificateError(f"{source}: its certificates do not follow from each other")
        issued = issuer
    if not any(_issued(root, issued) for root in roots):
        raise CertificateError(f"{source}: not issued by a site authority that the board trusts")
    content = certificate.public_bytes(Encoding.DER)
    if others:
        content = b"".join(one.public_bytes(Encoding.PEM) for one in (certificate, *others))
    if len(content) > CERTIFICATE_BYTES_MAX:
        raise CertificateError(f"{source}: {len(content)} bytes, at most {CERTIFICATE_BYTES_MAX}")
    return content


def read(source: Path) -> bytes:
    """A file with a certificate. Raises CertificateError."""
    try:
        with source.open("rb") as file:
            return file.read(_FILE_BYTES_MAX)
    except OSError as error:
        raise CertificateError(f"{source}: cannot be read: {error.strerror}") from error


def _parsed(data: bytes, source: str) -> list[x509.Certificate]:
    try:
        if data.startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificates(data)
        return [x509.load_der_x509_certificate(data)]
    except ValueError as error:
        raise CertificateError(f"{source}: not a certificate (PEM or DER)") from error


def _issued(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
