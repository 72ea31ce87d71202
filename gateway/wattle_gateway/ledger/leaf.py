"""Leaves of the log: one per entry that took effect, one per commit (SPEC section 11)."""

from dataclasses import dataclass
from hashlib import sha256

from wattle_wire import cbor, structure

from wattle_gateway.ledger import entry
from wattle_gateway.ledger.block import DIGEST_BYTES, ROUND_MAX, BlockRef, ref_of
from wattle_gateway.ledger.errors import FormatError, wire_errors_named

COMMIT = 0


@dataclass(frozen=True)
class EntryLeaf:
    """An entry with its verdict; `author` and `round` of the block that carried it."""

    kind: int
    verdict: int
    author: int
    round: int
    entry: bytes

    def encode(self) -> bytes:
        """The leaf's bytes."""
        return cbor.encode([self.kind, self.verdict, self.author, self.round, self.entry])


@dataclass(frozen=True)
class CommitLeaf:
    """The leaf that ends a commit; the hash of its bytes is the commit digest."""

    epoch: int
    index: int
    time_ms: int
    leader: BlockRef
    previous_digest: bytes
    state_digest: bytes

    def encode(self) -> bytes:
        """The leaf's bytes."""
        return cbor.encode(
            [
                COMMIT,
                self.epoch,
                self.index,
                self.time_ms,
                [self.leader.round, self.leader.author, self.leader.digest],
                self.previous_digest,
                self.state_digest,
            ]
        )


def commit_digest(leaf: bytes) -> bytes:
    """The digest (32 bytes) of a commit: SHA-256 of its leaf's bytes."""
    return sha256(leaf).digest()


def decode(raw: bytes) -> EntryLeaf | CommitLeaf:
    """The leaf in `raw`; FormatError if it is none."""
    with wire_errors_named("leaf"):
        value = cbor.decode(raw)
        if isinstance(value, list) and len(value) == 5:
            return _entry_leaf(value)
        row = structure.array(value, 7, "leaf")
        if structure.uint(row[0], "leaf kind") != COMMIT:
            raise FormatError(f"leaf of 7 items with kind {row[0]}, expected {COMMIT}")
        return CommitLeaf(
            structure.uint(row[1], "epoch"),
            structure.uint(row[2], "commit index"),
            structure.uint(row[3], "commit time"),
            ref_of(row[4]),
            structure.octets(row[5], DIGEST_BYTES, "previous commit digest"),
            structure.octets(row[6], DIGEST_BYTES, "state digest"),
        )


def _entry_leaf(row: list[object]) -> EntryLeaf:
    kind = structure.uint(row[0], "leaf kind")
    if kind not in entry.KINDS:
        raise FormatError(f"leaf of 5 items with kind {kind}, expected one of {entry.KINDS}")
    if not isinstance(row[4], bytes):
        raise FormatError("the entry of a leaf is not a byte string")
    return EntryLeaf(
        kind,
        structure.uint(row[1], "verdict"),
        structure.uint(row[2], "author"),
        structure.uint(row[3], "round", ROUND_MAX),
        row[4],
    )
