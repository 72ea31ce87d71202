"""Rules 13 to 19, 22 and 23: what a graph says about a slot by itself.

Each verdict is asked of the committer and of the dumb twin, which must agree. Without a schedule
in the drawing, B leads round 1, C round 2, A round n.
"""

import pytest
from wattle_testkit.dag_builder import draw
from wattle_testkit.drawn_committees import each, faulty_max, letters, named, quorum_of, some
from wattle_testkit.rule_verdicts import commits, two_certified, verdict

MANY = [4, 7, 10]


@pytest.mark.parametrize("members", [1, 2, 3, *MANY])
def test_leaders_take_turns_by_rising_index_rule_13(members: int) -> None:
    last = 2 * members + 3
    drawing = draw(f"1-{last + 2}: *", members)
    turns = [f"{letters(members)[number % members]}{number}" for number in range(1, last + 1)]
    assert commits(drawing) == turns


def test_members_set_aside_have_no_slot_rule_13() -> None:
    drawing = draw("leaders: A C D\n1-5: *", 4)
    assert [verdict(drawing, number) for number in (1, 2, 3)] == ["C1", "D2", "A3"]


def test_any_twin_of_the_leader_can_be_committed_rule_14() -> None:
    drawing = draw(
        """
        1: * B'
        2: A(* -B B1') B(* -C) C(* -B B1') D(* -B B1')
        3: *(A2 C2 D2)
        """,
        4,
    )
    assert verdict(drawing, 1) == "B1'"


@pytest.mark.parametrize("members", [1, 2, 3, *MANY])
def test_a_proposal_is_committed_with_the_second_round_above_it_rules_15_17_19(
    members: int,
) -> None:
    leader = letters(members)[1 % members]
    assert verdict(draw("1-2: *", members), 1) == "undecided"
    assert verdict(draw("1-3: *", members), 1) == f"{leader}1"


@pytest.mark.parametrize("members", MANY)
def test_q_votes_and_q_certificates_are_enough_rules_17_19(members: int) -> None:
    quorum = some(members, quorum_of(members), "B")
    assert verdict(draw(f"1-3: {each(quorum)}", members), 1) == "B1"


@pytest.mark.parametrize("members", MANY)
def test_fewer_than_q_certificates_leave_the_slot_open_rule_19(members: int) -> None:
    few = some(members, quorum_of(members) - 1)
    assert verdict(draw(f"1-2: *\n3: {each(few)}", members), 1) == "undecided"


@pytest.mark.parametrize("members", MANY)
def test_fewer_than_q_votes_make_no_certificate_rule_17(members: int) -> None:
    voters = some(members, quorum_of(members) - 1, "B")
    others = "".join(sorted(set(letters(members)) - set(voters)))
    drawing = draw(f"1: *\n2: {each(voters)} {each(others, '* -B')}\n3: *", members)
    assert verdict(drawing, 1) == "undecided"


@pytest.mark.parametrize("members", MANY)
def test_a_certificate_counts_its_own_parents_only_rule_17(members: int) -> None:
    # All know of q votes, but only A names q voters itself; q of the others name one less.
    voters = some(members, quorum_of(members), "AB")
    others = "".join(sorted(set(letters(members)) - set(voters)))
    rows = [f"A({named(voters, 2)})"]
    for letter in letters(members)[1:]:
        needed = letter if letter in others else letter + others[-1]
        rows.append(f"{letter}({named(some(members, quorum_of(members), needed), 2)})")
    drawing = draw(f"1: *\n2: {each(voters)} {each(others, '* -B')}\n3: {' '.join(rows)}", members)
    assert verdict(drawing, 1) == "undecided"


@pytest.mark.parametrize("members", MANY)
def test_a_weak_link_to_the_leader_is_no_vote_rule_15(members: int) -> None:
    drawing = draw("1: *\n2: *(* -B)\n3: *(* -B ~B1) -B", members)
    assert verdict(drawing, 1) == "skip"


@pytest.mark.parametrize("members", MANY)
def test_a_weak_link_below_the_slot_is_still_blame_rule_16(members: int) -> None:
    slot = members + 1
    drawing = draw(f"1-{slot}: *\n{slot + 1}: *(* -B ~B{slot - 1}) -B", members)
    assert verdict(drawing, slot) == "skip"


@pytest.mark.parametrize("members", MANY)
def test_q_blames_skip_the_slot_rule_18(members: int) -> None:
    blaming = some(members, quorum_of(members), "", "B")
    assert verdict(draw(f"1: *\n2: {each(blaming, '* -B')}", members), 1) == "skip"


