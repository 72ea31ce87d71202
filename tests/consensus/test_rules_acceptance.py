"""Rules 9, 23 and 24 as the engine keeps them: what enters the graph, what stops it, what comes
back. The engine is an observer's unless a member is named."""

import pytest
from wattle_gateway.consensus.acceptance import ROUNDS_AHEAD_MAX
from wattle_gateway.consensus.errors import SafetyError
from wattle_gateway.ledger.block import BlockRef
from wattle_testkit.dag_builder import Drawing, committee_of, draw, sign_block, word_of
from wattle_testkit.drawn_committees import letters
from wattle_testkit.paper_member import PaperMember

MANY = [4, 7, 10]


def observer(drawing: Drawing) -> PaperMember:
    return PaperMember(drawing.committee, None)


def held(member: PaperMember, drawing: Drawing) -> str:
    """The names of the blocks that the member has stored, in that order."""
    return " ".join(drawing.name(ref) for ref in member.store.blocks)


def test_a_block_waits_for_its_parents_rule_9() -> None:
    drawing = draw("1: *\n2: A(A1 B1 C1)", 4)
    member = observer(drawing)
    member.accept(drawing.pick("A2"))
    member.accept(drawing.pick("A1 B1"))
    assert held(member, drawing) == "A1 B1"
    assert member.engine.has(drawing.ref("A2"))
    member.accept(drawing.pick("C1"))
    assert held(member, drawing) == "A1 B1 C1 A2"


@pytest.mark.parametrize("members", [1, *MANY])
def test_a_chain_that_comes_backwards_enters_at_once_rule_9(members: int) -> None:
    drawing = draw("1-6: *", members)
    member = observer(drawing)
    member.accept(reversed(drawing.all_but()))
    stored = list(member.store.blocks)
    assert len(stored) == 6 * members
    for ref in stored:
        below = [parent for parent in member.store.blocks[ref].block.parents if parent.round]
        assert all(stored.index(parent) < stored.index(ref) for parent in below)
    assert len(member.commits) == 4


def test_parents_are_asked_for_with_those_who_hold_them_rule_9() -> None:
    drawing = draw("1: *\n2: A(A1 B1 C1) C(B1 C1 D1)", 4)
    member = observer(drawing)
    member.accept(drawing.pick("A2 C2"))
    asked = {drawing.name(ref): who for ref, who in member.engine.missing().items()}
    assert asked == {
        "A1": frozenset({0}),
        "B1": frozenset({0, 2}),
        "C1": frozenset({0, 2}),
        "D1": frozenset({2}),
    }


def test_a_parked_block_is_not_asked_for_rule_9() -> None:
    drawing = draw("1: *\n2: *\n3: A(A2 B2 C2)", 4)
    member = observer(drawing)
    member.accept(drawing.pick("A3 A2"))
    asked = [drawing.name(ref) for ref in sorted(member.engine.missing())]
    assert asked == ["A1", "B1", "C1", "D1", "B2", "C2"]


def test_a_block_enters_once_rule_9() -> None:
    drawing = draw("1: *\n2: A", 4)
    member = observer(drawing)
    for _ in range(3):  # the store of the paper member refuses a second time
        member.accept(drawing.all_but())
        member.accept(reversed(drawing.all_but()))
    assert len(member.store.blocks) == 5


def test_a_reference_that_mixes_two_blocks_names_none_rule_9() -> None:
    # B1's digest under C's name: nobody can ever give it, and nobody mistakes B1 for it.
    drawing = draw("1: *", 4)
    mixed = BlockRef(1, 2, drawing.ref("B1").digest)
    parents = [drawing.ref("A1"), mixed, drawing.ref("D1")]
    member = observer(drawing)
    member.accept(drawing.all_but())
    member.accept([sign_block(drawing.committee, 0, 2, parents)])
    assert member.engine.missing() == {mixed: frozenset({0})}
    assert len(member.store.blocks) == 4


def test_rounds_far_ahead_are_not_kept_rule_9() -> None:
    committee = committee_of(4)
    member = PaperMember(committee, None)

    def ahead(number: int) -> BlockRef:
        parents = [BlockRef(number - 1, author, bytes(32)) for author in (3, 0, 1)]
        made = sign_block(committee, 3, number, parents)
        member.accept([made])
        return made.block.ref

    assert member.engine.has(ahead(ROUNDS_AHEAD_MAX))
    assert not member.engine.has(ahead(ROUNDS_AHEAD_MAX + 1))
    assert not member.engine.has(ahead(1 << 50))


def test_a_third_block_of_a_round_is_taken_only_if_another_names_it_rule_9() -> None:
    drawing = draw("1: * D' D''\n2: A(* -D D1'')", 4)
    member = observer(drawing)
    member.accept(drawing.pick("A1 B1 C1 D1 D1' D1''"))
    assert held(member, drawing) == "A1 B1 C1 D1 D1'"
    member.accept(drawing.pick("A2"))
    assert [drawing.name(ref) for ref in member.engine.missing()] == ["D1''"]
    member.accept(drawing.pick("D1''"))
    assert held(member, drawing) == "A1 B1 C1 D1 D1' D1'' A2"


