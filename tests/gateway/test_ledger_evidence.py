"""Evidence of the three forms as bytes: what contradicts itself, and what does not."""

from dataclasses import replace

import pytest
from wattle_gateway.ledger import evidence, merkle, signed_sample
from wattle_gateway.ledger.errors import FormatError, LedgerError, ProofError
from wattle_gateway.ledger.evidence import TwoBlocks, TwoCheckpoints, TwoSamples
from wattle_testkit.alliance import (
    CREATED_MS,
    Board,
    Party,
    epoch_of,
    note_of,
    reading,
    two_blocks_of,
)
from wattle_wire import cbor

PARTIES = [Party(name) for name in "ABCD"]
EPOCH = epoch_of(*PARTIES)
BOARD = Board("board", EPOCH)
ONE = BOARD.sample(7)
OTHER = BOARD.sample(7, [reading(CREATED_MS, ei=5)])
BLOCKS = two_blocks_of(EPOCH, PARTIES[0])
LEAVES = [merkle.leaf_hash(bytes([number])) for number in range(9)]
FALSE = note_of(EPOCH, 5, bytes(32), PARTIES[0])
TRUE = note_of(EPOCH, 9, merkle.root(LEAVES), PARTIES[0])
ROOT = merkle.root(LEAVES[:5])
PROOF = tuple(merkle.consistency_proof(LEAVES, 5, 9))


def test_two_samples_from_either_side() -> None:
    made = evidence.two_samples(ONE, OTHER)
    assert made == evidence.two_samples(OTHER, ONE)
    assert evidence.decode(made.encode(), EPOCH.ledger_id) == made
    assert isinstance(made, TwoSamples)
    assert {made.low, made.high} == {ONE, OTHER}
    assert made.low.digest < made.high.digest


def test_two_blocks_from_either_side() -> None:
    made = evidence.two_blocks(*BLOCKS)
    assert made == evidence.two_blocks(*reversed(BLOCKS))
    assert evidence.decode(made.encode(), EPOCH.ledger_id) == made
    assert isinstance(made, TwoBlocks)
    assert made.low.digest < made.high.digest


def test_two_checkpoints_with_the_proof_between_them() -> None:
    made = evidence.two_checkpoints(FALSE, TRUE, ROOT, PROOF)
    assert evidence.decode(made.encode(), EPOCH.ledger_id) == made
    row = cbor.decode(made.encode())
    assert row == [3, FALSE.encode(), TRUE.encode(), ROOT, list(PROOF)]


def test_two_checkpoints_of_one_size_need_no_proof() -> None:
    same = note_of(EPOCH, 9, bytes(32), PARTIES[0])
    made = evidence.two_checkpoints(same, TRUE, TRUE.checkpoint.root, ())
    assert evidence.decode(made.encode(), EPOCH.ledger_id) == made
    with pytest.raises(ProofError):
        evidence.two_checkpoints(same, TRUE, ROOT, ())
    with pytest.raises(ProofError):
        evidence.two_checkpoints(same, TRUE, TRUE.checkpoint.root, PROOF)


def test_the_same_thing_twice_is_no_evidence() -> None:
    with pytest.raises(FormatError, match="different"):
        evidence.two_samples(ONE, ONE)
    with pytest.raises(FormatError, match="different"):
        evidence.two_blocks(BLOCKS[0], BLOCKS[0])
    with pytest.raises(FormatError, match="consistent"):
        evidence.two_checkpoints(TRUE, TRUE, TRUE.checkpoint.root, ())


@pytest.mark.parametrize("other", [BOARD.sample(8), Board("another", EPOCH).sample(7)])
def test_samples_of_two_seqs_or_meters_are_no_evidence(
    other: signed_sample.SignedSample,
) -> None:
    with pytest.raises(FormatError, match="one meter and seq"):
        evidence.two_samples(ONE, other)


