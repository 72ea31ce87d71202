"""The DAG as a store: what it holds, what it asks for, what it forgets."""

import pytest
from wattle_gateway.consensus.dag import Dag
from wattle_testkit.dag_drawing import committee_of, draw

FOUR = committee_of(4)
DRAWING = draw(FOUR, "1: A B C D D'\n2: A B C(A1 B1 C1)\n3: A(A2 B2 C2 D1)")
BLOCKS = DRAWING.blocks


def dag_of(*names: str, floor: int = 0) -> Dag:
    dag = Dag(floor)
    for name in names:
        dag.add(BLOCKS[name])
    return dag


def test_round_zero_is_never_missing() -> None:
    assert dag_of().missing(BLOCKS["A1"]) == ()


def test_missing_parents_are_named() -> None:
    missing = dag_of("A1", "C1").missing(BLOCKS["A2"])
    assert missing == (BLOCKS["B1"].ref, BLOCKS["D1"].ref)


def test_parents_at_the_floor_are_not_missed() -> None:
    assert dag_of(floor=1).missing(BLOCKS["A2"]) == ()


def test_a_block_without_its_parents_cannot_be_added() -> None:
    with pytest.raises(AssertionError):
        dag_of().add(BLOCKS["A2"])


def test_a_second_time_changes_nothing() -> None:
    dag = dag_of("A1", "A1")
    assert len(dag) == 1
    assert dag.at(1) == (BLOCKS["A1"],)


def test_twins_are_both_held() -> None:
    dag = dag_of("D1", "D1'")
    assert set(dag.slot(1, 3)) == {BLOCKS["D1"], BLOCKS["D1'"]}


def test_a_round_is_in_order_of_authors_whatever_came_first() -> None:
    dag = dag_of("C1", "A1", "B1")
    assert DRAWING.names(dag.at(1)) == ["A1", "B1", "C1"]
    assert dag.at(2) == ()


def test_history_gives_each_ancestor_once() -> None:
    names = DRAWING.names(tuple(DRAWING.dag.history(BLOCKS["A3"].ref, 0)))
    assert sorted(names) == ["A1", "A2", "A3", "B1", "B2", "C1", "C2", "D1"]


def test_raising_the_floor_forgets_rounds() -> None:
    dag = dag_of("A1", "B1", "C1", "D1", "A2")
    dag.raise_floor(1)
    assert BLOCKS["A1"].ref not in dag
    assert BLOCKS["A2"].ref in dag
    assert dag.floor == 1
    dag.add(BLOCKS["B1"])
    assert BLOCKS["B1"].ref not in dag


def test_the_floor_never_falls() -> None:
    dag = dag_of(floor=5)
    dag.raise_floor(3)
    assert dag.floor == 5
