"""Rules 10 and 12: when a member makes a block, and what it names. The member is A unless named;
what the others do is drawn, as they do without A."""

import pytest
from wattle_gateway.consensus.engine import (
    IDLE_ROUND_MS,
    SAMPLE_ROUND_MS,
    URGENT_ROUND_MS,
)
from wattle_testkit.dag_builder import draw
from wattle_testkit.drawn_committees import each, faulty_max, letters, named, quorum_of
from wattle_testkit.drawn_member import give, member_of, parents, rounds
from wattle_testkit.paper_member import PaperMember

MANY = [4, 7, 10]
OTHERS = "1: B C D\n2-9: * -A"  # of four; A's slots are 4 and 8


@pytest.mark.parametrize("members", [2, 3, *MANY])
def test_a_round_opens_with_blocks_of_q_authors_rule_10(members: int) -> None:
    drawing = draw(f"1: {each(letters(members))}", members)
    member = member_of(drawing)
    member.tick(IDLE_ROUND_MS)
    assert rounds(member) == [1]
    others = letters(members)[1:]
    member.accept(drawing.pick(named(others[: quorum_of(members) - 2], 1)))
    member.tick(5 * IDLE_ROUND_MS)
    assert rounds(member) == [1]
    member.accept(drawing.pick(named(others[: quorum_of(members) - 1], 1)))
    member.tick(6 * IDLE_ROUND_MS)
    assert rounds(member) == [1, 2]


def test_two_blocks_of_an_equivocator_open_nothing_rules_10_22() -> None:
    drawing = draw("1: B B'", 4)
    member = member_of(drawing)
    member.tick(IDLE_ROUND_MS)
    member.accept(drawing.all_but())
    member.tick(5 * IDLE_ROUND_MS)
    assert rounds(member) == [1]


def test_whoever_sees_a_later_quorum_goes_there_rule_10() -> None:
    drawing = draw(OTHERS, 4)
    member = member_of(drawing)
    give(member, drawing, 1, 6)
    member.tick(URGENT_ROUND_MS)
    assert rounds(member) == [7]
    assert parents(member, drawing) == "A0 B6 C6 D6"


def test_rounds_once_left_are_never_filled_rule_10() -> None:
    drawing = draw(OTHERS, 4)
    member = member_of(drawing)
    give(member, drawing, 1, 6)
    for step in range(1, 50):
        member.tick(step * 20_000)
    assert rounds(member) == [7]  # nor twice, as long as round 7 is not full


def test_parents_are_own_first_and_all_of_the_round_below_rule_12() -> None:
    drawing = draw(OTHERS, 4)
    member = member_of(drawing)
    member.tick(IDLE_ROUND_MS)
    assert parents(member, drawing) == "A0 B0 C0 D0"
    give(member, drawing, 1, 1)
    member.tick(2 * IDLE_ROUND_MS)
    assert parents(member, drawing) == "own1 B1 C1 D1"


def test_the_slow_are_named_once_rule_12() -> None:
    drawing = draw("1: * -A\n2: *(* -G) -A -G\n3-4: * -A -G", 7)
    member = member_of(drawing)
    member.propose("x!")
    member.tick(URGENT_ROUND_MS)
    for number, late in ((1, ""), (2, " G1"), (3, "")):
        member.accept(drawing.pick(named("BCDEF", number) + late))
        member.tick(member.steady_ms + 10_000)
    found = [made.block.parents for made in member.sent]
    assert rounds(member) == [1, 2, 3, 4]
    assert [drawing.ref("G1") in refs for refs in found] == [False, False, True, False]


def test_of_an_equivocator_nothing_is_named_any_more_rule_12() -> None:
    drawing = draw("1: * -A D'\n2: B C D", 4)
    member = member_of(drawing)
    member.tick(IDLE_ROUND_MS)
    member.accept(drawing.pick("B1 C1 D1"))
    member.tick(2 * IDLE_ROUND_MS)
    assert parents(member, drawing) == "own1 B1 C1 D1"
    member.accept(drawing.pick("D1' B2 C2 D2"))
    member.tick(3 * IDLE_ROUND_MS)
    assert parents(member, drawing) == "own2 B2 C2"


