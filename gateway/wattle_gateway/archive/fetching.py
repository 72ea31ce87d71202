"""Files of the archive, as they were stored or not at all."""

from hashlib import sha256

from wattle_gateway.archive.target import Target
from wattle_gateway.errors import ArchiveError
from wattle_gateway.store.archive_rows import StoredFile


class AlteredFileError(ArchiveError):
    """A file is there, and is not the one that was put there."""


def fetch(target: Target, file: StoredFile) -> bytes:
    """A file of the archive. Raises MissingFileError or AlteredFileError, which name it, or another
    ArchiveError if the archive does not answer."""
    content = target.get(file.name)
    digest = sha256(content).digest()
    if digest != file.sha256:
        raise AlteredFileError(
            f"{file.name}: altered in the archive: {len(content)} bytes of SHA-256 {digest.hex()}, "
            f"expected {file.size_bytes} of {file.sha256.hex()}"
        )
    return content
