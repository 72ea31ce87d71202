"""Rules 20 and 21: slots that only a later one decides, and the order of deciding.

The graphs are of four members unless swept: slot 1 is B's, 2 C's, 3 D's, 4 A's, 5 B's.
"""

import pytest
from wattle_testkit.dag_builder import draw
from wattle_testkit.drawn_committees import each, letters, named, quorum_of, some
from wattle_testkit.rule_verdicts import commits, verdict

MANY = [4, 7, 10]
# One certificate for B1, A3: too few for rule 19, and the others hold one vote less than q.
ONE_CERTIFICATE = """
    1: *
    2: A B C D(* -B)
    3: A(A2 B2 C2) B(A2 B2 D2) C(A2 C2 D2) D(A2 C2 D2)
"""


def one_certificate(members: int) -> str:
    """The same for any committee: A alone has a certificate for B1."""
    voters = some(members, quorum_of(members), "AB")
    others = "".join(sorted(set(letters(members)) - set(voters)))
    rows = [f"A({named(voters, 2)})"]
    for letter in letters(members)[1:]:
        needed = letter if letter in others else letter + others[-1]
        rows.append(f"{letter}({named(some(members, quorum_of(members), needed), 2)})")
    return f"1: *\n2: {each(voters)} {each(others, '* -B')}\n3: {' '.join(rows)}\n"


@pytest.mark.parametrize("members", MANY)
def test_a_certificate_in_the_anchors_history_commits_rule_20(members: int) -> None:
    # The anchor is slot 4 and not slot 3, whose block has no certificate below it.
    drawing = draw(one_certificate(members) + "4-6: *", members)
    assert verdict(drawing, 1) == "B1"


@pytest.mark.parametrize("members", MANY)
def test_an_anchor_two_rounds_up_does_not_decide_rule_20(members: int) -> None:
    drawing = draw(one_certificate(members) + "4-5: *", members)
    assert verdict(drawing, 3).startswith(letters(members)[3 % members])
    assert verdict(drawing, 1) == "undecided"


def test_an_anchor_without_a_certificate_below_it_skips_rule_20() -> None:
    drawing = draw(
        """
        1: *
        2: A B C D(* -B)
        3: A(A2 B2 D2) B(A2 B2 D2) C(A2 B2 C2) D(A2 C2 D2)
        4: A(A3 B3 D3) B C D
        5-6: *
        """,
        4,
    )
    assert verdict(drawing, 4) == "A4"
    assert verdict(drawing, 1) == "skip"


def test_a_certificate_above_the_anchor_does_not_count_rule_20() -> None:
    # C3 holds a certificate, C4 knows it, and yet slot 1 is A4's to decide.
    drawing = draw(
        """
        1: *
        2: A B C D(* -B)
        3: A(A2 B2 D2) B(A2 B2 D2) C(A2 B2 C2) D(A2 C2 D2)
        4: A(A3 B3 D3) B(* -A) C D
        5-9: *
        """,
        4,
    )
    assert verdict(drawing, 1) == "skip"


def test_an_undecided_anchor_is_waited_for_rule_20() -> None:
    # Slot 4 has one certificate, A6, and slot 5 is committed: slot 1 waits for slot 4 all the same.
    drawing = draw(
        ONE_CERTIFICATE
        + """
        4: *
        5: A B C D(* -A)
        6: A(A5 B5 C5) B(A5 B5 D5) C(B5 C5 D5) D(B5 C5 D5)
        7: *
        """,
        4,
    )
    assert verdict(drawing, 5) == "B5"
    assert verdict(drawing, 4) == "undecided"
    assert verdict(drawing, 1) == "undecided"


def test_a_skipped_anchor_is_passed_over_rule_20() -> None:
    drawing = draw(ONE_CERTIFICATE + "4: *\n5: *(* -A)\n6: *\n7: *", 4)
    assert verdict(drawing, 4) == "skip"
    assert verdict(drawing, 5) == "B5"
    assert verdict(drawing, 1) == "B1"


def test_an_anchor_may_itself_be_decided_by_an_anchor_rule_20() -> None:
    drawing = draw(
        ONE_CERTIFICATE
        + """
        4: *
        5: A B C D(* -A)
        6: A(A5 B5 C5) B(A5 B5 D5) C(A5 C5 D5) D(A5 C5 D5)
        7-9: *
        """,
        4,
    )
    assert verdict(drawing, 7) == "D7"
    assert verdict(drawing, 4) == "A4"
    assert verdict(drawing, 1) == "B1"


def test_no_anchor_leaves_a_slot_open_rule_20() -> None:
    assert verdict(draw(ONE_CERTIFICATE, 4), 1) == "undecided"


def test_either_twin_may_be_the_one_that_the_anchor_finds_rule_20() -> None:
    drawing = draw(
        """
        1: * B'
        2: A(* -B B1') B(B1' C1 D1) C(* -B B1') D
        3: A(A2 B2 C2) B(A2 B2 D2) C(A2 C2 D2) D(A2 C2 D2)
        4-6: *
        """,
        4,
    )
    assert verdict(drawing, 1) == "B1'"


def test_a_slot_behind_an_undecided_one_waits_rule_21() -> None:
    drawing = draw(ONE_CERTIFICATE + "4: *\n5: *", 4)
    assert verdict(drawing, 3) == "D3"
    assert commits(drawing) == []
    drawing = draw(ONE_CERTIFICATE + "4: *\n5: *\n6: *", 4)
    assert commits(drawing)[0] == "B1"
    assert commits(drawing)[-1] == "A4"


@pytest.mark.parametrize("members", MANY)
def test_skips_leave_nothing_rule_21(members: int) -> None:
    last = members + 3
    drawing = draw(f"1-{last + 2}: * -B", members)
    turns = [f"{letters(members)[number % members]}{number}" for number in range(1, last + 1)]
    assert commits(drawing) == [name for name in turns if name[0] != "B"]


@pytest.mark.parametrize("members", MANY)
def test_trailing_skips_are_output_once_rule_21(members: int) -> None:
    # Slot n + 1 is B's and skipped; what is drawn later does not bring it back.
    slot = members + 1
    drawn = f"1-{slot - 1}: *\n{slot}-{slot + 1}: * -B\n"
    before = commits(draw(drawn, members))
    assert verdict(draw(drawn, members), slot) == "skip"
    after = commits(draw(drawn + f"{slot + 2}-{slot + 4}: *", members))
    assert after[: len(before)] == before
    assert not any(name.startswith("B") for name in after[len(before) :])