def test_an_equivocator_is_named_where_q_need_it_rule_12() -> None:
    # C, honest and ahead, left round 1 empty: without D the round would stay closed for ever.
    drawing = draw("1: * -A D'", 4)
    member = member_of(drawing)
    member.tick(IDLE_ROUND_MS)
    member.accept(drawing.pick("B1 D1 D1'"))
    member.tick(3 * IDLE_ROUND_MS)
    assert rounds(member) == [1, 2]
    assert parents(member, drawing) in ("own1 B1 D1", "own1 B1 D1'")


@pytest.mark.parametrize("members", [2, 3])
def test_without_f_an_equivocator_is_still_named_rule_12(members: int) -> None:
    drawing = draw(f"1: {each(letters(members))} B'", members)
    member = member_of(drawing)
    member.tick(IDLE_ROUND_MS)
    member.accept(drawing.all_but("A1"))
    member.tick(2 * IDLE_ROUND_MS)
    assert rounds(member) == [1, 2]
    assert member.engine.twins == {1}


def test_at_most_f_equivocators_are_left_out_rule_12() -> None:
    # Three of seven, where two are borne: whoever was found out last is named.
    drawing = draw("1: * E' F' G'", 7)
    member = member_of(drawing)
    member.tick(IDLE_ROUND_MS)
    for letter in "EFG":
        member.accept(drawing.pick(f"{letter}1 {letter}1'"))
    member.accept(drawing.pick("B1 C1 D1"))
    member.tick(2 * IDLE_ROUND_MS)
    assert [ref.author for ref in member.sent[-1].block.parents] == [0, 1, 2, 3, 6]


def test_an_accused_member_is_named_no_more_rule_12() -> None:
    drawing = draw("1: * -A", 4)
    member = member_of(drawing)
    member.tick(IDLE_ROUND_MS)
    member.engine.accuse(3)
    member.accept(drawing.all_but())
    member.tick(2 * IDLE_ROUND_MS)
    assert parents(member, drawing) == "own1 B1 C1"
    assert member.cheats == []


def test_a_block_is_stored_before_it_is_sent_rule_12() -> None:
    # The paper member checks it at every output.
    member = member_of(draw(OTHERS, 4))
    member.tick(IDLE_ROUND_MS)
    assert [made.block.ref for made in member.sent] == list(member.store.blocks)


@pytest.mark.parametrize("members", [1, *MANY])
def test_no_round_is_signed_twice_over_a_restart_rule_12(members: int) -> None:
    drawing = draw("1-9: * -A" if members > 1 else "1: A", members)
    member = member_of(drawing)
    signed: list[int] = []
    for step in range(9):
        if members > 1:
            give(member, drawing, 1, step)
        member.tick(member.steady_ms + IDLE_ROUND_MS)
        signed += rounds(member)
        store = member.store
        member = PaperMember(drawing.committee, 0, store=store, steady_ms=member.steady_ms)
        member.tick(member.steady_ms)
    assert len(signed) > 5
    assert signed == sorted(set(signed))


def test_the_highest_round_ever_signed_counts_even_without_its_block_rule_12() -> None:
    drawing = draw(OTHERS, 4)
    member = member_of(drawing)
    member.store.own_floor = 6
    member = PaperMember(drawing.committee, 0, store=member.store)
    member.tick(0)
    give(member, drawing, 1, 5)
    member.tick(10 * IDLE_ROUND_MS)
    assert rounds(member) == []
    give(member, drawing, 6, 6)
    member.tick(11 * IDLE_ROUND_MS)
    assert rounds(member) == [7]


@pytest.mark.parametrize(
    ("words", "pace_ms"), [("", IDLE_ROUND_MS), ("x", SAMPLE_ROUND_MS), ("x!", URGENT_ROUND_MS)]
)
def test_what_is_uncommitted_sets_the_pace_rule_12(words: str, pace_ms: int) -> None:
    member = member_of(draw(OTHERS, 4))
    if words:
        member.propose(words)
    member.tick(pace_ms - 1)
    assert rounds(member) == []
    member.tick(pace_ms)
    assert rounds(member) == [1]
    assert len(member.sent[0].entries) == len(words.split())


