"""Signatures that ingest has verified already, so that execution need not verify them again."""

from wattle_gateway.ledger import crypto

# As many as the pool may hold; beyond it execution simply verifies again.
CHECKED_MAX = 100_000


class CheckedSignatures:
    """Remembers (key, signature) by digest from ingest to commit. An audit never uses it."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[bytes, bytes]] = {}

    def remember(self, public_65: bytes, digest_32: bytes, signature_64: bytes) -> None:
        """This signature of this digest was verified under this key."""
        if len(self._known) < CHECKED_MAX:
            self._known[digest_32] = (public_65, signature_64)

    def verify(self, public_65: bytes, digest_32: bytes, signature_64: bytes) -> None:
        """As `crypto.verify`, from memory where the very same signature was verified before."""
        if self._known.get(digest_32) != (public_65, signature_64):
            crypto.verify(public_65, digest_32, signature_64)

    def forget(self, digest_32: bytes) -> None:
        """It is committed: nobody will ask again."""
        self._known.pop(digest_32, None)
