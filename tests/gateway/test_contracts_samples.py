"""Samples in commits: each class by a sample that has it alone, and what has no effect."""

from dataclasses import replace

import pytest
from wattle_gateway.contracts import chain, classes, registry, weights
from wattle_gateway.contracts.execute import HELD, RECORDED, REPEAT, VOID
from wattle_gateway.contracts.plausibility import Counter
from wattle_gateway.ledger import entry, evidence, transaction
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_testkit.alliance import (
    CREATED_MS,
    GRID,
    Board,
    enrol_entry,
    epoch_of,
    reading,
    sample_entry,
    transaction_entry,
)
from wattle_testkit.commit_chain import CommitChain

EPOCH = epoch_of()
CONSTANTS = EPOCH.constants
BOARD = Board("board", EPOCH)


@pytest.fixture
def ledger() -> CommitChain:
    """A ledger on which BOARD is enrolled."""
    made = CommitChain(EPOCH, GRID)
    made.commit(enrol_entry(BOARD))
    return made


def verdict(ledger: CommitChain, signed: SignedSample, time_ms: int = CREATED_MS) -> int:
    """The verdict of a sample that must take effect."""
    outcome = ledger.one(sample_entry(signed), time_ms)
    assert outcome.effect == RECORDED
    return outcome.verdict


def final(ledger: CommitChain) -> int:
    return registry.chain(ledger.state, BOARD.kid, BOARD.first_seq).final


def imported(ledger: CommitChain) -> Counter | None:
    return registry.register(ledger.state, BOARD.kid, 1).imported


def at(time_ms: int, **values: int) -> SignedSample:
    """Sample 1 with one reading at a time after CREATED_MS."""
    return BOARD.sample(1, [reading(CREATED_MS + time_ms, **values)])


def test_a_good_sample_is_valid_and_final(ledger: CommitChain) -> None:
    signed = at(0, ei=7)
    outcome = ledger.one(sample_entry(signed))
    assert (outcome.effect, outcome.verdict) == (RECORDED, 0)
    assert (outcome.meter, outcome.seq, outcome.digest) == (BOARD.kid, 1, signed.digest)
    assert final(ledger) == 1
    assert imported(ledger) == Counter(CREATED_MS, 7)


def test_late_by_age(ledger: CommitChain) -> None:
    assert verdict(ledger, at(0), CREATED_MS + CONSTANTS.late_ms) == 0
    late = BOARD.sample(2)
    assert verdict(ledger, late, CREATED_MS + CONSTANTS.late_ms + 1) == classes.LATE


def test_late_by_filling_a_gap(ledger: CommitChain) -> None:
    ledger.commit(sample_entry(BOARD.sample(2, gaps=[(1, 1, 1)])))
    assert final(ledger) == 2
    assert verdict(ledger, BOARD.sample(1)) == classes.LATE


def test_forked(ledger: CommitChain) -> None:
    ledger.commit(sample_entry(BOARD.sample(1)))
    broken = BOARD.sample(2, [reading(CREATED_MS + 1, ei=1)], prev=bytes(32))
    assert verdict(ledger, broken) == classes.FORKED
    assert final(ledger) == 2
    assert imported(ledger) == Counter(CREATED_MS, 0)


def test_decreasing(ledger: CommitChain) -> None:
    ledger.commit(sample_entry(at(0, ei=10)))
    lower = BOARD.sample(2, [reading(CREATED_MS + 1, ei=9)])
    assert verdict(ledger, lower) == classes.DECREASING
    assert imported(ledger) == Counter(CREATED_MS, 10)


def test_decreasing_inside_one_sample(ledger: CommitChain) -> None:
    readings = [reading(CREATED_MS, ei=10), reading(CREATED_MS + 1, ei=9)]
    assert verdict(ledger, BOARD.sample(1, readings)) == classes.DECREASING
    assert imported(ledger) is None


def test_above_rating(ledger: CommitChain) -> None:
    assert verdict(ledger, at(0, p=120_001, ei=5)) == classes.ABOVE_RATING
    assert imported(ledger) is None


