"""A block as it travels and as it is stored: header and entries, bytes and nothing more."""

from dataclasses import dataclass

from wattle_gateway.ledger.block import VerifiedBlock


@dataclass(frozen=True)
class PackedBlock:
    """`header` COSE_Sign1 bytes, `entries` the payload beside it. Nothing is parsed here: who
    serves a block has verified it long ago, who receives one has yet to."""

    header: bytes
    entries: tuple[bytes, ...]


def pack(verified: VerifiedBlock) -> PackedBlock:
    """The bytes of a block."""
    return PackedBlock(verified.block.raw, verified.entries)
