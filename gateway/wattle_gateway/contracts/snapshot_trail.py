"""What stands in a snapshot beside the state for who begins a ledger from it (SPEC section 18).

The way from the genesis to the members that signed (`epochs`), the newest commits (`leaves`) and
the blocks that consensus still reads (`blocks`). All of it is bytes here: `wattle_gateway.snapshot`
proves it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from wattle_wire import cbor, structure

from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.ledger import merkle
from wattle_gateway.ledger.block import HEADER_BYTES_MAX
from wattle_gateway.ledger.errors import FormatError
from wattle_gateway.ledger.genesis import MEMBERS_MAX

_LENGTH_BYTES = 4
_HASH_BYTES = 32
# What the CBOR decoder takes at most; nothing in a snapshot is longer than an entry.
PART_BYTES_MAX = 65_536
# A change of members each day for eleven years.
EPOCHS_MAX = 4096
# Kept in memory, some 150 bytes each: a `ready` may be as many commits old (`ready_commits_max` of
# a new ledger is 1,000).
LEAVES_MAX = 1 << 17
LEAF_BYTES_MAX = 1024
# 32 members over a thousand rounds, of which a new ledger needs some 120. A header of 32 members
# has less than 2 KiB.
BLOCKS_MAX = 1 << 15


@dataclass(frozen=True)
class EpochLink:
    """How one epoch gave way to the next: `leaf` of the commit that ended it, number `at` of the
    log, in the tree of the snapshot by `proof`; `approvals` transactions `approve`, and `change`
    the transaction that they approve (b"": what the ledger proposed by itself, or no change of
    members at all)."""

    leaf: bytes
    at: int
    proof: tuple[bytes, ...]
    approvals: tuple[bytes, ...]
    change: bytes

    def parts(self) -> Iterator[bytes]:
        """Its two parts of a file."""
        yield cbor.encode([self.leaf, self.at, list(self.proof), list(self.approvals)])
        yield self.change


@dataclass(frozen=True)
class Trail:
    """`peaks` of the log's right edge after the snapshot's commit; `consistency` from there to the
    checkpoint; `epochs` the links from epoch 0 on; `leaves` those of the commits before the
    snapshot's, rising; `blocks` headers (COSE_Sign1) by rising (round, author, digest)."""

    peaks: tuple[bytes, ...]
    consistency: tuple[bytes, ...]
    epochs: tuple[EpochLink, ...]
    leaves: tuple[bytes, ...]
    blocks: tuple[bytes, ...]

    def parts(self) -> Iterator[bytes]:
        """Its parts of a file, behind the header."""
        for link in self.epochs:
            yield from link.parts()
        yield from self.leaves
        yield from self.blocks


def trail_head(trail: Trail) -> list[object]:
    """What the header of a snapshot says of its trail."""
    counts = [len(trail.epochs), len(trail.leaves), len(trail.blocks)]
    return [list(trail.peaks), list(trail.consistency), counts]


def trail_in(said: list[object], parts: Iterator[bytes]) -> Trail:
    """The trail of which a header says `said`, from the parts behind it. WireError, FormatError or
    SnapshotError if it is none."""
    counts = structure.array(said[2], 3, "counts")
    epochs, leaves, blocks = (
        structure.uint(count, what, most)
        for count, what, most in zip(
            counts,
            ("epochs", "leaves", "blocks"),
            (EPOCHS_MAX, LEAVES_MAX, BLOCKS_MAX),
            strict=True,
        )
    )
    return Trail(
        _hashes(said[0], "peaks"),
        _hashes(said[1], "consistency proof"),
        tuple(_link(_next(parts), _next(parts)) for _ in range(epochs)),
        tuple(_next(parts, LEAF_BYTES_MAX) for _ in range(leaves)),
        tuple(_next(parts, HEADER_BYTES_MAX) for _ in range(blocks)),
    )


def part(raw: bytes) -> bytes:
    """A part of a file: its length (4 bytes, big endian) and its bytes."""
    return len(raw).to_bytes(_LENGTH_BYTES, "big") + raw


def parts_in(file: BinaryIO) -> Iterator[bytes]:
    """The parts of a file from where it stands. SnapshotError if it ends within one."""
    while True:
        length = file.read(_LENGTH_BYTES)
        if not length:
            return
        size = int.from_bytes(length, "big")
        if len(length) < _LENGTH_BYTES or size > PART_BYTES_MAX:
            raise SnapshotError(f"not a snapshot: a part of {size} bytes")
        raw = file.read(size)
        if len(raw) < size:
            raise SnapshotError(f"it ends {size - len(raw)} bytes before its last part does")
        yield raw


def _next(parts: Iterator[bytes], most: int = PART_BYTES_MAX) -> bytes:
    raw = next(parts, None)
    if raw is None:
        raise SnapshotError("it ends before all parts that its header counts")
    if len(raw) > most:
        raise SnapshotError(f"not a snapshot: a part of {len(raw)} bytes, expected at most {most}")
    return raw


def _link(raw: bytes, change: bytes) -> EpochLink:
    row = structure.array(cbor.decode(raw), 4, "epoch")
    leaf = row[0]
    if not isinstance(leaf, bytes):
        raise FormatError("the leaf that ended an epoch is not a byte string")
    approvals = structure.items(row[3], MEMBERS_MAX, "approvals")
    return EpochLink(
        leaf,
        structure.uint(row[1], "leaf index"),
        _hashes(row[2], "proof"),
        tuple(_octets(raw, "approval") for raw in approvals),
        change,
    )


def _hashes(value: object, what: str) -> tuple[bytes, ...]:
    found = structure.items(value, merkle.PROOF_HASHES_MAX, what)
    return tuple(structure.octets(node, _HASH_BYTES, what) for node in found)


def _octets(value: object, what: str) -> bytes:
    if not isinstance(value, bytes):
        raise FormatError(f"{what} is not a byte string")
    return value
