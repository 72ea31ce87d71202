"""What ingest has found out about samples, so that execution need not find it out again."""

from dataclasses import dataclass

from wattle_gateway.ledger import crypto, signed_sample
from wattle_gateway.ledger.crypto import Verify
from wattle_gateway.ledger.signed_sample import SignedSample

# A parsed sample takes some kB. Beyond this many that wait for their commit, execution simply
# parses and verifies again.
REMEMBERED_MAX = 10_000


@dataclass(frozen=True)
class _Known:
    public_65: bytes
    signed: SignedSample


class IngestMemory:
    """Parsed samples with verified signatures, from ingest to commit. An audit never uses it."""

    def __init__(self, verify: Verify = crypto.verify) -> None:
        self._verify = verify
        self._by_raw: dict[bytes, _Known] = {}
        self._by_digest: dict[bytes, _Known] = {}

    def remember(self, public_65: bytes, signed: SignedSample) -> None:
        """This sample was parsed from its bytes, and its signature verified under this key."""
        if len(self._by_raw) < REMEMBERED_MAX:
            known = _Known(public_65, signed)
            self._by_raw[signed.raw] = known
            self._by_digest[signed.digest] = known

    def verify(self, public_65: bytes, digest_32: bytes, signature_64: bytes) -> None:
        """As `crypto.verify`, from memory where the very same signature was verified before."""
        known = self._by_digest.get(digest_32)
        if known is None or (known.public_65, known.signed.signature) != (public_65, signature_64):
            self._verify(public_65, digest_32, signature_64)

    def parse(self, raw: bytes, ledger_id: bytes) -> SignedSample:
        """As `signed_sample.parse`, from memory where the very same bytes were parsed before."""
        known = self._by_raw.get(raw)
        return signed_sample.parse(raw, ledger_id) if known is None else known.signed

    def drop(self) -> None:
        """Give back the memory: execution finds out anew, for its time."""
        self._by_raw.clear()
        self._by_digest.clear()

    def forget(self, digest_32: bytes) -> None:
        """It is committed: nobody will ask again."""
        known = self._by_digest.pop(digest_32, None)
        if known is not None:
            del self._by_raw[known.signed.raw]
