"""The Merkle tree of RFC 6962 section 2.1 (RFC 9162 section 2.1), proofs, and its right edge.

Functions take leaf *hashes*, so that a caller may hash once and keep 32 bytes a leaf.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from wattle_wire import cbor, structure

from wattle_gateway.ledger.errors import FormatError, ProofError, wire_errors_named

HASH_BYTES = 32
EMPTY_ROOT = sha256().digest()
# A tree of 2^63 leaves: one more hash in a proof or at the right edge cannot be honest.
PROOF_HASHES_MAX = 64


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(00 || data): the hash of one leaf (32 bytes)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(01 || left || right): the hash of an inner node (32 bytes)."""
    return sha256(b"\x01" + left + right).digest()


def root(leaf_hashes: Sequence[bytes]) -> bytes:
    """MTH: the root (32 bytes) over leaf hashes; SHA-256 of nothing for an empty tree."""
    # Level by level: a node without a right sibling moves up as it is, which is the same tree
    # as splitting at the largest power of two.
    level = list(leaf_hashes)
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        above = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) & 1:
            above.append(level[-1])
        level = above
    return level[0]


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int) -> list[bytes]:
    """PATH(index, tree): the audit path, leaf side first (RFC 6962 section 2.1.1).

    Raises ProofError if there is no such leaf.
    """
    stretches = inclusion_stretches(index, len(leaf_hashes))
    return [root(leaf_hashes[first:end]) for first, end in stretches]


def inclusion_stretches(index: int, size: int) -> list[tuple[int, int]]:
    """The stretches (first, end) of leaves whose roots are PATH(index, tree of `size`), in its
    order: for a store that keeps roots of its own. Raises ProofError if there is no such leaf."""
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} of a tree of {size}, expected 0 to {size - 1}")
    stretches: list[tuple[int, int]] = []
    first, end = 0, size
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            stretches.append((middle, end))
            end = middle
        else:
            stretches.append((first, middle))
            first = middle
    stretches.reverse()
    return stretches


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes
) -> None:
    """Check that `leaf` (a leaf hash) stands at `index` of a tree of `size` with `expected_root`.

    The algorithm of RFC 9162 section 2.1.3.2. Raises ProofError if it is not proved.
    """
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} of a tree of {size}, expected an index below the size")
    _check_proof(proof)
    position, last, value = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError(f"inclusion proof of {len(proof)} hashes is too long for {size}")
        if position & 1 or position == last:
            value = node_hash(sibling, value)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            value = node_hash(value, sibling)
        position >>= 1
        last >>= 1
    if last != 0:
        raise ProofError(f"inclusion proof of {len(proof)} hashes is too short for {size}")
    if value != expected_root:
        raise ProofError("inclusion proof leads to another root")


def consistency_proof(leaf_hashes: Sequence[bytes], old: int, new: int) -> list[bytes]:
    """PROOF(old, first `new` leaves) of RFC 6962 section 2.1.2.

    Empty for old = 0 and old = new. Raises ProofError unless 0 <= old <= new <= leaves.
    """
    if new > len(leaf_hashes):
        raise ProofError(f"sizes {old} and {new} of a tree of {len(leaf_hashes)}")
    return [root(leaf_hashes[first:end]) for first, end in consistency_stretches(old, new)]


def consistency_stretches(old: int, new: int) -> list[tuple[int, int]]:
    """The stretches (first, end) of leaves whose roots are PROOF(old, tree of `new`), in its
    order: for a store that keeps roots of its own. Raises ProofError unless 0 <= old <= new."""
    if not 0 <= old <= new:
        raise ProofError(f"sizes {old} and {new}, expected the old one not above the new")
    stretches: list[tuple[int, int]] = []
    if old in (0, new):
        return stretches
    first, end = 0, new
    while end != old:
        middle = first + _split(end - first)
        if old <= middle:
            stretches.append((middle, end))
            end = middle
        else:
            stretches.append((first, middle))
            first = middle
    if first > 0:
        stretches.append((first, end))
    stretches.reverse()
    return stretches