@pytest.mark.parametrize(
    "other",
    [
        two_blocks_of(EPOCH, PARTIES[0], round_number=2)[1],
        two_blocks_of(EPOCH, PARTIES[1])[1],
        two_blocks_of(replace(EPOCH, number=1), PARTIES[0])[1],
        replace(BLOCKS[1], kid=bytes(8)),
    ],
)
def test_blocks_of_two_rounds_authors_epochs_or_keys_are_no_evidence(other: object) -> None:
    assert isinstance(other, type(BLOCKS[0]))
    with pytest.raises(FormatError, match="one epoch, author and round"):
        evidence.two_blocks(BLOCKS[0], other)


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (TRUE, FALSE, "not rising"),
        (note_of(EPOCH, 5, ROOT, PARTIES[0]), TRUE, "consistent"),
        (note_of(EPOCH, 5, bytes(32), PARTIES[1]), TRUE, "not under one key"),
        (note_of(EPOCH, 5, bytes(32), *PARTIES[:2]), TRUE, "exactly one"),
        (FALSE, note_of(EPOCH, 9, merkle.root(LEAVES), *PARTIES[:2]), "exactly one"),
    ],
)
def test_checkpoints_that_contradict_nothing(first: object, second: object, reason: str) -> None:
    assert isinstance(first, type(TRUE))
    assert isinstance(second, type(TRUE))
    with pytest.raises(FormatError, match=reason):
        evidence.two_checkpoints(first, second, ROOT, PROOF)


def test_checkpoints_of_two_logs_are_no_evidence() -> None:
    # A key id is made of the name as well, so it has to be the one that the other name gives.
    elsewhere = replace(TRUE.checkpoint, origin="other/" + EPOCH.ledger_id.hex())
    with pytest.raises(FormatError, match="two logs"):
        evidence.two_checkpoints(FALSE, replace(TRUE, checkpoint=elsewhere), ROOT, PROOF)


def rows() -> list[object]:
    """Evidence of other forms, each a wrong variant of a good one."""
    samples = evidence.two_samples(ONE, OTHER)
    blocks = evidence.two_blocks(*BLOCKS)
    made = evidence.two_checkpoints(FALSE, TRUE, ROOT, PROOF)
    notes: list[object] = [3, FALSE.encode(), TRUE.encode(), ROOT, list(PROOF)]
    assert made.encode() == cbor.encode(notes)
    return [
        [],
        "text",
        [0, samples.low.raw, samples.high.raw],
        [4, samples.low.raw, samples.high.raw],
        [True, samples.low.raw, samples.high.raw],
        [2, samples.low.raw, samples.high.raw],
        [1, blocks.low.raw, blocks.high.raw],
        [1, samples.high.raw, samples.low.raw],
        [1, samples.low.raw, samples.low.raw],
        [1, samples.low.raw],
        [1, samples.low.raw, "text"],
        [1, samples.low.raw, b""],
        [2, blocks.high.raw, blocks.low.raw],
        [2, blocks.low.raw, blocks.low.raw],
        notes[:4],
        [*notes[:3], ROOT[1:], notes[4]],
        [*notes[:3], bytes(32), notes[4]],
        [*notes[:3], bytes([1]) * 32, notes[4]],
        [*notes[:4], [*PROOF, ROOT]],
        [*notes[:4], [b"short"]],
        [*notes[:4], [ROOT] * 65],
        [3, "text", *notes[2:]],
        [3, TRUE.encode(), FALSE.encode(), *notes[3:]],
        [3, FALSE.encode() + b"\n", *notes[2:]],
    ]


@pytest.mark.parametrize("row", rows())
def test_evidence_of_another_form_is_refused(row: object) -> None:
    with pytest.raises(FormatError):
        evidence.decode(cbor.encode(row), EPOCH.ledger_id)


def test_evidence_of_another_ledger_is_refused() -> None:
    made: TwoCheckpoints = evidence.two_checkpoints(FALSE, TRUE, ROOT, PROOF)
    with pytest.raises(LedgerError, match="another log"):
        evidence.decode(made.encode(), bytes(16))
