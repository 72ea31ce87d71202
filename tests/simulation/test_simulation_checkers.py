"""Each checker says so when its rule is broken, and nothing when it is not."""

from dataclasses import replace

import pytest
from wattle_gateway.contracts.execute import RECORDED, REPEAT, Executed, Outcome
from wattle_gateway.ledger import entry
from wattle_gateway.ledger.block import Block, BlockRef, CommitVote
from wattle_gateway.ledger.commit import CommitHead
from wattle_testkit.simulation.checkers import (
    Agreement,
    OneBlockARound,
    Promises,
    ViolationError,
    check_nothing_undeclared,
)
from wattle_testkit.simulation.progress_rule import Progress, progress_rounds

METER = b"meter..."
HEAD = CommitHead(1, 5, b"d" * 32, b"s" * 32)


def executed(*outcomes: Outcome, head: CommitHead = HEAD) -> Executed:
    return Executed(head, (), outcomes, (), (), None, ())


def outcome(kind: int, *, effect: str = RECORDED, seq: int = 1) -> Outcome:
    ref = BlockRef(1, 0, b"b" * 32)
    return Outcome(ref, 0, kind, effect, 0, 0, METER, seq, b"x" * 32)


def block(round_number: int, digest: bytes = b"1" * 32) -> Block:
    vote = CommitVote(0, b"0" * 32)
    return Block(0, 0, round_number, 0, (), vote, None, b"kid.....", digest, b"", b"")


def test_equal_commits_agree_and_different_ones_do_not() -> None:
    agreement = Agreement()
    assert agreement.executed("a", executed())
    assert not agreement.executed("b", executed())
    for other in (replace(HEAD, digest=b"e" * 32), replace(HEAD, state_digest=b"t" * 32)):
        with pytest.raises(ViolationError, match="agreement: commit 1 of c"):
            agreement.executed("c", executed(head=other))


@pytest.mark.parametrize("kind", [entry.SAMPLE, entry.TRANSACTION])
def test_nothing_is_recorded_twice(kind: int) -> None:
    agreement = Agreement()
    agreement.executed("a", executed(outcome(kind)))
    agreement.executed("b", executed(outcome(kind)))
    second = replace(HEAD, index=2)
    agreement.executed("a", executed(outcome(kind, effect=REPEAT), head=second))
    with pytest.raises(ViolationError, match="accepted once"):
        agreement.executed("a", executed(outcome(kind), head=replace(HEAD, index=3)))


def test_a_second_block_of_a_round_is_found_unless_excused() -> None:
    rule = OneBlockARound()
    rule.sent("a", block(1))
    rule.sent("a", block(1))
    rule.sent("a", block(2, b"2" * 32))
    with pytest.raises(ViolationError, match="one block a round"):
        rule.sent("a", block(1, b"3" * 32))
    rule.excuse(b"kid.....")
    rule.sent("a", block(1, b"3" * 32))
    assert rule.broken_by_excused == 1


def test_what_was_promised_must_be_in_the_log() -> None:
    promises = Promises()
    for seq in (1, 2, 4):
        promises.stored("a", METER, seq)
    promises.made("a", METER, 3)
    promises.made("a", METER, 1)
    promises.check(METER, {(METER, 1), (METER, 2)}, [])
    promises.check(METER, {(METER, 1)}, [(2, 3)])
    with pytest.raises(ViolationError, match="acknowledged sample 2"):
        promises.check(METER, {(METER, 1)}, [])
    promises.voided("a")
    promises.check(METER, set(), [])


def test_a_lost_sample_must_have_been_declared() -> None:
    check_nothing_undeclared(METER, 3, {(METER, 1), (METER, 3)}, [(2, 2)])
    with pytest.raises(ViolationError, match="sample 2"):
        check_nothing_undeclared(METER, 3, {(METER, 1), (METER, 3)}, [])


def test_rounds_without_a_commit_after_healing_are_counted() -> None:
    progress = Progress(4)
    progress.sent(block(500), 7)
    progress.healed(7)
    last = 500 + progress_rounds(4)
    progress.sent(block(last), 7)
    with pytest.raises(ViolationError, match="no commit in 16 rounds after healing in round 500"):
        progress.sent(block(last + 1), 7)


def test_a_commit_after_healing_ends_the_count() -> None:
    progress = Progress(4)
    progress.healed(7)
    progress.sent(block(2), 8)
    progress.sent(block(1_000), 8)
