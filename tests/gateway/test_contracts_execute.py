"""A commit's execution: leaves, digests, and that nothing but the order of entries decides."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wattle_gateway.contracts import state as state_rows
from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.execute import RECORDED, VOID, execute
from wattle_gateway.contracts.state import State, key
from wattle_gateway.ledger import crypto, leaf, signed_sample
from wattle_gateway.ledger.errors import SignatureError
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.leaf import CommitLeaf, EntryLeaf
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_testkit.alliance import (
    CREATED_MS,
    GRID,
    Board,
    enrol_entry,
    epoch_of,
    reading,
    sample_entry,
)
from wattle_testkit.commit_chain import CommitChain

EPOCH = epoch_of()
BOARDS = [Board("one", EPOCH), Board("two", EPOCH)]


def enrolled() -> CommitChain:
    """A ledger with both boards, one commit old."""
    made = CommitChain(EPOCH, GRID)
    made.commit(*(enrol_entry(board, nonce=nonce) for nonce, board in enumerate(BOARDS)))
    return made


def samples_of(board: Board, count: int) -> list[bytes]:
    """Linked samples 1 .. count, a second apart."""
    made: list[bytes] = []
    prev = None
    for seq in range(1, count + 1):
        signed = board.sample(seq, [reading(CREATED_MS + 1000 * seq, ei=seq)], prev=prev)
        prev = signed.digest
        made.append(sample_entry(signed))
    return made


def test_an_entry_leaf_carries_kind_verdict_author_round_and_bytes() -> None:
    ledger = enrolled()
    raw = sample_entry(BOARDS[0].sample(1, clock="U"))
    executed = ledger.commit(raw)
    assert leaf.decode(executed.leaves[0]) == EntryLeaf(1, 16, 0, 2, raw)


def test_the_commit_leaf_ends_the_commit_and_names_all_before() -> None:
    ledger = enrolled()
    before = ledger.head
    executed = ledger.commit(*samples_of(BOARDS[0], 2), time_ms=CREATED_MS + 7)
    assert len(executed.leaves) == 3
    last = leaf.decode(executed.leaves[-1])
    assert isinstance(last, CommitLeaf)
    assert (last.epoch, last.index, last.time_ms) == (0, 2, CREATED_MS + 7)
    assert (last.previous_digest, last.state_digest) == (
        before.digest,
        executed.head.state_digest,
    )
    assert executed.head.digest == sha256(executed.leaves[-1]).digest()


def test_the_first_commit_follows_the_epoch_and_an_empty_state() -> None:
    ledger = CommitChain(EPOCH, GRID)
    last = leaf.decode(ledger.commit().leaves[-1])
    assert isinstance(last, CommitLeaf)
    assert last.previous_digest == EPOCH.digest
    assert last.state_digest == state_rows.digest(bytes(32), [], None)


def test_the_full_state_root_joins_at_its_period() -> None:
    epoch = epoch_of(constants=Constants(state_root_every=2))
    ledger = CommitChain(epoch, GRID)
    ledger.commit(enrol_entry(Board("one", epoch)))
    before = ledger.head
    executed = ledger.commit(sample_entry(Board("one", epoch).sample(1)))
    root = State(ledger.state).root()
    said = state_rows.digest(before.state_digest, executed.changes, root)
    assert executed.head.state_digest == said
    third = ledger.commit()
    assert third.head.state_digest == state_rows.digest(said, [], None)


def test_outcomes_name_block_position_and_leaf() -> None:
    ledger = enrolled()
    good, other = samples_of(BOARDS[0], 2)
    commit, _ = ledger.prepare(good, b"garbage", good, other)
    executed = ledger.commit(good, b"garbage", good, other)
    assert [outcome.position for outcome in executed.outcomes] == [0, 1, 2, 3]
    assert [outcome.leaf for outcome in executed.outcomes] == [0, None, None, 1]
    assert {outcome.block for outcome in executed.outcomes} == {commit.leader}
    assert leaf.decode(executed.leaves[1]) == EntryLeaf(1, 0, 0, 2, other)


def test_touched_meters_are_listed_in_order() -> None:
    ledger = enrolled()
    executed = ledger.commit(*(sample_entry(board.sample(1)) for board in BOARDS))
    assert executed.meters == tuple(sorted(board.kid for board in BOARDS))
    assert ledger.commit(sample_entry(BOARDS[0].sample(1))).meters == ()


def test_execution_changes_neither_state_nor_itself() -> None:
    ledger = enrolled()
    commit, block = ledger.prepare(*samples_of(BOARDS[0], 3))
    before = dict(ledger.state)
    once = execute(
        ledger.state, ledger.head, commit, [block], EPOCH, crypto.verify, ledger.digest_of
    )
    twice = execute(
        ledger.state, ledger.head, commit, [block], EPOCH, crypto.verify, ledger.digest_of
    )
    assert ledger.state == before
    assert once == twice


def test_a_verifier_that_knows_better_is_asked_for_everything() -> None:
    ledger = enrolled()
    commit, block = ledger.prepare(*samples_of(BOARDS[0], 2))
    asked: list[bytes] = []

    def deny(public_key: bytes, digest: bytes, signature: bytes) -> None:
        asked.append(public_key)
        raise SignatureError("no")

    executed = execute(ledger.state, ledger.head, commit, [block], EPOCH, deny, ledger.digest_of)
    assert [outcome.effect for outcome in executed.outcomes] == [VOID, VOID]
    assert asked == [BOARDS[0].signing_key] * 2


def test_samples_parsed_before_are_taken_from_who_has_them() -> None:
    ledger = enrolled()
    entries = samples_of(BOARDS[0], 2)
    commit, block = ledger.prepare(*entries)
    parsed: dict[bytes, SignedSample] = {}

    def remember(raw: bytes, ledger_id: bytes) -> SignedSample:
        parsed[raw] = signed_sample.parse(raw, ledger_id)
        return parsed[raw]

    first = execute(
        ledger.state, ledger.head, commit, [block], EPOCH, crypto.verify, ledger.digest_of, remember
    )
    again = execute(
        ledger.state,
        ledger.head,
        commit,
        [block],
        EPOCH,
        crypto.verify,
        ledger.digest_of,
        lambda raw, ledger_id: parsed[raw],
    )
    assert first == again
    assert len(parsed) == 2


def test_a_damaged_state_stops_execution_instead_of_forking_the_ledger() -> None:
    ledger = enrolled()
    ledger.state[key("meter", BOARDS[0].kid)] = b"damaged"
    with pytest.raises(StateError, match=BOARDS[0].kid.hex()):
        ledger.commit(sample_entry(BOARDS[0].sample(1)))


def test_a_commit_out_of_turn_is_our_own_bug() -> None:
    ledger = enrolled()
    commit, block = ledger.prepare()
    late = replace(commit, index=commit.index + 1)
    with pytest.raises(AssertionError):
        execute(ledger.state, ledger.head, late, [block], EPOCH, crypto.verify, ledger.digest_of)
    with pytest.raises(AssertionError):
        execute(ledger.state, ledger.head, commit, [], EPOCH, crypto.verify, ledger.digest_of)


ALL = [entry for board in BOARDS for entry in samples_of(board, 6)]
GARBAGE = [b"", b"\x82\x01\x40", ALL[0][:-1], b"\x82\x04\x43\x80\x80\x80"]


@settings(max_examples=40)
@given(st.data())
def test_whatever_the_order_and_the_cut_into_commits_all_is_counted_once(
    data: st.DataObject,
) -> None:
    order = data.draw(st.permutations(ALL + ALL[:4] + GARBAGE))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=4)))
    ledger = enrolled()
    recorded: list[bytes] = []
    for begin, end in zip([0, *cuts], [*cuts, len(order)], strict=True):
        executed = ledger.commit(*order[begin:end])
        for outcome, raw in zip(executed.outcomes, order[begin:end], strict=True):
            if outcome.effect == RECORDED:
                recorded.append(raw)
                assert outcome.verdict in (0, 4)  # an older reading may show a higher counter
    assert sorted(recorded) == sorted(ALL)
    for board in BOARDS:
        chain = ledger.state[key("chain", board.kid)]
        assert chain == straight().state[key("chain", board.kid)]


def straight() -> CommitChain:
    """The ledger after all samples in order."""
    ledger = enrolled()
    ledger.commit(*ALL)
    return ledger


@settings(max_examples=60)
@given(st.data())
def test_a_changed_byte_in_an_entry_never_stops_a_commit(data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from([*ALL[:2], enrol_entry(Board("new", EPOCH))])))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    executed = enrolled().commit(bytes(raw))
    assert executed.outcomes[0].effect == VOID