@pytest.mark.parametrize(
    ("clock", "expected"),
    [("S", 0), ("I", 0), ("R", classes.CLOCK_UNSURE), ("U", classes.CLOCK_UNSURE)],
)
def test_clock_unsure(ledger: CommitChain, clock: str, expected: int) -> None:
    assert verdict(ledger, BOARD.sample(1, clock=clock)) == expected


def test_without_time_the_register_stays(ledger: CommitChain) -> None:
    ledger.commit(sample_entry(at(0, ei=10)))
    early = BOARD.sample(2, [reading(CREATED_MS - 1, ei=12)], clock="U")
    assert verdict(ledger, early) == classes.CLOCK_UNSURE
    assert imported(ledger) == Counter(CREATED_MS, 10)


def test_future(ledger: CommitChain) -> None:
    ahead = CONSTANTS.future_ms
    assert verdict(ledger, at(ahead, ei=1)) == 0
    beyond = BOARD.sample(2, [reading(CREATED_MS + ahead + 1, ei=2)])
    assert verdict(ledger, beyond) == classes.FUTURE
    assert imported(ledger) == Counter(CREATED_MS + ahead, 1)


def test_failed(ledger: CommitChain) -> None:
    assert verdict(ledger, BOARD.sample(1, [reading(CREATED_MS, status="T")])) == classes.FAILED


def test_a_failed_reading_beside_good_ones(ledger: CommitChain) -> None:
    readings = [reading(CREATED_MS, ei=4), reading(CREATED_MS + 1, status="E", ei="F", p=5)]
    assert verdict(ledger, BOARD.sample(1, readings)) == classes.FAILED
    assert imported(ledger) == Counter(CREATED_MS, 4)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [(2, classes.FAILED), (3, classes.FAILED | classes.SUBSTITUTED)],
)
def test_a_value_that_its_device_calls_a_substitute(rules: int, expected: int) -> None:
    ledger = CommitChain(epoch_of(rules=rules), GRID)
    board = Board("board", ledger.epoch)
    ledger.commit(enrol_entry(board))
    signed = board.sample(1, [reading(CREATED_MS, status="S", ei=7)])
    assert verdict(ledger, signed) == expected


def test_a_substitute_makes_no_baseline() -> None:
    names = weights.of_verdict(classes.FAILED | classes.SUBSTITUTED)
    assert weights.weight(Market(), names, weights.BASELINE) == 0
    assert weights.weight(Market(), {"failed"}, weights.BASELINE) == 1_000


def test_unknown_point(ledger: CommitChain) -> None:
    readings = [reading(CREATED_MS, 1, ei=4), reading(CREATED_MS, 2, ei=9, p=10**9)]
    assert verdict(ledger, BOARD.sample(1, readings)) == classes.UNKNOWN_POINT
    assert imported(ledger) == Counter(CREATED_MS, 4)
    assert registry.register(ledger.state, BOARD.kid, 2).imported is None


def test_misnamed(ledger: CommitChain) -> None:
    assert verdict(ledger, BOARD.sample(1, eui64=b"\2" + bytes(7))) == classes.MISNAMED
    assert imported(ledger) is None


def test_gap(ledger: CommitChain) -> None:
    assert verdict(ledger, BOARD.sample(5, gaps=[(1, 4, 2)])) == classes.GAP
    assert final(ledger) == 5


def test_classes_add_up(ledger: CommitChain) -> None:
    signed = BOARD.sample(5, [reading(CREATED_MS, status="D")], clock="R", gaps=[(1, 4, 2)])
    found = verdict(ledger, signed)
    assert classes.class_names(found) == ["clock_unsure", "failed", "gap"]


def test_every_class_has_a_bit_of_its_own() -> None:
    assert sum(classes.CLASS_NAMES) == 2 ** len(classes.CLASS_NAMES) - 1


def test_a_repeat_has_no_leaf_and_changes_nothing(ledger: CommitChain) -> None:
    again = sample_entry(BOARD.sample(1))
    ledger.commit(again)
    executed = ledger.commit(again, sample_entry(at(5, ei=9)))
    assert [outcome.effect for outcome in executed.outcomes] == [REPEAT, REPEAT]
    assert len(executed.leaves) == 1
    assert (executed.changes, executed.meters) == ((), ())


