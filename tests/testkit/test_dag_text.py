"""The language of drawn DAGs: what it means, and that it refuses what is unclear."""

import pytest
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger.errors import BlockError
from wattle_testkit import dag_builder, dag_text
from wattle_testkit.alliance import CREATED_MS
from wattle_testkit.dag_builder import draw
from wattle_testkit.dag_text import DagTextError, parse


def drawn(text: str, members: int | None = None) -> str:
    return " ".join(block.name for block in parse(text, members).blocks)


def parents(text: str, name: str, members: int = 4) -> str:
    (found,) = [block for block in parse(text, members).blocks if block.name == name]
    return " ".join(found.parents)


def test_a_star_is_a_block_of_every_member_on_the_whole_round_below() -> None:
    assert drawn("members: 4\n1: *\n2: *") == "A1 B1 C1 D1 A2 B2 C2 D2"
    assert parents("1: *\n2: *", "C2") == "C1 A1 B1 D1"
    assert parents("1: *", "C1") == "C0 A0 B0 D0"


def test_leaving_out_of_a_round_and_of_parents() -> None:
    assert drawn("1: * -A -B\n", 7) == "C1 D1 E1 F1 G1"
    assert parents("1: *\n2: A(* -C)", "A2") == "A1 B1 D1"
    assert parents("1: A B C\n2: D", "D2") == "D0 A1 B1 C1"


def test_a_group_leaves_a_member_out_but_not_that_member_itself() -> None:
    text = "1: *\n2: *(* -B)"
    assert parents(text, "A2") == "A1 C1 D1"
    assert parents(text, "B2") == "B1 A1 C1 D1"
    exchanged = "1: * B'\n2: *(* -B B1')"
    assert parents(exchanged, "A2") == "A1 B1' C1 D1"
    assert parents(exchanged, "B2") == "B1' A1 C1 D1"


def test_twins_are_parents_only_by_name() -> None:
    text = "1: A B C D D'\n2: A B(A1 B1 D1') D(A1 C1 D1)"
    assert parents(text, "A2") == "A1 B1 C1 D1"
    assert parents(text, "B2") == "B1 A1 D1'"


def test_a_star_with_one_parent_exchanged() -> None:
    assert parents("1: A B C D D'\n2: A(* -D D1')", "A2") == "A1 B1 C1 D1'"
    assert parents("1: A B C D D'\n2: D(* -D D1')", "D2") == "D1' A1 B1 C1"


def test_weak_links_stand_beside_a_quorum() -> None:
    text = "1: *\n2: A B C\n3: A(A2 B2 C2 ~D1)\n"
    assert parents(text, "A3") == "A2 B2 C2 ~D1".replace("~", "")


def test_the_own_parent_is_the_newest_block_below() -> None:
    assert parents("1: *\n2: A B C\n3: D(A2 B2 C2)", "D3") == "D1 A2 B2 C2"
    assert parents("1: A B C\n2: D(A1 B1 C1)", "D2") == "D0 A1 B1 C1"


def test_a_range_repeats_its_round() -> None:
    text = "1: *\n2-4: * -B"
    assert drawn(text, 4) == "A1 B1 C1 D1 A2 C2 D2 A3 C3 D3 A4 C4 D4"
    assert parents(text, "D4") == "D3 A3 C3"


def test_headers_comments_marks() -> None:
    read = parse("# all of it\nmembers: 4\nleaders: A C\ngc_depth: 6\n\n1: A[x y!]@12 B # end\n")
    assert (read.members, read.leaders, read.constants) == (4, (0, 2), {"gc_depth": 6})
    assert read.blocks[0].entries == ("x", "y!")
    assert [block.offset_ms for block in read.blocks] == [12, None]
    assert parse("1: A", 1).leaders == (0,)
    assert parse("1: A", 1).resting == ()
    assert parse("members: 4\nresting: B D\n1: *").resting == (1, 3)


