"""The chain of a meter, rule by rule (SPEC section 12)."""

import pytest
from wattle_gateway.contracts import chain as rules
from wattle_gateway.contracts.chain import Admitted, Arrival, Chain, Gap, Run
from wattle_gateway.contracts.errors import RunsFullError, StateError
from wattle_wire import cbor

NOW_MS = 1_000_000
OPEN_MS = 86_400_000


def digest(seq: int) -> bytes:
    return seq.to_bytes(32, "big")


def sample(seq: int, *declares: tuple[int, int], start: bool = False) -> Arrival:
    """The honest sample of a seq: linked to the one before it."""
    return Arrival(seq, None if start else digest(seq - 1), digest(seq), declares)


def admit(
    chain: Chain,
    arrival: Arrival,
    *,
    first_seq: int = 1,
    time_ms: int = NOW_MS,
    runs_max: int = 64,
    gaps_open: bool = True,
) -> Admitted | None:
    return rules.admit(chain, first_seq, arrival, time_ms, runs_max, gaps_open=gaps_open)


def after(*arrivals: Arrival, first_seq: int = 1) -> Chain:
    """The chain after these samples, all of which must take effect without a broken link."""
    chain = rules.new_chain(first_seq)
    for arrival in arrivals:
        admitted = admit(chain, arrival, first_seq=first_seq)
        assert admitted is not None
        assert not admitted.forked
        chain = admitted.chain
    return chain


def run(first: int, last: int) -> Run:
    """The run of honest samples first .. last."""
    return Run(first, digest(first - 1), last, digest(last))


def test_nothing_is_final_before_the_first_sample() -> None:
    assert rules.new_chain(5) == Chain(4)


def test_samples_in_order_make_one_run() -> None:
    assert after(sample(1), sample(2), sample(3)) == Chain(3, (run(1, 3),))


def test_samples_in_any_order_make_the_same_run() -> None:
    assert after(sample(3), sample(1), sample(2)) == after(sample(1), sample(2), sample(3))


def test_final_stops_at_the_first_hole() -> None:
    assert after(sample(1), sample(2), sample(4)) == Chain(2, (run(1, 2), run(4, 4)))
    assert after(sample(2)).final == 0


def test_final_counts_from_the_first_seq_of_the_meter() -> None:
    assert after(sample(1000, start=True), first_seq=1000).final == 1000


def test_rule_1_a_settled_seq_has_no_effect() -> None:
    chain = after(sample(1), sample(2), sample(3))
    for seq in (1, 2, 3):
        assert rules.settled(chain, seq)
        assert admit(chain, sample(seq)) is None
        assert admit(chain, Arrival(seq, None, b"another" + bytes(25))) is None
    assert not rules.settled(chain, 4)


def test_rule_3_an_absent_link_joins_by_seq_alone() -> None:
    assert after(sample(1), sample(2, start=True)) == Chain(2, (run(1, 2),))


def test_rule_3_a_broken_link_below_is_forked_and_joins_all_the_same() -> None:
    admitted = admit(after(sample(1)), Arrival(2, digest(99), digest(2)))
    assert admitted == Admitted(Chain(2, (run(1, 2),)), late=False, forked=True)


def test_rule_3_a_broken_link_above_is_forked_and_joins_all_the_same() -> None:
    admitted = admit(after(sample(2)), Arrival(1, digest(0), digest(99)))
    assert admitted == Admitted(Chain(2, (run(1, 2),)), late=False, forked=True)


def test_rule_4_a_declared_gap_counts_for_final_at_once() -> None:
    chain = after(sample(1), sample(5, (2, 4)))
    assert chain == Chain(5, (run(1, 1), run(5, 5)), (Gap(2, 4, NOW_MS),))


def test_rule_4_a_gap_covers_only_seqs_that_nothing_has() -> None:
    chain = after(sample(1), sample(3), sample(6, (1, 5)))
    assert chain.gaps == (Gap(2, 2, NOW_MS), Gap(4, 5, NOW_MS))
    assert chain.final == 6


def test_rule_4_a_gap_begins_at_the_first_seq_of_the_meter() -> None:
    chain = after(sample(9, (1, 8)), first_seq=5)
    assert chain.gaps == (Gap(5, 8, NOW_MS),)
    below = after(sample(9, (1, 3)), first_seq=5)
    assert below == Chain(4, (run(9, 9),))


def test_rule_4_a_gap_declared_twice_is_opened_once() -> None:
    chain = after(sample(1), sample(5, (2, 4)))
    again = admit(chain, sample(6, (2, 4)), time_ms=NOW_MS + 5)
    assert again is not None
    assert again.chain.gaps == (Gap(2, 4, NOW_MS),)


def test_neighbouring_gaps_of_one_time_are_one() -> None:
    chain = after(sample(1), sample(6, (2, 3), (4, 5)))
    assert chain.gaps == (Gap(2, 5, NOW_MS),)


def test_neighbouring_gaps_of_two_times_are_two() -> None:
    chain = after(sample(1), sample(9, (2, 3)))
    later = admit(chain, sample(10, (2, 5)), time_ms=NOW_MS + 1)
    assert later is not None
    assert later.chain.gaps == (Gap(2, 3, NOW_MS), Gap(4, 5, NOW_MS + 1))


@pytest.mark.parametrize(
    ("seq", "gaps"),
    [
        (2, (Gap(3, 6, NOW_MS),)),
        (4, (Gap(2, 3, NOW_MS), Gap(5, 6, NOW_MS))),
        (6, (Gap(2, 5, NOW_MS),)),
    ],
)
def test_rule_2_a_sample_splits_the_open_gap_it_fills(seq: int, gaps: tuple[Gap, ...]) -> None:
    admitted = admit(after(sample(1), sample(7, (2, 6))), sample(seq))
    assert admitted is not None
    assert admitted.late
    assert admitted.chain.gaps == gaps
    assert admitted.chain.final == 7