def test_twice_in_one_commit_counts_once(ledger: CommitChain) -> None:
    again = sample_entry(BOARD.sample(1))
    executed = ledger.commit(again, again)
    assert [outcome.effect for outcome in executed.outcomes] == [RECORDED, REPEAT]


def test_below_first_seq_has_no_effect() -> None:
    board = Board("later", EPOCH, first_seq=100)
    ledger = CommitChain(EPOCH, GRID)
    ledger.commit(enrol_entry(board))
    assert ledger.one(sample_entry(board.sample(99))).effect == REPEAT
    assert ledger.one(sample_entry(board.sample(100))).effect == RECORDED


def test_a_meter_that_is_not_enrolled_has_no_effect(ledger: CommitChain) -> None:
    stranger = Board("stranger", EPOCH)
    outcome = ledger.one(sample_entry(stranger.sample(1)))
    assert (outcome.effect, outcome.meter, outcome.leaf) == (VOID, stranger.kid, None)


def test_enrolment_counts_from_its_place_in_the_commit() -> None:
    ledger = CommitChain(EPOCH, GRID)
    executed = ledger.commit(
        sample_entry(BOARD.sample(1)), enrol_entry(BOARD), sample_entry(BOARD.sample(2))
    )
    assert [outcome.effect for outcome in executed.outcomes] == [VOID, RECORDED, RECORDED]
    assert executed.meters == (BOARD.kid,)


def test_a_signature_of_another_has_no_effect(ledger: CommitChain) -> None:
    one, other = BOARD.sample(1), BOARD.sample(2)
    forged = one.raw[:-64] + other.raw[-64:]
    assert ledger.one(entry.encode(entry.SAMPLE, forged, 60_000)).effect == VOID


@pytest.mark.parametrize("raw", [b"", b"\x82\x01\x40", b"\x82\x05\x40", bytes(100)])
def test_garbage_in_a_block_has_no_effect(ledger: CommitChain, raw: bytes) -> None:
    before = dict(ledger.state)
    executed = ledger.commit(raw, sample_entry(BOARD.sample(1)))
    assert [outcome.effect for outcome in executed.outcomes] == [VOID, RECORDED]
    assert before.items() <= ledger.state.items()


def test_too_many_runs_hold_a_sample_until_there_is_room() -> None:
    epoch = epoch_of(constants=Constants(runs_max=2))
    board = Board("board", epoch)
    ledger = CommitChain(epoch, GRID)
    ledger.commit(enrol_entry(board), *(sample_entry(board.sample(seq)) for seq in (3, 5)))
    before = dict(ledger.state)
    assert ledger.one(sample_entry(board.sample(7))).effect == HELD
    assert ledger.state == before
    ledger.commit(sample_entry(board.sample(4)))
    assert ledger.one(sample_entry(board.sample(7))).effect == RECORDED


