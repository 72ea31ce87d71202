"""Rules 1 to 8: which blocks are refused for ever, by everybody alike, from their bytes alone."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.block import BlockRef, CommitVote, VerifiedBlock
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import BlockError, LedgerError, SignatureError
from wattle_testkit.alliance import CREATED_MS
from wattle_testkit.dag_builder import committee_of, draw, entry_of, sign_block
from wattle_testkit.drawn_committees import quorum_of

FOUR = committee_of(4)
DRAWN = draw("1: * D'\n2: *", 4)


def made(
    parents: Sequence[BlockRef], author: int = 0, round_number: int = 3, epoch: Epoch = FOUR.epoch
) -> VerifiedBlock:
    """A signed block that nobody checked."""
    return block_format.build(
        epoch,
        author,
        FOUR.parties[author % 4].sign,
        round_number=round_number,
        time_ms=CREATED_MS,
        parents=parents,
        commit_vote=CommitVote(0, epoch.digest),
        entries=(),
    )


def refs(names: str) -> list[BlockRef]:
    return [DRAWN.ref(name) for name in names.split()]


def refused(block: VerifiedBlock, match: str) -> None:
    with pytest.raises(BlockError, match=match):
        block_format.check(block.block, block.entries, FOUR.epoch, crypto.verify)


def test_a_block_of_another_epoch_is_refused_rules_1_5() -> None:
    later = replace(FOUR.epoch, number=1)
    refused(made(refs("A2 B2 C2"), epoch=later), "block of epoch 1, expected 0")


def test_an_author_outside_the_committee_is_refused_before_any_look_up_rule_5() -> None:
    block = replace(made(refs("A2 B2 C2")).block, author=4)
    refused(VerifiedBlock(block, ()), "author 4 in a committee of 4")
    huge = replace(block, author=(1 << 64) - 1)
    refused(VerifiedBlock(huge, ()), "in a committee of 4")


def test_a_parent_of_an_author_outside_the_committee_is_refused_rule_5() -> None:
    stranger = BlockRef(2, 4, bytes(32))
    refused(made([*refs("A2 B2 C2"), stranger]), "parent of author 4 in a committee of 4")


def test_a_block_in_the_name_of_another_is_refused_rule_5() -> None:
    # Signed by A with A's kid, saying that it is B's.
    block = replace(made(refs("A2 B2 C2")).block, author=1)
    refused(VerifiedBlock(block, ()), "names another key")


@pytest.mark.parametrize("round_number", [3, 4])
def test_a_parent_of_the_same_or_a_higher_round_is_refused_rule_6(round_number: int) -> None:
    ahead = BlockRef(round_number, 3, bytes(32))
    refused(made([*refs("A2 B2 C2"), ahead]), f"parent of round {round_number}")


def test_two_parents_of_one_author_are_refused_rule_6() -> None:
    refused(made(refs("A2 B2 C2 D1 D1'")), "each author once")
    refused(made(refs("A2 A1 B2 C2")), "named twice")


def test_a_first_parent_of_another_author_is_refused_rule_6() -> None:
    refused(made(refs("B2 C2 D2")), "the first parent is not the author's own")
    refused(made([]), "the first parent is not the author's own")


def test_an_older_own_parent_is_allowed_rule_6() -> None:
    block = made(refs("A0 B2 C2 D2"))
    block_format.check(block.block, (), FOUR.epoch, crypto.verify)


@pytest.mark.parametrize("members", [1, 2, 3, 4, 7, 10])
def test_q_authors_of_the_round_below_are_needed_rule_7(members: int) -> None:
    committee = committee_of(members)
    below = [block_format.round_zero(committee.epoch, author) for author in range(members)]
    sign_block(committee, 0, 1, below[: quorum_of(members)])
    if members > 1:
        with pytest.raises(BlockError, match=f"expected at least {quorum_of(members)}"):
            sign_block(committee, 0, 1, below[: quorum_of(members) - 1])


def test_older_parents_do_not_fill_the_quorum_rule_7() -> None:
    refused(made(refs("A2 B2 C1 D1")), "2 parents of round 2, expected at least 3")


def test_twins_do_not_fill_the_quorum_rules_6_7_22() -> None:
    refused(made(refs("A1 B1 D1 D1'"), round_number=2), "each author once")


def test_a_round_0_parent_is_the_epoch_digest_rule_4() -> None:
    refused(made([*refs("A2 B2 C2"), BlockRef(0, 3, bytes(32))]), "not the epoch digest")
    refused(made(refs("A0 B0 C0"), round_number=0), "a signed block of round 0")


def test_a_payload_other_than_the_headers_is_refused_rule_8() -> None:
    block = sign_block(FOUR, 0, 3, refs("A2 B2 C2"), entries=[entry_of("x"), entry_of("y")])
    for entries in ([entry_of("x")], [entry_of("y"), entry_of("x")], []):
        with pytest.raises(BlockError, match="entries"):
            block_format.check(block.block, entries, FOUR.epoch, crypto.verify)


def test_no_clock_and_no_neighbour_decides_validity_rule_8() -> None:
    # Behind its own parent, and ages ahead: both stand.
    for time_ms in (0, CREATED_MS - 1, 1 << 60):
        sign_block(FOUR, 0, 3, refs("A2 B2 C2"), time_ms=time_ms)
    unknown = [BlockRef(2, author, bytes(32)) for author in range(3)]
    sign_block(FOUR, 0, 3, unknown)


def test_the_digest_does_not_cover_the_signature_rule_3() -> None:
    block = made(refs("A2 B2 C2")).block
    at = block.raw.index(block.signature)
    spoilt = block.raw[:at] + bytes(64) + block.raw[at + 64 :]
    copy = block_format.parse(spoilt, FOUR.epoch.ledger_id)
    assert copy.digest == block.digest
    assert copy.ref == block.ref
    with pytest.raises(SignatureError):
        block_format.check(copy, (), FOUR.epoch, crypto.verify)


def test_the_other_signature_of_the_same_content_is_refused_rule_3() -> None:
    # (r, n - s) verifies wherever (r, s) does: only the low one is a signature here.
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    block = made(refs("A2 B2 C2")).block
    high_s = order - int.from_bytes(block.signature[32:], "big")
    mirrored = replace(block, signature=block.signature[:32] + high_s.to_bytes(32, "big"))
    with pytest.raises(SignatureError, match="low-S"):
        block_format.check(mirrored, (), FOUR.epoch, crypto.verify)


def test_a_block_signed_twice_is_one_block_rule_3() -> None:
    again = block_format.parse(made(refs("A2 B2 C2")).block.raw, FOUR.epoch.ledger_id)
    assert again.ref == made(refs("A2 B2 C2")).block.ref


def test_everything_cut_short_is_refused_without_a_crash_rule_8() -> None:
    raw = made(refs("A2 B2 C2")).block.raw
    for end in range(len(raw)):
        with pytest.raises(LedgerError):
            block_format.parse(raw[:end], FOUR.epoch.ledger_id)
