"""`ready`: a joining member's word that it follows the ledger and will serve (SPEC section 9)."""

from dataclasses import dataclass

from wattle_wire import cbor, cose, structure

from wattle_gateway.ledger import genesis
from wattle_gateway.ledger.crypto import Sign
from wattle_gateway.ledger.errors import FormatError, LimitError, wire_errors_named
from wattle_gateway.ledger.genesis import Member

DIGEST_BYTES = 32
# A member's row with the longest certificate and name is below 2,100 bytes.
READY_BYTES_MAX = 2560


@dataclass(frozen=True)
class Ready:
    """A parsed `ready` whose signature nobody has verified yet.

    `epoch` is the one that is to end; the commit named is the newest that the member had
    executed; `member` its row in the next epoch, whose block key must verify `signature` over
    `digest` (32 bytes).
    """

    epoch: int
    commit_index: int
    commit_digest: bytes
    member: Member
    digest: bytes
    signature: bytes
    raw: bytes

    @property
    def kid(self) -> bytes:
        """kid (8 bytes) of the block key it names and is signed by."""
        return self.member.kid


def build(
    ledger_id: bytes,
    sign: Sign,
    *,
    epoch: int,
    commit_index: int,
    commit_digest: bytes,
    member: Member,
) -> bytes:
    """A signed `ready` (COSE_Sign1 bytes); `sign` with the block key of `member`."""
    payload = cbor.encode([epoch, commit_index, commit_digest, genesis.member_row(member)])
    signature = sign(cose.digest("ready", ledger_id, member.kid, payload))
    return cose.sign1(member.kid, payload, signature)


def parse(raw: bytes, ledger_id: bytes) -> Ready:
    """Take a `ready` apart; LedgerError if it is none. The signature is NOT verified."""
    if len(raw) > READY_BYTES_MAX:
        raise LimitError(f"ready of {len(raw)} bytes, expected at most {READY_BYTES_MAX}")
    with wire_errors_named("ready"):
        signed = cose.parse_sign1("ready", ledger_id, raw)
        row = structure.array(cbor.decode(signed.payload), 4, "ready")
        ready = Ready(
            structure.uint(row[0], "epoch"),
            structure.uint(row[1], "commit index"),
            structure.octets(row[2], DIGEST_BYTES, "commit digest"),
            genesis.parse_member(row[3]),
            signed.digest,
            signed.signature,
            raw,
        )
    if signed.kid != ready.member.kid:
        raise FormatError("ready: it is signed by another key than the block key it names")
    return ready
