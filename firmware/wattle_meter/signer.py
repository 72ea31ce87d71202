"""Signing, in slices: a signature in software takes a board about a tenth of a second, and
neither the sampling grid nor the link may wait for it.
"""

from wattle_wire import cose, p256

from wattle_meter.board import Clock
from wattle_meter.keys import Pair

TYPE_CHECKING = False  # there is no typing on MicroPython; a type checker reads this as true
if TYPE_CHECKING:
    from collections.abc import Generator


class Signer:
    """Whatever holds the signing key: memory here, a secure element elsewhere.

    `public`: 65 bytes, 04 || x || y; `kid`: 8 bytes, names the key.
    """

    public: bytes
    kid: bytes

    def steps(self, digest: bytes) -> "Generator[bytes | None, None, None]":
        """Signs a 32-byte digest in slices: None between them, last the signature (64 bytes)."""
        raise NotImplementedError


class SoftwareSigner(Signer):
    """Signs with a private key in memory."""

    def __init__(self, pair: Pair) -> None:
        self.public = pair.public
        self.kid = cose.kid_of(pair.public)
        self._private = pair.private

    def steps(self, digest: bytes) -> "Generator[bytes | None, None, None]":
        return p256.sign_steps(self._private, digest)


async def seal(
    signer: Signer, kind: str, ledger_id: bytes, payload: bytes, clock: Clock
) -> tuple[bytes, bytes]:
    """(COSE_Sign1 bytes, digest) of `payload` as `kind`; lets other tasks run meanwhile."""
    digest = cose.digest(kind, ledger_id, signer.kid, payload)
    signature = b""
    for step in signer.steps(digest):
        if step is not None:
            signature = step
        await clock.sleep_ms(0)
    return cose.sign1(signer.kid, payload, signature), digest