def test_rule_2_a_gap_filled_whole_is_gone() -> None:
    admitted = admit(after(sample(1), sample(3, (2, 2))), sample(2))
    assert admitted is not None
    assert admitted.chain == Chain(3, (run(1, 3),))


def test_rule_5_a_gap_closes_when_its_time_is_passed() -> None:
    chain = after(sample(1), sample(4, (2, 3)))
    assert rules.expire(chain, NOW_MS + OPEN_MS, OPEN_MS) == chain
    closed = rules.expire(chain, NOW_MS + OPEN_MS + 1, OPEN_MS)
    assert closed == Chain(4, (run(1, 4),))
    assert admit(closed, sample(2)) is None


def test_rule_5_a_closed_gap_has_no_links_at_its_edges() -> None:
    chain = after(sample(9, (1, 3)))
    closed = rules.expire(chain, NOW_MS + OPEN_MS + 1, OPEN_MS)
    assert closed.runs == (Run(1, None, 3, None), run(9, 9))
    joined = admit(closed, Arrival(4, digest(77), digest(4)))
    assert joined is not None
    assert not joined.forked
    assert joined.chain.runs[0] == Run(1, None, 4, digest(4))


def test_rule_5_only_gaps_that_are_due_close() -> None:
    chain = Chain(6, (run(6, 6),), (Gap(1, 2, 10), Gap(3, 5, 20)))
    closed = rules.expire(chain, OPEN_MS + 11, OPEN_MS)
    assert closed == Chain(6, (Run(1, None, 2, None), run(6, 6)), (Gap(3, 5, 20),))


def test_a_revocation_closes_all_gaps() -> None:
    chain = after(sample(1), sample(4, (2, 3)), sample(9, (6, 7)))
    closed = rules.close_gaps(chain)
    assert closed.gaps == ()
    assert closed.runs == (run(1, 4), Run(6, None, 7, None), run(9, 9))
    assert closed.final == chain.final


def test_after_a_revocation_a_declared_gap_closes_at_once() -> None:
    admitted = admit(after(sample(1)), sample(4, (2, 3)), gaps_open=False)
    assert admitted is not None
    assert admitted.chain == Chain(4, (run(1, 4),))


MEDLEY = Chain(9, (run(1, 1), run(4, 5), run(9, 9), run(12, 12)), (Gap(2, 3, 20), Gap(6, 8, 10)))


def test_rule_6_the_oldest_gap_is_closed_when_there_are_too_many() -> None:
    admitted = admit(MEDLEY, sample(20), runs_max=5)
    assert admitted is not None
    assert admitted.chain.runs == (run(1, 1), run(4, 9), run(12, 12), run(20, 20))
    assert admitted.chain.gaps == (Gap(2, 3, 20),)


def test_rule_6_as_many_are_closed_as_it_takes() -> None:
    admitted = admit(MEDLEY, sample(20), runs_max=2)
    assert admitted is not None
    assert admitted.chain == Chain(9, (run(1, 9), run(12, 12), run(20, 20)))


def test_rule_6_of_two_gaps_of_one_time_the_lower_closes() -> None:
    chain = Chain(9, MEDLEY.runs, (Gap(2, 3, 10), Gap(6, 8, 10)))
    admitted = admit(chain, sample(20), runs_max=5)
    assert admitted is not None
    assert admitted.chain.gaps == (Gap(6, 8, 10),)


def test_rule_6_a_gap_that_stands_alone_saves_nothing() -> None:
    chain = Chain(1, (run(1, 1), run(9, 9)), (Gap(3, 4, 20), Gap(6, 7, 10)))
    with pytest.raises(RunsFullError):
        admit(chain, sample(20), runs_max=3)


def test_rule_6_without_a_gap_the_sample_has_to_wait() -> None:
    chain = after(sample(1), sample(3), sample(5))
    with pytest.raises(RunsFullError, match="3 separate runs, expected at most 2"):
        admit(chain, sample(7), runs_max=2)


def test_rule_6_the_next_of_final_always_finds_room() -> None:
    admitted = admit(after(sample(1), sample(3), sample(5)), sample(2), runs_max=2)
    assert admitted is not None
    assert admitted.chain == Chain(3, (run(1, 3), run(5, 5)))


def test_rule_6_the_first_sample_finds_room_above_which_all_is_taken() -> None:
    admitted = admit(after(sample(3), sample(5)), sample(1), runs_max=2)
    assert admitted is not None
    assert admitted.chain == Chain(1, (run(1, 1), run(3, 3), run(5, 5)))


def test_state_value_round_trip() -> None:
    chain = Chain(6, (Run(1, None, 2, None), run(6, 6)), (Gap(3, 5, 20),))
    assert rules.decode(rules.encode(chain)) == chain


def test_state_value_is_what_spec_states() -> None:
    chain = Chain(6, (Run(1, None, 2, None), run(6, 6)), (Gap(3, 5, 20),))
    rows = [6, [[1, None, 2, None], [6, digest(5), 6, digest(6)]], [[3, 5, 20]]]
    assert rules.encode(chain) == cbor.encode(rows)


@pytest.mark.parametrize("value", [b"", b"\x80", cbor.encode([1, [[1, 2, 3]], []])])
def test_a_damaged_state_value_is_named(value: bytes) -> None:
    with pytest.raises(StateError, match="chain"):
        rules.decode(value)
