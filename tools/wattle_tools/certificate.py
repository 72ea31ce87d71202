"""Installing the certificate by which a broker knows a board."""

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from wattle_tools import board_folder, proof
from wattle_tools.errors import CertificateError

CERTIFICATE_FILE = "tls.crt.der"
# What the firmware reads of it.
_CERTIFICATE_BYTES_MAX = 4_096


def install(folder: Path, source: Path) -> str:
    """Put the certificate in `source` (PEM or DER) into a board's folder; gives the meter id.

    Raises CertificateError unless it is for the board's own TLS key and name and comes from an
    authority that the board trusts, BoardError if the folder has no valid proof of identity.
    """
    board = proof.verified(folder, board_folder.ledger_of(folder))
    certificate = _load(source)
    public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if not public.endswith(board.tls_public):
        raise CertificateError(f"{source}: the certificate is not for this board's TLS key")
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if [name.value for name in names] != [board.meter]:
        raise CertificateError(f"{source}: the certificate names another meter than {board.meter}")
    if not any(_issued(path, certificate) for path in board_folder.authorities(folder)):
        raise CertificateError(f"{source}: not issued by a site authority that the board trusts")
    der = certificate.public_bytes(Encoding.DER)
    if len(der) > _CERTIFICATE_BYTES_MAX:
        raise CertificateError(f"{source}: {len(der)} bytes, at most {_CERTIFICATE_BYTES_MAX}")
    target = folder / CERTIFICATE_FILE
    draft = target.with_name(target.name + ".new")
    try:
        draft.write_bytes(der)
        draft.replace(target)
    except OSError as error:
        raise CertificateError(f"{target}: cannot be written: {error.strerror}") from error
    return board.meter


def _load(source: Path) -> x509.Certificate:
    try:
        data = source.read_bytes()
    except OSError as error:
        raise CertificateError(f"{source}: cannot be read: {error.strerror}") from error
    try:
        if data.startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificate(data)
        return x509.load_der_x509_certificate(data)
    except ValueError as error:
        raise CertificateError(f"{source}: not a certificate (PEM or DER)") from error


def _issued(authority: Path, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(
            x509.load_der_x509_certificate(authority.read_bytes())
        )
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    return True