def verify_consistency(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> None:
    """Check that the tree of `old` leaves is a beginning of the tree of `new` leaves.

    The algorithm of RFC 9162 section 2.1.4.2. Raises ProofError if it is not proved.
    """
    if not 0 <= old <= new:
        raise ProofError(f"sizes {old} and {new}, expected the old one not above the new")
    _check_proof(proof)
    if old in (0, new):
        if proof:
            raise ProofError(f"consistency proof of {len(proof)} hashes, expected none")
        if old_root != (EMPTY_ROOT if old == 0 else new_root):
            raise ProofError("the old root does not belong to its size")
        return
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise ProofError("consistency proof is empty")
    _walk_consistency(old, new, path, old_root, new_root)


def _walk_consistency(
    old: int, new: int, path: list[bytes], old_root: bytes, new_root: bytes
) -> None:
    position, last = old - 1, new - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old_value = new_value = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("consistency proof is too long")
        if position & 1 or position == last:
            old_value = node_hash(sibling, old_value)
            new_value = node_hash(sibling, new_value)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            new_value = node_hash(new_value, sibling)
        position >>= 1
        last >>= 1
    if last != 0:
        raise ProofError("consistency proof is too short")
    if old_value != old_root:
        raise ProofError("consistency proof leads to another old root")
    if new_value != new_root:
        raise ProofError("consistency proof leads to another new root")


@dataclass(frozen=True)
class RightEdge:
    """What is needed to append to a tree and to know its root: the roots of its full subtrees.

    `peaks` largest subtree first, one for each set bit of `size`.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> "RightEdge":
        """The edge after one more leaf hash."""
        return self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> "RightEdge":
        """The edge after more leaf hashes."""
        peaks, size = list(self.peaks), self.size
        for leaf in leaves:
            value, full = leaf, size
            while full & 1:
                value = node_hash(peaks.pop(), value)
                full >>= 1
            peaks.append(value)
            size += 1
        return RightEdge(size, tuple(peaks))

    def root(self) -> bytes:
        """The root of the tree (32 bytes)."""
        if not self.peaks:
            return EMPTY_ROOT
        value = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            value = node_hash(peak, value)
        return value

    def encode(self) -> bytes:
        """The edge as bytes for a store: CBOR `[size, [peak, ..]]`."""
        return cbor.encode([self.size, list(self.peaks)])


def edge_of(leaf_hashes: Iterable[bytes]) -> RightEdge:
    """The edge of a tree from its leaf hashes, read once: `edge_of(islice(leaves, size)).root()`
    is the root at an earlier size."""
    return RightEdge().extend(leaf_hashes)


def decode_right_edge(raw: bytes) -> RightEdge:
    """The edge that `RightEdge.encode` wrote; FormatError if the bytes are none."""
    with wire_errors_named("right edge"):
        row = structure.array(cbor.decode(raw), 2, "right edge")
        size = structure.uint(row[0], "size")
        peaks = structure.items(row[1], PROOF_HASHES_MAX, "peaks")
        hashes = tuple(structure.octets(peak, HASH_BYTES, "peak") for peak in peaks)
    if len(hashes) != size.bit_count():
        raise FormatError(f"right edge of {len(hashes)} peaks for {size} leaves")
    return RightEdge(size, hashes)


def _split(size: int) -> int:
    """The largest power of two below `size` (RFC 6962 section 2.1)."""
    return 1 << ((size - 1).bit_length() - 1)


def _check_proof(proof: Sequence[bytes]) -> None:
    if len(proof) > PROOF_HASHES_MAX:
        raise ProofError(f"proof of {len(proof)} hashes, expected at most {PROOF_HASHES_MAX}")
    for value in proof:
        if len(value) != HASH_BYTES:
            raise ProofError(f"proof with a hash of {len(value)} bytes, expected {HASH_BYTES}")