def test_a_pair_of_twins_comes_out_once_an_author_rule_12() -> None:
    drawing = draw("1: * D'\n2: A B C D D'(* -D D1')", 4)
    member = observer(drawing)
    member.accept(drawing.all_but())
    assert len(member.cheats) == 1
    assert {drawing.name(block.ref) for block in member.cheats[0]} == {"D1", "D1'"}
    assert member.cheats[0][0].digest < member.cheats[0][1].digest
    assert member.engine.twins == {3}


def test_parked_twins_prove_it_as_well_rule_12() -> None:
    drawing = draw("1: *\n2: D D'", 4)
    member = observer(drawing)
    member.accept(drawing.pick("D2 D2'"))
    assert not member.store.blocks
    assert len(member.cheats) == 1


TWO_CERTIFIED = """
    1: * B'
    2: A C D A'(* -B B1') C'(* -B B1') D'(* -B B1')
    3: A(A2 C2 D2) D(A2' C2' D2')
"""


def test_two_certified_candidates_stop_the_ledger_with_both_blocks_rule_23() -> None:
    drawing = draw(TWO_CERTIFIED, 4)
    member = observer(drawing)
    with pytest.raises(SafetyError, match="more than 1 members are faulty") as stopped:
        member.accept(drawing.all_but())
    assert {drawing.name(block.ref) for block in stopped.value.blocks} == {"B1", "B1'"}
    assert member.commits == []


def test_a_stopped_ledger_stays_stopped_rule_23() -> None:
    drawing = draw(TWO_CERTIFIED, 4)
    member = PaperMember(drawing.committee, 0)
    with pytest.raises(SafetyError):
        member.accept(drawing.all_but())
    for step in (member.tick, lambda: member.accept([]), lambda: member.propose("x!")):
        with pytest.raises(SafetyError, match="more than 1 members"):
            step()
    assert member.sent == []


# D hears the others and is heard by nobody.
UNHEARD = "gc_depth: 4\n1: A B C\n2-{}: * -D"


def unheard(rounds: int, words: str = "x y!") -> PaperMember:
    drawing = draw(UNHEARD.format(rounds), 4)
    member = PaperMember(drawing.committee, 3)
    member.tick(0)
    member.propose(words)
    member.tick(150)
    assert [word_of(entry) for entry in member.sent[0].entries] == sorted(
        words.split(), key=lambda word: not word.endswith("!")
    )
    member.accept(drawing.all_but())
    return member


def test_own_payload_below_the_floor_comes_back_rule_24() -> None:
    assert unheard(6).returned == []
    member = unheard(7)
    assert member.commits[-1].leader.round == 5  # the floor of the next commit is 5 - 4
    assert [word_of(entry) for entry in member.returned] == ["y!", "x"]


def test_it_comes_back_once_rule_24() -> None:
    member = unheard(20)
    assert [word_of(entry) for entry in member.returned] == ["y!", "x"]


def test_what_came_back_can_be_proposed_again_and_is_committed_rule_24() -> None:
    member = unheard(7)
    member.propose("x")
    member.tick(10_000)
    newest = member.sent[-1]
    assert [word_of(entry) for entry in newest.entries] == ["x"]
    assert newest.block.round == 8


def test_payload_of_others_below_the_floor_does_not_come_back_rule_24() -> None:
    drawing = draw("gc_depth: 4\n1: A B C D[x]\n2: *(* -D) -D\n3-12: * -D", 4)
    member = PaperMember(drawing.committee, None)
    member.accept(drawing.all_but())
    assert member.commits[-1].leader.round > 6
    assert member.returned == []


def test_committed_own_payload_does_not_come_back_rule_24() -> None:
    drawing = draw("gc_depth: 4\n1: *\n2: D[x]  A B C\n3-12: *", 4)
    member = PaperMember(drawing.committee, 3, silent=True)
    member.accept(drawing.all_but())
    assert any(block.carries for commit in member.commits for block in commit.blocks)
    assert member.returned == []


def test_nothing_at_the_floor_is_asked_for_or_taken_rule_24() -> None:
    drawing = draw("gc_depth: 4\n1: *\n2: *(* -D) -D\n3-8: * -D\n9: A B(* ~D1) C\n10: * -D", 4)
    member = observer(drawing)
    member.accept(drawing.all_but("D1 B9 A10 B10 C10"))
    assert member.engine.floor >= 1
    member.accept(drawing.pick("B9"))
    assert member.engine.missing() == {}
    member.accept(drawing.pick("D1 A10 B10 C10"))
    assert "D1" not in held(member, drawing).split()
    assert "B9" in held(member, drawing).split()


@pytest.mark.parametrize("members", MANY)
def test_a_floor_that_rises_frees_whoever_waited_for_it_rule_24(members: int) -> None:
    # B5 names a twin that its author never gives to anybody; the others go on without B.
    last = letters(members)[-1]
    drawing = draw(
        f"""
        gc_depth: 4
        1: * {last}'
        2-4: *
        5: * -B B(* -{last} ~{last}1')
        6: *(* -B) -B
        7-9: * -B
        """,
        members,
    )
    member = observer(drawing)
    member.accept(drawing.all_but(f"{last}1'"))
    stored = held(member, drawing).split()
    assert member.engine.floor >= 1
    assert member.engine.missing() == {}
    assert stored.index(f"{last}7") < stored.index("B5")
