"""Order and time of a commit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.consensus import linearizer
from wattle_gateway.consensus.dag import Dag
from wattle_gateway.ledger.block import BlockRef
from wattle_testkit.alliance import CREATED_MS
from wattle_testkit.dag_builder import Drawing, draw

WOVEN = draw(
    """
    members: 4
    1: *
    2: A B C(* -D)
    3: A B C(* ~D1)
    """
)


def dag_of(drawing: Drawing) -> Dag:
    dag = Dag(drawing.epoch)
    for made in drawing.verified.values():
        dag.add(made.block)
    return dag


def order(leader: str, taken: str = "", floor: int = 0) -> list[str]:
    dag = dag_of(WOVEN)
    dag.take(dag.vertex(WOVEN.ref(name)) for name in taken.split())
    ordered = linearizer.order(dag, dag.vertex(WOVEN.ref(leader)), floor)
    return WOVEN.names(vertex.block for vertex in ordered)


def test_history_by_round_then_author() -> None:
    assert order("C3") == ["A1", "B1", "C1", "D1", "A2", "B2", "C2", "C3"]


def test_only_ancestors_are_taken() -> None:
    assert order("C2") == ["A1", "B1", "C1", "C2"]


def test_what_is_taken_already_is_left_out_block_by_block() -> None:
    # Rule 25: C2 is taken, and D1, below the newest of nobody, still comes.
    assert order("C3", "A1 B1 C1 C2") == ["D1", "A2", "B2", "C3"]


def test_rounds_at_the_floor_are_left_out() -> None:
    assert order("C3", floor=1) == ["A2", "B2", "C2", "C3"]


def test_twins_stand_by_digest() -> None:
    twins = draw("1: * D'\n2: A B(A1 B1 C1 D1') C\n3: A", 4)
    dag = dag_of(twins)
    blocks = [vertex.block for vertex in linearizer.order(dag, dag.vertex(twins.ref("A3")), 0)]
    assert [block.ref for block in blocks] == sorted(block.ref for block in blocks)
    assert {"D1", "D1'"} <= set(twins.names(blocks))


@given(st.permutations(sorted(WOVEN.verified)))
def test_order_does_not_depend_on_arrival(arrival: list[str]) -> None:
    dag = Dag(WOVEN.epoch)
    waiting = [WOVEN.block(name) for name in arrival]
    while waiting:
        ready = [block for block in waiting if not dag.missing(block)]
        for block in ready:
            dag.add(block)
        waiting = [block for block in waiting if block not in ready]
    ordered = linearizer.order(dag, dag.vertex(WOVEN.ref("C3")), 0)
    assert WOVEN.names(vertex.block for vertex in ordered) == order("C3")


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
    first = " ".join(f"{letter}@{times_ms[letter + '1']}" for letter in "ABCD")
    drawing = draw(f"1: {first}\n2: A({parents})@{times_ms['A2']}", 4)
    leader = drawing.block("A2")
    previous_ms += CREATED_MS
    dag = dag_of(drawing)
    return linearizer.commit_time_ms(dag, drawing.epoch, leader, previous_ms) - CREATED_MS


def test_time_is_the_lower_median_of_leader_and_other_parents() -> None:
    times = {"A1": 0, "B1": 10, "C1": 30, "D1": 20, "A2": 40}
    assert commit_time(times, "A1 B1 C1 D1") == 20  # of 10 20 30 40
    assert commit_time(times, "A1 B1 C1") == 30  # of 10 30 40


def test_one_fast_clock_does_not_move_the_time() -> None:
    times = {"A1": 0, "B1": 10, "C1": 10**12, "D1": 20, "A2": 20}
    assert commit_time(times, "A1 B1 C1 D1") == 20


def test_time_never_falls() -> None:
    times = {"A1": 0, "B1": 1, "C1": 2, "D1": 2, "A2": 3}
    assert commit_time(times, "A1 B1 C1", previous_ms=50) == 50


def test_round_zero_has_the_time_of_the_genesis() -> None:
    drawing = draw("1: A B@99 C D", 4)
    time_ms = linearizer.commit_time_ms(
        dag_of(drawing), drawing.epoch, drawing.block("B1"), CREATED_MS - 1
    )
    assert time_ms == CREATED_MS


def test_a_committee_of_one_has_its_leaders_time() -> None:
    drawing = draw("1: A\n2: A@2005", 1)
    time_ms = linearizer.commit_time_ms(
        dag_of(drawing), drawing.epoch, drawing.block("A2"), CREATED_MS
    )
    assert time_ms == CREATED_MS + 2005
