"""The graph as a store: what it holds, counts, asks for and forgets."""

import pytest
from wattle_gateway.consensus.dag import Dag
from wattle_gateway.ledger.block import BlockRef
from wattle_testkit.dag_builder import draw

DRAWING = draw(
    """
    members: 4
    1: * D'
    2: A B C(* -D)
    3: A(A2 B2 C2 ~D1) B C
    """
)
EPOCH = DRAWING.epoch


def dag_of(*names: str, floor: int = 0) -> Dag:
    dag = Dag(EPOCH, floor)
    for name in names:
        dag.add(DRAWING.block(name))
    return dag


def whole() -> Dag:
    return dag_of(*DRAWING.verified)


def letters(mask: int) -> str:
    return "".join(letter for at, letter in enumerate("ABCD") if mask >> at & 1)


def test_round_zero_is_never_missing() -> None:
    assert dag_of().missing(DRAWING.block("A1")) == ()


def test_missing_parents_are_named() -> None:
    missing = dag_of("A1", "C1").missing(DRAWING.block("A2"))
    assert missing == (DRAWING.ref("B1"), DRAWING.ref("D1"))


def test_parents_at_the_floor_are_not_missed() -> None:
    assert dag_of(floor=1).missing(DRAWING.block("A2")) == ()


def test_a_block_without_its_parents_cannot_be_added() -> None:
    with pytest.raises(AssertionError):
        dag_of().add(DRAWING.block("A2"))


def test_a_second_time_changes_nothing() -> None:
    dag = dag_of("A1")
    assert dag.add(DRAWING.block("A1")) is None
    assert len(dag) == 1
    assert dag.at(1) == (DRAWING.block("A1"),)


def test_twins_are_both_held() -> None:
    dag = dag_of("D1", "D1'")
    found = [vertex.block.ref for vertex in dag.slot(1, 3)]
    assert found == sorted([DRAWING.ref("D1"), DRAWING.ref("D1'")])


def test_a_round_is_in_order_of_authors_whatever_came_first() -> None:
    dag = dag_of("C1", "A1", "B1")
    assert DRAWING.names(dag.at(1)) == ["A1", "B1", "C1"]
    assert dag.at(2) == ()


def test_a_digest_under_another_round_or_author_names_nothing() -> None:
    dag = dag_of("A1")
    digest = DRAWING.ref("A1").digest
    assert BlockRef(1, 0, digest) in dag
    assert BlockRef(2, 0, digest) not in dag
    assert BlockRef(1, 1, digest) not in dag


def test_votes_blames_and_certificates_are_counted_on_the_way() -> None:
    dag = whole()
    assert letters(dag.vertex(DRAWING.ref("A1")).voters) == "ABC"
    assert letters(dag.vertex(DRAWING.ref("D1")).voters) == "AB"
    assert letters(dag.vertex(DRAWING.ref("D1'")).voters) == ""
    assert letters(dag.blamers(1, 3)) == "C"
    assert letters(dag.blamers(2, 3)) == "ABC"
    assert letters(dag.vertex(DRAWING.ref("A1")).certifiers) == "ABC"
    assert letters(dag.vertex(DRAWING.ref("D1")).certifiers) == ""


def test_history_gives_each_ancestor_once() -> None:
    dag = whole()
    found = dag.untaken(dag.vertex(DRAWING.ref("A3")), 0)
    names = DRAWING.names(vertex.block for vertex in found)
    assert sorted(names) == ["A1", "A2", "A3", "B1", "B2", "C1", "C2", "D1"]


def test_history_reaches_a_round_past_others() -> None:
    dag = whole()

    def reached(top: str) -> list[str]:
        places = dag.ancestors_at(dag.vertex(DRAWING.ref(top)), 1)
        blocks = [dag.vertex(DRAWING.ref(name)) for name in ("A1", "B1", "C1", "D1", "D1'")]
        return DRAWING.names(vertex.block for vertex in blocks if vertex.place & places)

    assert reached("A3") == ["A1", "B1", "C1", "D1"]
    assert reached("C2") == ["A1", "B1", "C1"]
    assert reached("B1") == ["B1"]
    assert dag.ancestors_at(dag.vertex(DRAWING.ref("B1")), 2) == 0


def test_the_newest_block_of_an_author() -> None:
    dag = whole()

    def newest(author: int, below: int | None = None) -> str | None:
        found = dag.newest(author, below)
        return None if found is None else DRAWING.name(found.block.ref)

    assert [newest(0), newest(0, 3), newest(0, 2), newest(0, 1)] == ["A3", "A2", "A1", None]
    assert newest(3) == min("D1", "D1'", key=lambda name: DRAWING.ref(name))


def test_the_chain_of_an_author_by_rising_round() -> None:
    dag = dag_of("C1", "B1", "A1", "D1", "A2", "B2", "C2", "A3")
    chain = [vertex.block for vertex in dag.by_author(0, 1)]
    assert DRAWING.names(chain) == ["A2", "A3"]


def test_raising_the_floor_forgets_rounds() -> None:
    dag = dag_of("A1", "B1", "C1", "D1", "A2")
    removed = dag.raise_floor(1)
    assert DRAWING.names(vertex.block for vertex in removed) == ["A1", "B1", "C1", "D1"]
    assert DRAWING.ref("A1") not in dag
    assert DRAWING.ref("A2") in dag
    assert dag.floor == 1
    assert dag.add(DRAWING.block("B1")) is None
    assert DRAWING.ref("B1") not in dag
    assert dag.newest(1) is None


def test_what_is_forgotten_leaves_memory() -> None:
    dag = whole()
    removed = dag.raise_floor(1)
    assert all(vertex.parents == () for vertex in removed)


def test_the_floor_never_falls() -> None:
    dag = dag_of(floor=5)
    assert dag.raise_floor(3) == []
    assert dag.floor == 5
