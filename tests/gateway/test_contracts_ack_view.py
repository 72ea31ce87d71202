"""What an ack tells a meter, against a twin that looks at every seq."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.contracts.chain import AckView, Chain, Gap, Run, ack_view

PIECES = st.lists(st.integers(1, 60), max_size=30, unique=True).map(sorted)
HELD = st.lists(
    st.tuples(st.integers(1, 60), st.integers(0, 5)).map(lambda pair: (pair[0], sum(pair))),
    max_size=20,
)


def run(first: int, last: int) -> Run:
    return Run(first, None, last, None)


def test_before_anything_came() -> None:
    assert ack_view(Chain(0), []) == AckView(0, 0, ())


def test_held_samples_are_durable_but_not_final() -> None:
    assert ack_view(Chain(0), [(1, 1), (2, 2)]) == AckView(0, 2, ())


def test_a_hole_is_named_missing() -> None:
    assert ack_view(Chain(0), [(1, 1), (4, 4)]) == AckView(0, 1, ((2, 3),))


def test_a_committed_run_above_a_hole_is_held() -> None:
    chain = Chain(2, (run(1, 2), run(5, 6)))
    assert ack_view(chain, []) == AckView(2, 2, ((3, 4),))
    assert ack_view(chain, [(3, 3), (4, 4)]) == AckView(2, 6, ())


def test_an_open_gap_above_a_hole_is_not_missing() -> None:
    chain = Chain(1, (run(1, 1), run(6, 6)), (Gap(3, 5, 0),))
    assert ack_view(chain, []) == AckView(1, 1, ((2, 2),))


def test_what_is_held_below_final_says_nothing_new() -> None:
    assert ack_view(Chain(9, (run(1, 9),)), [(3, 3)]) == AckView(9, 9, ())


def test_the_lowest_eight_holes_are_named() -> None:
    held = [(seq, seq) for seq in range(2, 40, 2)]
    assert ack_view(Chain(0), held).missing == tuple((seq, seq) for seq in range(1, 17, 2))


@pytest.mark.parametrize("order", [[(1, 1), (2, 5), (4, 9)], [(4, 9), (1, 1), (2, 5)]])
def test_ranges_may_overlap_and_come_in_any_order(order: list[tuple[int, int]]) -> None:
    assert ack_view(Chain(0), order) == AckView(0, 9, ())


@given(PIECES, HELD, st.integers(1, 10))
def test_view_is_its_twin(settled: list[int], held: list[tuple[int, int]], first_seq: int) -> None:
    settled = [seq for seq in settled if seq >= first_seq]
    held = [(max(first, first_seq), last) for first, last in held if last >= first_seq]
    final = first_seq - 1
    while final + 1 in settled:
        final += 1
    chain = Chain(final, tuple(run(seq, seq) for seq in settled))
    here = {seq for first, last in held for seq in range(first, last + 1)} | set(settled)
    durable = final
    while durable + 1 in here:
        durable += 1
    lost = [seq for seq in range(durable + 1, max(here, default=0)) if seq not in here]
    view = ack_view(chain, held)
    assert (view.final, view.durable) == (final, durable)
    named = [seq for first, last in view.missing for seq in range(first, last + 1)]
    assert named == lost[: len(named)]
    assert named == lost or len(view.missing) == 8
