"""Blocks: their form, and each rule of validity by a block that breaks it alone."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from wattle_gateway.ledger import block, crypto, merkle
from wattle_gateway.ledger.block import BlockRef, CommitVote, VerifiedBlock
from wattle_gateway.ledger.errors import BlockError, FormatError, LimitError, SignatureError
from wattle_gateway.ledger.genesis import Constants
from wattle_testkit.alliance import CREATED_MS, Party, epoch_of
from wattle_wire import cbor, cose

PARTIES = {party.kid: party for party in (Party(name) for name in "ABCD")}
EPOCH = epoch_of(*PARTIES.values())
SIGNERS = [PARTIES[member.kid].sign for member in EPOCH.members]
ROUND_0 = [block.round_zero(EPOCH, author) for author in range(4)]
VOTE = CommitVote(0, EPOCH.digest)
ENTRIES = (b"one", b"two!")


def made(
    author: int = 1,
    round_number: int = 1,
    parents: Sequence[BlockRef] = (ROUND_0[1], ROUND_0[0], ROUND_0[2]),
    time_ms: int = CREATED_MS,
    entries: Sequence[bytes] = ENTRIES,
) -> VerifiedBlock:
    return block.build(
        EPOCH,
        author,
        SIGNERS[author],
        round_number=round_number,
        time_ms=time_ms,
        parents=parents,
        commit_vote=VOTE,
        entries=entries,
    )


def check(made: VerifiedBlock) -> VerifiedBlock:
    parsed = block.parse(made.block.raw, EPOCH.ledger_id)
    return block.check(parsed, made.entries, EPOCH, crypto.verify)


FIRST = [
    made(author, parents=[ROUND_0[author], *(ROUND_0[:author] + ROUND_0[author + 1 :])])
    for author in range(4)
]
SECOND_PARENTS = [FIRST[1].block.ref, FIRST[0].block.ref, FIRST[2].block.ref]


def test_a_valid_block_passes_and_keeps_its_bytes() -> None:
    first = made()
    assert check(first) == first
    assert first.block.raw == block.parse(first.block.raw, EPOCH.ledger_id).raw


def test_a_block_of_a_later_round_passes() -> None:
    check(made(round_number=2, parents=SECOND_PARENTS))


def test_a_weak_link_beside_a_quorum_passes() -> None:
    parents = [FIRST[1].block.ref, FIRST[0].block.ref, FIRST[2].block.ref, ROUND_0[3]]
    check(made(round_number=2, parents=parents))


def test_payload_is_what_spec_encodes() -> None:
    first = made().block
    signed = cose.parse_sign1("block", EPOCH.ledger_id, first.raw)
    root = merkle.root([merkle.leaf_hash(entry) for entry in ENTRIES])
    assert cbor.decode(signed.payload) == [
        0,
        1,
        1,
        CREATED_MS,
        [[0, 1, EPOCH.digest], [0, 0, EPOCH.digest], [0, 2, EPOCH.digest]],
        [0, EPOCH.digest],
        [2, 7, root],
    ]


def test_references_sort_by_round_author_digest() -> None:
    refs = [BlockRef(2, 0, b"a"), BlockRef(1, 1, b"b"), BlockRef(1, 1, b"a"), BlockRef(1, 0, b"z")]
    assert sorted(refs) == [refs[3], refs[2], refs[1], refs[0]]


def test_wrong_epoch() -> None:
    broken = VerifiedBlock(replace(made().block, epoch=1), ENTRIES)
    with pytest.raises(BlockError, match="epoch 1, expected 0"):
        block.check(broken.block, ENTRIES, EPOCH, crypto.verify)


def test_author_outside_the_committee() -> None:
    broken = replace(made().block, author=4)
    with pytest.raises(BlockError, match="author 4 in a committee of 4"):
        block.check(broken, ENTRIES, EPOCH, crypto.verify)


def test_key_of_another_member() -> None:
    broken = replace(made().block, kid=EPOCH.members[2].kid)
    with pytest.raises(BlockError, match="another key"):
        block.check(broken, ENTRIES, EPOCH, crypto.verify)


def test_signature_of_another_member() -> None:
    broken = replace(made().block, signature=made(author=2, parents=ROUND_0[2:3]).block.signature)
    with pytest.raises(SignatureError):
        block.check(broken, ENTRIES, EPOCH, crypto.verify)


@pytest.mark.parametrize(
    ("parents", "reason"),
    [
        ([], "not the author's own"),
        ([ROUND_0[0], ROUND_0[1], ROUND_0[2]], "not the author's own"),
        ([ROUND_0[1], ROUND_0[2], ROUND_0[0]], "rising author"),
        ([ROUND_0[1], ROUND_0[0], ROUND_0[0], ROUND_0[2]], "rising author"),
        ([ROUND_0[1], ROUND_0[0], ROUND_0[1], ROUND_0[2]], "named twice"),
        ([ROUND_0[1], ROUND_0[0], ROUND_0[2], BlockRef(0, 4, EPOCH.digest)], "author 4"),
        ([ROUND_0[1], ROUND_0[0]], "2 parents of round 0, expected at least 3"),
        ([ROUND_0[1], ROUND_0[0], FIRST[2].block.ref], "round 1 in a block of round 1"),
        ([ROUND_0[1], ROUND_0[0], BlockRef(0, 2, bytes(32))], "epoch digest"),
    ],
)
def test_parents_that_break_a_rule(parents: list[BlockRef], reason: str) -> None:
    with pytest.raises(BlockError, match=reason):
        check(made(parents=parents))


def test_a_quorum_of_old_parents_is_none() -> None:
    parents = [FIRST[1].block.ref, ROUND_0[0], ROUND_0[2], ROUND_0[3]]
    with pytest.raises(BlockError, match="1 parents of round 1"):
        check(made(round_number=2, parents=parents))


def test_round_zero_is_never_signed() -> None:
    with pytest.raises(BlockError, match="round 0"):
        check(made(round_number=0))


def test_time_is_no_rule_of_validity() -> None:
    later = made(time_ms=CREATED_MS + 10)
    parents = [later.block.ref, FIRST[0].block.ref, FIRST[2].block.ref]
    check(made(round_number=2, parents=parents, time_ms=0))


@pytest.mark.parametrize(
    "entries", [(), (b"one",), (b"one", b"two", b"!"), (b"on", b"etwo!"), (b"two!", b"one")]
)
def test_entries_other_than_the_header_says(entries: tuple[bytes, ...]) -> None:
    with pytest.raises(BlockError, match="header says"):
        block.check(made().block, entries, EPOCH, crypto.verify)


@pytest.mark.parametrize(
    ("constants", "entries", "reason"),
    [
        ({"block_entries_max": 1}, ENTRIES, "2 entries, expected at most 1"),
        ({"block_payload_bytes_max": 6}, ENTRIES, "payload of 7 bytes, expected at most 6"),
        ({"entry_bytes_max": 3}, ENTRIES, "entry of 4 bytes, expected at most 3"),
    ],
)
def test_payload_beyond_a_constant(
    constants: dict[str, int], entries: tuple[bytes, ...], reason: str
) -> None:
    epoch = replace(EPOCH, constants=replace(Constants(), **constants))
    with pytest.raises(BlockError, match=reason):
        block.check(made().block, entries, epoch, crypto.verify)


def test_a_block_without_entries_says_so_in_one_byte() -> None:
    empty = made(entries=())
    assert check(empty) == empty
    assert empty.block.payload is None
    assert (empty.block.carries, made().block.carries) == (False, True)
    signed = cose.parse_sign1("block", EPOCH.ledger_id, empty.block.raw)
    assert signed.payload[-1:] == b"\xf6"


def test_entries_beside_a_header_that_says_none() -> None:
    with pytest.raises(BlockError, match="1 entries beside"):
        block.check(made(entries=()).block, (b"one",), EPOCH, crypto.verify)


def test_a_payload_of_no_entries_has_one_form_only() -> None:
    payload = cbor.decode(cose.parse_sign1("block", EPOCH.ledger_id, made().block.raw).payload)
    assert isinstance(payload, list)
    payload[6] = [0, 0, merkle.EMPTY_ROOT]
    raw = cose.sign1(bytes(8), cbor.encode(payload), bytes(64))
    with pytest.raises(FormatError, match="payload of 0 entries"):
        block.parse(raw, EPOCH.ledger_id)


@pytest.mark.parametrize(
    ("kinds", "urgent"),
    [((), False), ((1, 1), False), ((1, 2), True), ((4,), True), ((0, 3, 5), False)],
)
def test_transactions_and_evidence_are_urgent(kinds: tuple[int, ...], urgent: bool) -> None:
    entries = tuple(cbor.encode([kind, b"body"]) for kind in kinds)
    assert made(entries=entries).urgent == urgent


def test_a_header_too_long_is_refused_unread() -> None:
    with pytest.raises(LimitError, match="4097 bytes"):
        block.parse(bytes(4097), EPOCH.ledger_id)


@pytest.mark.parametrize("at", range(7))
def test_a_header_with_a_part_of_another_type_is_refused(at: int) -> None:
    payload = cbor.decode(cose.parse_sign1("block", EPOCH.ledger_id, made().block.raw).payload)
    assert isinstance(payload, list)
    payload[at] = "text"
    encoded = cbor.encode(payload)
    with pytest.raises(FormatError, match="block"):
        block.parse(cose.sign1(bytes(8), encoded, bytes(64)), EPOCH.ledger_id)


def test_a_full_committee_fits_a_header() -> None:
    parties = {party.kid: party for party in (Party(f"{n}") for n in range(32))}
    epoch = epoch_of(*parties.values())
    far = 2**53 - 1
    built = block.build(
        epoch,
        0,
        parties[epoch.members[0].kid].sign,
        round_number=far,
        time_ms=far,
        parents=[BlockRef(far - 1, author, bytes(32)) for author in range(32)],
        commit_vote=CommitVote(far, bytes(32)),
        entries=(),
    )
    assert block.parse(built.block.raw, epoch.ledger_id) == built.block
