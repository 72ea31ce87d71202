"""Evidence: two signed things that cannot both be honest, in one entry (SPEC section 10).

It stands alone: whoever has the keys verifies it, whoever brought it. Well-formed here means
that the two contradict each other; that both are signed is verified by whoever acts on it.
"""

from dataclasses import dataclass

from wattle_wire import cbor, structure

from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import checkpoint, merkle, signed_sample
from wattle_gateway.ledger.block import Block
from wattle_gateway.ledger.checkpoint import Note
from wattle_gateway.ledger.errors import FormatError, ProofError, wire_errors_named
from wattle_gateway.ledger.signed_sample import SignedSample

TWO_SAMPLES = 1
TWO_BLOCKS = 2
TWO_CHECKPOINTS = 3


@dataclass(frozen=True)
class TwoSamples:
    """Two samples of one meter and seq with different digests, the lower digest first."""

    low: SignedSample
    high: SignedSample

    def encode(self) -> bytes:
        """The body of the entry."""
        return cbor.encode([TWO_SAMPLES, self.low.raw, self.high.raw])


@dataclass(frozen=True)
class TwoBlocks:
    """Two blocks of one epoch, author and round with different digests, the lower first."""

    low: Block
    high: Block

    def encode(self) -> bytes:
        """The body of the entry."""
        return cbor.encode([TWO_BLOCKS, self.low.raw, self.high.raw])


@dataclass(frozen=True)
class TwoCheckpoints:
    """Two checkpoints of one log under one key id, a signature line each, the smaller first.

    `proof` leads from (size of `first`, `root`) to `second`, and `root` is not that of `first`:
    the log of `second` began otherwise than `first` says.
    """

    first: Note
    second: Note
    root: bytes
    proof: tuple[bytes, ...]

    def encode(self) -> bytes:
        """The body of the entry."""
        return cbor.encode(
            [
                TWO_CHECKPOINTS,
                self.first.encode(),
                self.second.encode(),
                self.root,
                list(self.proof),
            ]
        )


Evidence = TwoSamples | TwoBlocks | TwoCheckpoints


def two_samples(one: SignedSample, other: SignedSample) -> TwoSamples:
    """Evidence of a fork, in whatever order; FormatError if the two show none."""
    low, high = sorted((one, other), key=lambda signed: signed.digest)
    return _checked_samples(low, high)


def two_blocks(one: Block, other: Block) -> TwoBlocks:
    """Evidence of equivocation, in whatever order; FormatError if the two show none."""
    low, high = sorted((one, other), key=lambda block: block.digest)
    return _checked_blocks(low, high)


def two_checkpoints(
    first: Note, second: Note, root: bytes, proof: tuple[bytes, ...]
) -> TwoCheckpoints:
    """Evidence of a false checkpoint; FormatError if the two show none, ProofError if `proof`
    does not lead from (size of `first`, `root`) to `second`.

    For equal sizes `root` is that of `second` and `proof` empty.
    """
    if len(first.lines) != 1 or len(second.lines) != 1:
        raise FormatError("evidence: a checkpoint does not have exactly one signature line")
    if first.lines[0].key_id != second.lines[0].key_id:
        raise FormatError("evidence: the checkpoints are not under one key")
    a, b = first.checkpoint, second.checkpoint
    if a.origin != b.origin:
        raise FormatError("evidence: the checkpoints are of two logs")
    if a.size > b.size:
        raise FormatError(f"evidence: sizes {a.size} and {b.size} are not rising")
    if root == a.root:
        raise FormatError("evidence: the checkpoints are consistent")
    merkle.verify_consistency(a.size, b.size, proof, root, b.root)
    return TwoCheckpoints(first, second, root, proof)


def decode(body: bytes, ledger_id: bytes) -> Evidence:
    """The evidence in an entry's body; LedgerError if it shows nothing. Verifies no signature."""
    with wire_errors_named("evidence"):
        row = cbor.decode(body)
        if not isinstance(row, list) or not row:
            raise FormatError("evidence is not an array that begins with its form")
        form = structure.uint(row[0], "evidence form")
        if form == TWO_CHECKPOINTS:
            return _decode_checkpoints(row, ledger_id)
        if form not in (TWO_SAMPLES, TWO_BLOCKS):
            raise FormatError(f"evidence form {form}, expected 1 to 3")
        structure.array(row, 3, "evidence")
    low, high = row[1], row[2]
    if not isinstance(low, bytes) or not isinstance(high, bytes):
        raise FormatError("evidence: one of the two is not a byte string")
    if form == TWO_SAMPLES:
        return _checked_samples(
            signed_sample.parse(low, ledger_id), signed_sample.parse(high, ledger_id)
        )
    return _checked_blocks(block_format.parse(low, ledger_id), block_format.parse(high, ledger_id))


def _decode_checkpoints(row: list[object], ledger_id: bytes) -> TwoCheckpoints:
    structure.array(row, 5, "evidence")
    notes = []
    for raw in row[1:3]:
        if not isinstance(raw, bytes):
            raise FormatError("evidence: a note is not a byte string")
        notes.append(checkpoint.parse_note(raw))
    if not notes[0].checkpoint.origin.endswith("/" + ledger_id.hex()):
        raise FormatError("evidence: the checkpoints are of another log")
    root = structure.octets(row[3], merkle.HASH_BYTES, "root")
    proof = tuple(
        structure.octets(item, merkle.HASH_BYTES, "hash")
        for item in structure.items(row[4], merkle.PROOF_HASHES_MAX, "proof")
    )
    try:
        return two_checkpoints(notes[0], notes[1], root, proof)
    except ProofError as error:
        raise FormatError(f"evidence: {error}") from error


def _checked_samples(low: SignedSample, high: SignedSample) -> TwoSamples:
    if low.kid != high.kid or low.sample.seq != high.sample.seq:
        raise FormatError("evidence: the samples are not of one meter and seq")
    _check_digests(low.digest, high.digest)
    return TwoSamples(low, high)


def _checked_blocks(low: Block, high: Block) -> TwoBlocks:
    if (low.epoch, low.author, low.round, low.kid) != (
        high.epoch,
        high.author,
        high.round,
        high.kid,
    ):
        raise FormatError("evidence: the blocks are not of one epoch, author and round")
    _check_digests(low.digest, high.digest)
    return TwoBlocks(low, high)


def _check_digests(low: bytes, high: bytes) -> None:
    if low >= high:
        raise FormatError("evidence: the digests are not different and rising")