@pytest.mark.parametrize(
    ("mark", "pace_ms"), [("", IDLE_ROUND_MS), ("[x]", SAMPLE_ROUND_MS), ("[x!]", URGENT_ROUND_MS)]
)
def test_what_others_have_uncommitted_sets_the_pace_too_rule_12(mark: str, pace_ms: int) -> None:
    drawing = draw(f"1: B{mark} C D", 4)
    member = member_of(drawing)
    member.tick(IDLE_ROUND_MS)
    member.accept(drawing.all_but())
    member.tick(IDLE_ROUND_MS + pace_ms - 1)
    assert rounds(member) == [1]
    member.tick(IDLE_ROUND_MS + pace_ms)
    assert rounds(member) == [1, 2]


@pytest.mark.parametrize("members", [2, 3, *MANY])
def test_f_plus_one_others_ahead_are_followed_and_f_are_not_rule_12(members: int) -> None:
    drawing = draw(f"1: {each(letters(members)[1:])}", members)
    member = member_of(drawing)
    ahead = named(letters(members)[1 : faulty_max(members) + 2], 1).split()
    member.accept(drawing.pick(" ".join(ahead[:-1])))
    member.tick(URGENT_ROUND_MS)
    assert rounds(member) == []
    member.accept(drawing.pick(ahead[-1]))
    member.tick(URGENT_ROUND_MS)
    assert rounds(member) == [1]


@pytest.mark.parametrize("members", [4, 7, 10])
def test_one_other_ahead_is_followed_at_the_pace_of_samples_rule_12(members: int) -> None:
    drawing = draw("1: B", members)
    member = member_of(drawing)
    member.accept(drawing.all_but())
    member.tick(SAMPLE_ROUND_MS - 1)
    assert rounds(member) == []
    member.tick(SAMPLE_ROUND_MS)
    assert rounds(member) == [1]


def test_equivocators_hurry_nobody_rule_12() -> None:
    # Neither by being ahead nor by a transaction that may never be ordered.
    drawing = draw("1: D[x!] D'", 4)
    member = member_of(drawing)
    member.accept(drawing.all_but())
    member.tick(IDLE_ROUND_MS - 1)
    assert rounds(member) == []


def test_nothing_is_proposed_while_commits_wait_for_execution_rule_12() -> None:
    drawing = draw(OTHERS, 4)
    member = member_of(drawing)
    member.executes = False
    give(member, drawing, 1, 4)
    member.tick(10 * IDLE_ROUND_MS)
    assert rounds(member) == []
    member.execute()
    assert rounds(member) == [5]
    assert member.sent[-1].block.commit_vote.index == member.commits[-1].index == 2


def test_a_block_votes_for_the_newest_executed_commit_rule_2() -> None:
    drawing = draw(OTHERS, 4)
    member = member_of(drawing)
    votes = []
    for number in range(1, 7):
        give(member, drawing, number, number)
        member.tick(member.steady_ms + IDLE_ROUND_MS)
        vote = member.sent[-1].block.commit_vote
        assert vote == member.store.head.vote
        votes.append(vote.index)
    assert votes == [0, 0, 1, 2, 3, 3]


def test_own_time_never_runs_backwards_rule_2() -> None:
    drawing = draw(OTHERS, 4)
    member = member_of(drawing)
    give(member, drawing, 1, 1)
    member.tick(IDLE_ROUND_MS)
    member.skew_ms = -3_600_000
    give(member, drawing, 2, 2)
    member.tick(2 * IDLE_ROUND_MS)
    first, second = (made.block.time_ms for made in member.sent[-2:])
    assert len(member.sent) == 2
    assert second == first


def test_an_observer_never_signs() -> None:
    drawing = draw("1-9: *", 4)
    member = PaperMember(drawing.committee, None)
    member.accept(drawing.all_but())
    for step in range(1, 9):
        member.tick(step * IDLE_ROUND_MS)
    assert member.sent == []
    assert len(member.commits) == 7
    assert member.engine.own_round == 0