UNCLEAR = [
    ("", 1, 1, "without blocks"),
    ("members: 4", 1, 1, "without blocks"),
    ("1: *", 1, 1, "before the header 'members'"),
    ("members: 0", 1, 10, "0 members, expected 1 to 26"),
    ("members: four", 1, 10, "'four', expected a number"),
    ("members: 4\nmembers: 4", 2, 1, "given twice"),
    ("gc_depth: 4\ngc_depth: 5", 2, 1, "given twice"),
    ("colour: 4", 1, 1, "header 'colour', expected one of members, leaders, resting, gc_depth"),
    ("leaders: A", 1, 10, "letters before the header"),
    ("members: 4\nleaders: B A", 2, 12, "not in rising order"),
    ("members: 4\nleaders: A E", 2, 12, "E in a committee of 4"),
    ("members: 4\nleaders: A\nleaders: A", 3, 1, "given twice"),
    ("members: 4\nleaders:", 2, 9, "no leaders"),
    ("members: 4\nresting: B A", 2, 12, "resting are not in rising order"),
    ("members: 4\n1: *\ngc_depth: 4", 3, 1, "a header below a round"),
    ("members: 4\n2: *", 2, 1, "round 2, expected 1"),
    ("members: 4\n1: *\n1: *", 3, 1, "round 1, expected 2"),
    ("members: 4\n1-1: *", 2, 1, "expected the higher one last"),
    ("members: 4\n01: *", 2, 1, "'01:', expected a header or a round"),
    ("members: 4\n1:", 2, 3, "a round without blocks"),
    ("members: 4\n1: A, B", 2, 4, "'A,', expected a block"),
    ("members: 4\n1: A\t B", 2, 5, "expected a block"),
    ("members: 4\n1: a", 2, 4, "'a', expected a block"),
    ("members: 4\n1: A1", 2, 4, "'A1', expected a block"),
    ("members: 4\n1: E", 2, 4, "E in a committee of 4"),
    ("members: 4\n1: * -E", 2, 4, "E in a committee of 4"),
    ("members: 4\n1: A A", 2, 6, "A1 is drawn twice"),
    ("members: 4\n1: * A", 2, 6, "A1 is drawn twice"),
    ("members: 4\n1: A *", 2, 6, "'*' is not the first word"),
    ("members: 4\n1: A -B", 2, 6, "'-B' does not follow '*'"),
    ("members: 4\n1: * -B -B", 2, 9, "-B is given twice"),
    ("members: 4\n1: * D' -B", 2, 9, "'-B' does not follow '*'"),
    ("members: 4\n1: *[x]", 2, 4, "name the blocks"),
    ("members: 4\n1: *@5", 2, 4, "name the blocks"),
    ("members: 4\n1: A'", 2, 4, "A1' without A1 before it"),
    ("members: 4\n1: A A''", 2, 6, "A1'' without A1' before it"),
    ("members: 4\n1: A[]", 2, 6, "no entries"),
    ("members: 4\n1: A[X]", 2, 6, "'X', expected an entry"),
    ("members: 4\n1: A@5[x]", 2, 4, "expected a block"),
    ("members: 4\n1: A()", 2, 6, "no parents"),
    ("members: 4\n1: *\n2: A(-B)", 3, 6, "-B without '*' in front"),
    ("members: 4\n1: *\n2: A(* -B1)", 3, 8, "expected a letter alone"),
    ("members: 4\n1: *\n2: A(* -A)", 3, 8, "always has its own parent"),
    ("members: 4\n1: A B C\n2: A(* -D)", 3, 8, "'*' does not hold it"),
    ("members: 4\n1: *\n2: A(* -E)", 3, 8, "E in a committee of 4"),
    ("members: 4\n1: *\n2: A(A1 B C1)", 3, 9, "'B', expected a letter and a round"),
    ("members: 4\n1: *\n2: A(A1, B1 C1)", 3, 6, "'A1,', expected a parent"),
    ("members: 4\n1: *\n2: A(B1 * C1)", 3, 9, "'*', expected a parent"),
    ("members: 4\n1: *\n2: A(A1 B1 B1)", 3, 12, "second parent of B beside B1 (rule 6)"),
    ("members: 4\n1: * D'\n2: A(* D1')", 3, 8, "second parent of D beside D1 (rule 6)"),
    ("members: 4\n1: *\n2: A(* B2)", 3, 8, "second parent of B"),
    ("members: 4\n1: *\n2: B A(A1 B2 C1)", 3, 11, "B2 is not below round 2 (rule 6)"),
    ("members: 4\n1: A B C\n2: A(* D1)", 3, 8, "D1 is not drawn above"),
    ("members: 4\n1: *\n2: A(A1 B1 C1 D0)", 3, 15, "'D0', expected '~D0'"),
    ("members: 4\n1: *\n2: A(A1 B1 ~C1)", 3, 12, "'~C1', expected 'C1'"),
    ("members: 4\n1: *\n2: A(A1 B1)", 3, 4, "A names 2 authors of round 1, expected at least 3"),
    ("members: 4\n1: A B\n2: A", 3, 4, "A names 2 authors of round 1, expected at least 3"),
    ("members: 4\n1: * A'\n2: A(B1 C1 D1)", 3, 4, "does not say which block of A in round 1"),
    ("members: 4\n1: *\n2-3: *(A1 B1 C1)", 3, 8, "a named parent in a range of rounds"),
    ("members: 4\n1: A(A0 B0 C0 D0 D0')", 2, 18, "second parent of D"),
    ("members: 4\n1: A(A0 B0 C0 D0')", 2, 15, "D0' is not drawn above"),
]