@pytest.mark.parametrize("members", MANY)
def test_fewer_than_q_blames_do_not_skip_rule_18(members: int) -> None:
    blaming = some(members, quorum_of(members) - 1, "", "B")
    others = "".join(sorted(set(letters(members)) - set(blaming)))
    drawing = draw(f"1: *\n2: {each(blaming, '* -B')} {each(others)}", members)
    assert verdict(drawing, 1) == "undecided"


@pytest.mark.parametrize("members", MANY)
def test_a_leader_without_a_block_is_skipped_rule_18(members: int) -> None:
    assert verdict(draw("1: * -B\n2: * -B", members), 1) == "skip"


@pytest.mark.parametrize("members", [2, 3])
def test_small_committees_skip_nobody_who_is_there_rule_18(members: int) -> None:
    # With f = 0 a skip needs a blame of everybody, the leader included.
    drawing = draw(f"1-2: *\n3: {each(letters(members)[:-1])}", members)
    assert verdict(drawing, 1) == "undecided"


@pytest.mark.parametrize("members", MANY)
def test_two_votes_of_an_equivocator_count_once_rule_22(members: int) -> None:
    # q blocks vote for B1, of q - 1 authors.
    voters = some(members, quorum_of(members) - 1, "AB")
    others = "".join(sorted(set(letters(members)) - set(voters)))
    drawing = draw(f"1: *\n2: {each(voters)} A' {each(others, '* -B')}\n3: *", members)
    assert verdict(drawing, 1) == "undecided"


@pytest.mark.parametrize("members", MANY)
def test_two_blames_of_an_equivocator_count_once_rule_22(members: int) -> None:
    blaming = some(members, quorum_of(members) - 1, "A", "B")
    drawing = draw(f"1: *\n2: {each(blaming, '* -B')} A'(* -B)", members)
    assert verdict(drawing, 1) == "undecided"


@pytest.mark.parametrize("members", MANY)
def test_two_certificates_of_an_equivocator_count_once_rule_22(members: int) -> None:
    few = some(members, quorum_of(members) - 1, "A")
    assert verdict(draw(f"1-2: *\n3: {each(few)} A'", members), 1) == "undecided"


@pytest.mark.parametrize("members", MANY)
def test_a_twin_may_stand_on_both_sides_rule_22(members: int) -> None:
    # A votes and blames. Its vote is the q-th, so the slot commits, and counting the blame with
    # those of the f others who do not vote skips nothing.
    voters = some(members, quorum_of(members), "AB")
    others = "".join(sorted(set(letters(members)) - set(voters)))
    drawing = draw(
        f"""
        1: *
        2: {each(voters)} A'(* -B) {each(others, "* -B")}
        3: {each(voters, named(voters, 2))}
        """,
        members,
    )
    assert verdict(drawing, 1) == "B1"


@pytest.mark.parametrize("members", MANY)
def test_a_twin_that_blames_completes_a_skip_rule_22(members: int) -> None:
    blaming = some(members, quorum_of(members), "A", "B")
    others = "".join(sorted(set(letters(members)) - set(blaming)))
    drawing = draw(f"1: *\n2: {each(blaming, '* -B')} A' {each(others)}", members)
    assert verdict(drawing, 1) == "skip"


@pytest.mark.parametrize("members", [7, 10])
def test_a_certificate_beats_a_weak_quorum_for_the_twin_rule_19(members: int) -> None:
    # B and the last member are liars. B1 has q votes, its twin f + 1 (the most it can have).
    liar = letters(members)[-1]
    voters = some(members, quorum_of(members), liar, "B")
    others = some(members, faulty_max(members), "B", voters)
    drawing = draw(
        f"""
        1: * B'
        2: {each(voters)} {liar}'(* -B B1') {each(others, "* -B B1'")}
        3: {each(voters, named(voters, 2))}
        """,
        members,
    )
    assert verdict(drawing, 1) == "B1"


@pytest.mark.parametrize("members", MANY)
def test_votes_split_over_twins_certify_neither_rule_17(members: int) -> None:
    half = some(members, members // 2, "B")
    others = "".join(sorted(set(letters(members)) - set(half)))
    other_twin = each(others, "* -B B1'")
    drawing = draw(f"1: * B'\n2: {each(half)} {other_twin}\n3: *", members)
    assert verdict(drawing, 1) == "undecided"


def test_two_certified_candidates_are_both_named_rule_23() -> None:
    # A, C and D each signed a vote for either twin: three liars where one is borne.
    drawing = draw(
        """
        1: * B'
        2: A C D A'(* -B B1') C'(* -B B1') D'(* -B B1')
        3: A(A2 C2 D2) D(A2' C2' D2')
        """,
        4,
    )
    assert two_certified(drawing, 1) == {"B1", "B1'"}
