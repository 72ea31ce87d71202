"""Rule 11: what a round waits for, and how long. The member is A; what the others do is drawn."""

import pytest
from wattle_gateway.consensus import patience
from wattle_gateway.consensus.engine import LEADER_WAIT_MS, URGENT_ROUND_MS
from wattle_testkit.dag_builder import Drawing, draw
from wattle_testkit.drawn_committees import letters
from wattle_testkit.drawn_member import give, member_of, parents, rounds
from wattle_testkit.paper_member import PaperMember


def in_round_2(drawing: Drawing) -> PaperMember:
    """A, which has something to say, in round 2 with everybody's block of round 1."""
    member = member_of(drawing)
    member.propose("x!")
    member.tick(URGENT_ROUND_MS)
    give(member, drawing, 1, 1)
    member.tick(2 * URGENT_ROUND_MS)
    assert rounds(member) == [1, 2]
    return member


def test_a_member_waits_for_the_leaders_block_rule_11() -> None:
    # Slot 2 is C's.
    drawing = draw("1: * -A\n2: B C D\n3: B C D", 4)
    member = in_round_2(drawing)
    member.accept(drawing.pick("B2 D2"))
    opened_ms = member.steady_ms
    member.tick(opened_ms + LEADER_WAIT_MS - 1)
    assert rounds(member) == [1, 2]
    member.tick(opened_ms + LEADER_WAIT_MS)
    assert rounds(member) == [1, 2, 3]
    assert parents(member, drawing) == "own2 B2 D2"


def test_the_leaders_block_ends_the_wait_rule_11() -> None:
    drawing = draw("1: * -A\n2: B C D", 4)
    member = in_round_2(drawing)
    member.accept(drawing.pick("B2 D2"))
    member.tick(3 * URGENT_ROUND_MS)
    assert rounds(member) == [1, 2]
    member.accept(drawing.pick("C2"))
    assert rounds(member) == [1, 2, 3]


# Of seven, F and G do not vote for B1; slot 2 is C's.
SOME_VOTES = "1: * -A\n2: B C D E F(C1 D1 E1 F1 G1) G(C1 D1 E1 F1 G1)"


def test_a_member_waits_for_votes_that_may_still_come_rule_11() -> None:
    drawing = draw(SOME_VOTES, 7)
    member = in_round_2(drawing)
    member.accept(drawing.pick("C2 D2 F2 G2"))
    member.tick(member.steady_ms + LEADER_WAIT_MS - 1)
    member.accept(drawing.pick("B2"))
    assert rounds(member) == [1, 2]
    member.accept(drawing.pick("E2"))
    assert rounds(member) == [1, 2, 3]
    assert parents(member, drawing) == "own2 B2 C2 D2 E2 F2 G2"


def test_a_member_does_not_wait_for_votes_for_ever_rule_11() -> None:
    drawing = draw(SOME_VOTES, 7)
    member = in_round_2(drawing)
    member.accept(drawing.pick("C2 D2 F2 G2"))
    member.tick(member.steady_ms + LEADER_WAIT_MS)
    assert rounds(member) == [1, 2, 3]


def test_nobody_waits_for_votes_that_are_too_few_rule_11() -> None:
    drawing = draw(SOME_VOTES.replace("E F(", "E(C1 D1 E1 F1 G1) F("), 7)
    member = in_round_2(drawing)
    member.accept(drawing.pick("C2 E2 F2 G2"))
    member.tick(3 * URGENT_ROUND_MS)
    assert rounds(member) == [1, 2, 3]


@pytest.mark.parametrize(
    ("behind", "wait_ms"),
    [(-40, 250), (0, 250), (7, 250), (8, 500), (16, 1000), (40, 8000), (4000, 8000)],
)
def test_the_wait_grows_while_nothing_commits_rule_11(behind: int, wait_ms: int) -> None:
    assert patience.wait_ms(draw("1: *", 4).epoch, behind) == wait_ms


def test_a_member_without_commits_is_patient_rule_11() -> None:
    """Three of six others name the leader's block and three do not: nothing is ever decided."""
    others = letters(7)[1:]
    lines = ["1: * -A"]
    for number in range(2, 16):
        leader = letters(7)[(number - 1) % 7]
        blamers = [letter for letter in others if letter != leader][:3]
        blocks = [
            f"{letter}(* -{leader})" if letter in blamers and leader != "A" else letter
            for letter in others
        ]
        lines.append(f"{number}: {' '.join(blocks)}")
    drawing = draw("\n".join(lines), 7)
    member = member_of(drawing)
    member.propose("x!")
    give(member, drawing, 1, 14)
    member.tick(URGENT_ROUND_MS)
    opened_ms = member.steady_ms
    member.accept(drawing.pick("C15 D15 E15 F15 G15"))  # slot 15 is B's
    assert rounds(member) == [15]
    member.tick(opened_ms + 2 * LEADER_WAIT_MS - 1)
    assert rounds(member) == [15]
    member.tick(opened_ms + 2 * LEADER_WAIT_MS)
    assert rounds(member) == [15, 16]


def test_nobody_waits_for_its_own_block_or_for_another_round_rule_11() -> None:
    # Slot 3 is D's and here, slot 4 is A's own.
    drawing = draw("1: * -A\n2-3: B C D", 4)
    member = member_of(drawing)
    member.propose("x!")
    give(member, drawing, 1, 3)
    member.tick(URGENT_ROUND_MS)
    assert rounds(member) == [4]