@pytest.mark.parametrize(("text", "line", "column", "says"), UNCLEAR)
def test_what_is_unclear_is_refused_with_its_place(
    text: str, line: int, column: int, says: str
) -> None:
    with pytest.raises(DagTextError) as refused:
        parse(text)
    message = str(refused.value)
    assert message.startswith(f"line {line}, column {column}: ")
    assert says in message


def test_members_given_twice_are_refused() -> None:
    with pytest.raises(DagTextError, match="line 1, column 1: 'members' is given twice"):
        parse("members: 4\n1: *", 4)


@pytest.mark.parametrize("members", [1, 4, 7, 10])
def test_drawn_blocks_are_real_and_valid(members: int) -> None:
    drawing = draw("1-3: *", members)
    assert len(drawing.verified) == 3 * members
    last = drawing.block(f"{drawing.committee.letters[-1]}3")
    assert last.parents[0] == drawing.ref(f"{drawing.committee.letters[-1]}2")
    assert len(last.parents) == members
    assert last.time_ms == CREATED_MS + 3 * dag_builder.ROUND_MS


def test_the_builder_takes_marks_over() -> None:
    drawing = draw("gc_depth: 6\nleaders: A D\n1: A[x y!]@12 B C D D'", 4)
    made = drawing.verified["A1"]
    assert [dag_builder.word_of(raw) for raw in made.entries] == ["x", "y!"]
    assert made.urgent
    assert made.block.time_ms == CREATED_MS + 12
    assert drawing.epoch.constants.gc_depth == 6
    assert drawing.leaders == (0, 3)
    assert drawing.block("D1").digest != drawing.block("D1'").digest
    assert drawing.ref("C0") == block_format.round_zero(drawing.epoch, 2)


def test_a_drawing_is_the_same_bytes_every_time() -> None:
    text = "1: * D'\n2: *"
    assert draw(text, 4).block("A2").raw == draw(text, 4).block("A2").raw


def test_twins_that_are_one_block_are_refused() -> None:
    with pytest.raises(ValueError, match="D1' is the same block"):
        draw("1: D@5 D'@5", 4)


def test_blocks_by_name_and_back() -> None:
    drawing = draw("1: *\n2: A", 4)
    assert drawing.names(made.block for made in drawing.pick("A2 C1")) == ["A2", "C1"]
    assert drawing.names(made.block for made in drawing.all_but("C1 A2")) == ["A1", "B1", "D1"]
    assert drawing.name(drawing.ref("C0")) == "C0"


def test_blocks_outside_the_rules_are_made_by_hand() -> None:
    committee = dag_builder.committee_of(4)
    with pytest.raises(BlockError, match="expected at least 3"):
        dag_builder.sign_block(committee, 0, 1, [block_format.round_zero(committee.epoch, 0)])


def test_letters_are_author_indices() -> None:
    assert [dag_text.author_of(dag_text.letter_of(author)) for author in (0, 25)] == [0, 25]
