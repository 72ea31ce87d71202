"""The commit rule on drawn DAGs; the leader of round 1 is B, of round 4 A (round mod n).

Rule numbers: gateway's committer module.
"""

import pytest
from wattle_gateway.consensus import committee, committer
from wattle_gateway.consensus.errors import SafetyError
from wattle_testkit.dag_drawing import Drawing, committee_of, draw

FOUR = committee_of(4)
ONE = committee_of(1)


def decided(drawing: Drawing, round_number: int) -> str | None:
    found = committer.decide_directly(drawing.dag, drawing.committee.epoch, round_number)
    return None if found is None else drawing.names((found,))[0]


def letters(mask: int) -> str:
    return "".join(letter for at, letter in enumerate("ABCD") if mask >> at & 1)


def test_leaders_take_turns() -> None:
    assert [committee.leader_of(FOUR.epoch, number) for number in range(6)] == [0, 1, 2, 3, 0, 1]
    assert committee.leader_of(ONE.epoch, 7) == 0


def test_three_full_rounds_commit_the_leader() -> None:
    drawing = draw(FOUR, "1: A B C D\n2: A B C D\n3: A B C D")
    assert decided(drawing, 1) == "B1"


def test_two_rounds_do_not() -> None:
    assert decided(draw(FOUR, "1: A B C D\n2: A B C D"), 1) is None


def test_a_quorum_of_each_round_is_enough() -> None:
    drawing = draw(FOUR, "1: A B C\n2: A B C\n3: A B C")
    assert decided(drawing, 1) == "B1"


def test_certificates_of_fewer_than_a_quorum_leave_the_slot_open() -> None:
    drawing = draw(FOUR, "1: A B C D\n2: A B C D\n3: A B")
    assert letters(committer.certifiers(drawing.dag, FOUR.epoch, drawing.blocks["B1"].ref)) == "AB"
    assert decided(drawing, 1) is None


def test_votes_of_fewer_than_a_quorum_make_no_certificate() -> None:
    drawing = draw(
        FOUR,
        """
        1: A B C D
        2: A B C(A1 C1 D1) D(A1 C1 D1)
        3: A B C D
        """,
    )
    assert letters(committer.voters(drawing.dag, drawing.blocks["B1"].ref)) == "AB"
    assert decided(drawing, 1) is None


def test_a_certificate_counts_its_own_parents_only() -> None:
    drawing = draw(
        FOUR,
        """
        1: A B C D
        2: A B C D(A1 C1 D1)
        3: A(A2 B2 C2) B(A2 B2 D2) C(A2 B2 C2) D(A2 C2 D2)
        """,
    )
    certifiers = committer.certifiers(drawing.dag, FOUR.epoch, drawing.blocks["B1"].ref)
    assert letters(certifiers) == "AC"
    assert decided(drawing, 1) is None


def test_a_weak_link_to_the_leader_is_no_vote() -> None:
    drawing = draw(
        FOUR,
        """
        1: A B C D
        2: A(A1 C1 D1) B(B1 A1 C1) C(A1 C1 D1) D(A1 C1 D1)
        3: A(A2 C2 D2 B1) B C D
        """,
    )
    assert letters(committer.voters(drawing.dag, drawing.blocks["B1"].ref)) == "B"


def test_two_votes_of_an_equivocator_count_once() -> None:
    # Rule 22: D2 and D2' both vote, so three blocks do, but only two authors.
    drawing = draw(
        FOUR,
        """
        1: A B C D
        2: A B(A1 B1 C1) C(A1 C1 D1) D D'
        3: A B C D
        """,
    )
    assert letters(committer.voters(drawing.dag, drawing.blocks["B1"].ref)) == "ABD"
    slimmer = draw(
        FOUR,
        """
        1: A B C D
        2: A(A1 C1 D1) B C(A1 C1 D1) D D'
        3: A B C D
        """,
    )
    assert letters(committer.voters(slimmer.dag, slimmer.blocks["B1"].ref)) == "BD"
    assert decided(slimmer, 1) is None


def test_two_certificates_of_an_equivocator_count_once() -> None:
    drawing = draw(FOUR, "1: A B C D\n2: A B C D\n3: A D D'")
    assert letters(committer.certifiers(drawing.dag, FOUR.epoch, drawing.blocks["B1"].ref)) == "AD"
    assert decided(drawing, 1) is None


def test_an_equivocating_leader_commits_the_twin_that_has_the_votes() -> None:
    drawing = draw(
        FOUR,
        """
        1: A B B' C D
        2: A(A1 B1' C1 D1) B(B1 A1 C1) C(A1 B1' C1) D(A1 B1' D1)
        3: A(A2 C2 D2) C(A2 C2 D2) D(A2 C2 D2)
        """,
    )
    assert decided(drawing, 1) == "B1'"


def test_two_certified_twins_stop_the_committer() -> None:
    # Rule 23: A, C and D voted for both twins: three liars where one is borne.
    drawing = draw(
        FOUR,
        """
        1: A B B' C D
        2: A(A1 B1 C1) C(A1 B1 C1) D(A1 B1 D1) A'(A1 B1' C1) C'(A1 B1' C1) D'(A1 B1' D1)
        3: A(A2 C2 D2) D(A2' C2' D2')
        """,
    )
    with pytest.raises(SafetyError, match="more than 1 members are faulty"):
        committer.decide_directly(drawing.dag, FOUR.epoch, 1)


def test_a_committee_of_one_commits_two_rounds_later() -> None:
    drawing = draw(ONE, "1: A\n2: A")
    assert decided(drawing, 1) is None
    drawing = draw(ONE, "1: A\n2: A\n3: A")
    assert decided(drawing, 1) == "A1"
    assert decided(drawing, 2) is None