class TestRevoked:
    """BOARD, revoked at CREATED_MS with 5 as the last seq; 1 is committed, 2 and 3 are a gap."""

    @pytest.fixture
    def ledger(self) -> CommitChain:
        """The ledger after the revocation."""
        made = CommitChain(EPOCH, GRID)
        revoke = transaction_entry(EPOCH, GRID, transaction.REVOKE, [BOARD.kid, 5], nonce=1)
        gap = sample_entry(BOARD.sample(4, gaps=[(2, 3, 1)]))
        made.commit(enrol_entry(BOARD), sample_entry(BOARD.sample(1)), gap, revoke)
        return made

    def test_gaps_are_closed(self, ledger: CommitChain) -> None:
        found = registry.chain(ledger.state, BOARD.kid, 1)
        assert [(run.first, run.last) for run in found.runs] == [(1, 4)]
        assert found.gaps == ()
        assert ledger.one(sample_entry(BOARD.sample(2))).effect == REPEAT

    def test_up_to_the_last_seq_samples_count_for_a_day(self, ledger: CommitChain) -> None:
        end_ms = CREATED_MS + CONSTANTS.gap_open_ms
        signed = BOARD.sample(5, [reading(end_ms)])
        assert ledger.one(sample_entry(signed), end_ms).effect == RECORDED

    def test_after_that_they_do_not(self, ledger: CommitChain) -> None:
        end_ms = CREATED_MS + CONSTANTS.gap_open_ms + 1
        assert ledger.one(sample_entry(BOARD.sample(5)), end_ms).effect == REPEAT

    def test_above_the_last_seq_none_counts(self, ledger: CommitChain) -> None:
        assert ledger.one(sample_entry(BOARD.sample(6))).effect == REPEAT

    def test_a_gap_declared_later_closes_at_once(self) -> None:
        ledger = CommitChain(EPOCH, GRID)
        revoke = transaction_entry(EPOCH, GRID, transaction.REVOKE, [BOARD.kid, 5], nonce=1)
        ledger.commit(enrol_entry(BOARD), revoke)
        ledger.commit(sample_entry(BOARD.sample(3, gaps=[(1, 2, 1)])))
        assert ledger.one(sample_entry(BOARD.sample(1))).effect == REPEAT
        assert final(ledger) == 3


def test_an_expired_gap_takes_no_sample(ledger: CommitChain) -> None:
    ledger.commit(sample_entry(BOARD.sample(3, gaps=[(1, 2, 1)])))
    end_ms = CREATED_MS + CONSTANTS.gap_open_ms
    assert ledger.one(sample_entry(BOARD.sample(1)), end_ms).effect == RECORDED
    before = dict(ledger.state)
    assert ledger.one(sample_entry(BOARD.sample(2)), end_ms + 1).effect == REPEAT
    assert ledger.state == before
    ledger.commit(sample_entry(BOARD.sample(4)), time_ms=end_ms + 1)
    assert registry.chain(ledger.state, BOARD.kid, 1).gaps == ()


class TestEvidence:
    """Two samples of one seq."""

    ONE = BOARD.sample(7)
    OTHER = BOARD.sample(7, [reading(CREATED_MS, ei=5)])

    def entry(self, one: SignedSample, other: SignedSample) -> bytes:
        return entry.encode(entry.EVIDENCE, evidence.two_samples(one, other).encode(), 60_000)

    def test_a_fork_is_recorded_once(self, ledger: CommitChain) -> None:
        raw = self.entry(self.ONE, self.OTHER)
        outcome = ledger.one(raw)
        assert (outcome.effect, outcome.verdict) == (RECORDED, 0)
        assert (outcome.meter, outcome.seq) == (BOARD.kid, 7)
        digests = tuple(sorted([self.ONE.digest, self.OTHER.digest]))
        assert registry.fork(ledger.state, BOARD.kid, 7) == digests
        assert ledger.one(raw).effect == REPEAT

    def test_a_third_sample_of_the_seq_says_nothing_new(self, ledger: CommitChain) -> None:
        ledger.commit(self.entry(self.ONE, self.OTHER))
        third = BOARD.sample(7, [reading(CREATED_MS, ei=6)])
        assert ledger.one(self.entry(self.ONE, third)).effect == REPEAT

    def test_it_does_not_touch_the_chain(self, ledger: CommitChain) -> None:
        before = registry.chain(ledger.state, BOARD.kid, 1)
        ledger.commit(self.entry(self.ONE, self.OTHER))
        assert registry.chain(ledger.state, BOARD.kid, 1) == before == chain.new_chain(1)

    def test_a_signature_that_fails_shows_nothing(self, ledger: CommitChain) -> None:
        for good, bad in [(self.ONE, self.OTHER), (self.OTHER, self.ONE)]:
            forged = replace(bad, raw=bad.raw[:-64] + good.raw[-64:])
            assert ledger.one(self.entry(good, forged)).effect == VOID
        assert registry.fork(ledger.state, BOARD.kid, 7) is None

    def test_a_meter_that_is_not_enrolled_is_no_ones(self) -> None:
        ledger = CommitChain(EPOCH, GRID)
        assert ledger.one(self.entry(self.ONE, self.OTHER)).effect == VOID
