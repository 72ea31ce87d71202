"""The commit rule's functions on small drawings; tests/consensus has the scenarios by rule."""

import pytest
from wattle_gateway.consensus import committer
from wattle_gateway.consensus.committer import Commit, Skip
from wattle_gateway.consensus.dag import Dag
from wattle_gateway.consensus.errors import SafetyError
from wattle_testkit.dag_builder import Drawing, draw

ALL = (0, 1, 2, 3)


def dag_of(drawing: Drawing) -> Dag:
    dag = Dag(drawing.epoch)
    for made in drawing.verified.values():
        dag.add(made.block)
    return dag


def prefix(text: str, above_round: int = 0, members: int = 4) -> list[str]:
    """The decided slots in order: a name, or - for a skip."""
    drawing = draw(text, members)
    leaders = drawing.leaders
    verdicts = committer.decided_prefix(dag_of(drawing), drawing.epoch, leaders, above_round)
    return [
        drawing.name(verdict.block.ref) if isinstance(verdict, Commit) else "-"
        for verdict in verdicts
    ]


def test_leaders_take_turns() -> None:
    assert [committer.leader_of(ALL, number) for number in range(6)] == [0, 1, 2, 3, 0, 1]
    assert [committer.leader_of((0, 2), number) for number in range(1, 4)] == [2, 0, 2]


def test_three_full_rounds_commit_the_leader() -> None:
    assert prefix("1-3: *") == ["B1"]


def test_two_rounds_do_not() -> None:
    assert prefix("1-2: *") == []


def test_a_quorum_of_each_round_is_enough() -> None:
    assert prefix("1-3: * -D") == ["B1"]


def test_blames_of_a_quorum_skip_without_waiting() -> None:
    drawing = draw("1: *\n2: A(* -B) C(* -B) D(* -B)", 4)
    assert committer.decide(dag_of(drawing), drawing.epoch, ALL, 1) == Skip()


def test_the_prefix_stops_at_the_first_undecided_slot() -> None:
    # C2 has two votes: neither skipped nor committed until the anchor C6... is; D3 is committed.
    text = """
        1-2: *
        3: A B C(* -C ~C1) D(* -C)
        4-5: *
        """
    drawing = draw(text, 4)
    dag = dag_of(drawing)
    assert committer.decide(dag, drawing.epoch, ALL, 2) is None
    found = committer.decide(dag, drawing.epoch, ALL, 3)
    assert found == Commit(drawing.block("D3"))
    assert prefix(text) == ["B1"]


def test_certifiers_and_voters_are_masks_of_authors() -> None:
    drawing = draw("1-2: *\n3: A B", 4)
    dag = dag_of(drawing)
    assert committer.voters(dag, drawing.ref("B1")) == 0b1111
    assert committer.certifiers(dag, drawing.ref("B1")) == 0b0011


def test_two_certified_twins_stop_the_committer_and_are_kept() -> None:
    # Rule 23: A, C and D voted for both twins: three liars where one is borne.
    drawing = draw(
        """
        1: * B'
        2: A C D A'(A1 B1' C1 D1) C'(A1 B1' C1 D1) D'(A1 B1' C1 D1)
        3: A(A2 C2 D2) D(A2' C2' D2')
        """,
        4,
    )
    with pytest.raises(SafetyError, match="more than 1 members are faulty") as caught:
        committer.decide(dag_of(drawing), drawing.epoch, ALL, 1)
    assert set(drawing.names(caught.value.blocks)) == {"B1", "B1'"}


def test_a_committee_of_one_commits_two_rounds_later() -> None:
    assert prefix("1-2: *", members=1) == []
    assert prefix("1-3: *", members=1) == ["A1"]
    assert prefix("1-5: *", above_round=1, members=1) == ["A2", "A3"]
