"""Order and time of a commit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.consensus import linearizer
from wattle_gateway.consensus.dag import Dag
from wattle_gateway.ledger.block import BlockRef
from wattle_testkit.alliance import CREATED_MS
from wattle_testkit.dag_drawing import committee_of, draw

FOUR = committee_of(4)
WOVEN = draw(
    FOUR,
    """
    1: A B C D
    2: A B C(A1 B1 C1)
    3: A B C(A2 B2 C2 D1)
    """,
)


def order(leader: str, taken: str = "", floor: int = 0) -> list[str]:
    committed = {WOVEN.blocks[name].ref for name in taken.split()}
    ref = WOVEN.blocks[leader].ref
    return WOVEN.names(linearizer.order(WOVEN.dag, ref, committed, floor))


def test_history_by_round_then_author() -> None:
    assert order("C3") == ["A1", "B1", "C1", "D1", "A2", "B2", "C2", "C3"]


def test_only_ancestors_are_taken() -> None:
    assert order("C2") == ["A1", "B1", "C1", "C2"]


def test_what_is_taken_already_is_left_out_block_by_block() -> None:
    # Rule 25: D1 is below committed blocks of its round and still comes.
    assert order("C3", "A1 B1 C1 A2") == ["D1", "B2", "C2", "C3"]


def test_rounds_at_the_floor_are_left_out() -> None:
    assert order("C3", floor=1) == ["A2", "B2", "C2", "C3"]


def test_twins_stand_by_digest() -> None:
    twins = draw(FOUR, "1: A B C D D'\n2: A(A1 B1 D1) B(A1 B1 D1') C\n3: A(A2 B2 C2)")
    dag, leader = twins.dag, twins.blocks["A3"].ref
    blocks = linearizer.order(dag, leader, frozenset(), 0)
    assert [block.ref for block in blocks] == sorted(block.ref for block in blocks)
    assert {"D1", "D1'"} <= set(twins.names(blocks))


@given(st.permutations(sorted(WOVEN.blocks)))
def test_order_does_not_depend_on_arrival(arrival: list[str]) -> None:
    dag = Dag(0)
    waiting = [WOVEN.blocks[name] for name in arrival]
    while waiting:
        ready = [block for block in waiting if not dag.missing(block)]
        for block in ready:
            dag.add(block)
        waiting = [block for block in waiting if block not in ready]
    leader = WOVEN.blocks["C3"].ref
    assert WOVEN.names(linearizer.order(dag, leader, frozenset(), 0)) == order("C3")


@pytest.mark.parametrize(
    ("leader_round", "depth", "floor"), [(None, 60, 0), (60, 60, 0), (61, 60, 1), (7, 4, 3)]
)
def test_floor_follows_the_previous_leader(
    leader_round: int | None, depth: int, floor: int
) -> None:
    leader = None if leader_round is None else BlockRef(leader_round, 0, bytes(32))
    assert linearizer.floor_after(leader, depth) == floor


def commit_time(times_ms: dict[str, int], parents: str, previous_ms: int = 0) -> int:
    """Commit time minus CREATED_MS of a leader A2 whose parents have these times."""
    drawing = draw(
        FOUR,
        f"1: A B C D\n2: A({parents})",
        {name: CREATED_MS + time_ms for name, time_ms in times_ms.items()},
    )
    leader = drawing.blocks["A2"]
    previous_ms += CREATED_MS
    return linearizer.commit_time_ms(drawing.dag, FOUR.epoch, leader, previous_ms) - CREATED_MS


def test_time_is_the_lower_median_of_leader_and_other_parents() -> None:
    times = {"A1": 0, "B1": 10, "C1": 30, "D1": 20, "A2": 40}
    assert commit_time(times, "A1 B1 C1 D1") == 20  # of 10 20 30 40
    assert commit_time(times, "A1 B1 C1") == 30  # of 10 30 40


def test_one_fast_clock_does_not_move_the_time() -> None:
    assert commit_time({"A1": 0, "B1": 10, "C1": 10**12, "D1": 20, "A2": 20}, "A1 B1 C1 D1") == 20


def test_time_never_falls() -> None:
    assert commit_time({"A1": 0, "B1": 1, "C1": 2, "A2": 3}, "A1 B1 C1", previous_ms=50) == 50


def test_round_zero_has_the_time_of_the_genesis() -> None:
    drawing = draw(FOUR, "1: A B C D", {"B1": CREATED_MS + 99})
    time_ms = linearizer.commit_time_ms(
        drawing.dag, FOUR.epoch, drawing.blocks["B1"], CREATED_MS - 1
    )
    assert time_ms == CREATED_MS


def test_a_committee_of_one_has_its_leaders_time() -> None:
    drawing = draw(committee_of(1), "1: A\n2: A", {"A2": CREATED_MS + 2005})
    epoch = drawing.committee.epoch
    assert (
        linearizer.commit_time_ms(drawing.dag, epoch, drawing.blocks["A2"], CREATED_MS)
        == CREATED_MS + 2005
    )
