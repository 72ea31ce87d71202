"""Rules 24 to 27: which blocks a commit takes, in which order, at what time."""

import pytest
from wattle_gateway.consensus.sequencer import Sequencer
from wattle_testkit.dag_builder import draw
from wattle_testkit.drawn_committees import letters
from wattle_testkit.rule_verdicts import commits, dag_of, decided

MANY = [4, 7, 10]


def taken(text: str, members: int = 4) -> dict[str, str]:
    """Blocks by leader of every commit."""
    return {commit.leader: commit.blocks for commit in decided(draw(text, members))}


@pytest.mark.parametrize("members", MANY)
def test_a_commit_takes_what_lies_below_its_leader_rule_24(members: int) -> None:
    found = taken("1-4: *", members)
    assert found["B1"] == "B1"
    below = " ".join(f"{letter}1" for letter in letters(members) if letter != "B")
    assert found["C2"] == f"{below} C2"


def test_a_block_is_taken_once_rule_24() -> None:
    found = decided(draw("1-12: * D'", 4))
    everything = [name for commit in found for name in commit.blocks.split()]
    assert len(everything) == len(set(everything))


def test_the_slow_are_taken_through_weak_links_rule_24() -> None:
    found = taken("1: *\n2: *(* -D) -D\n3: *(A2 B2 C2 ~D1) -D\n4-9: * -D")
    assert "D1" in found["A4"].split()


def test_the_floor_is_that_of_the_commit_before_rule_24() -> None:
    # gc_depth 4. D1 comes to light in round 5: when B5 is committed the floor is 0 (A4 - 4).
    drawn = "gc_depth: 4\n1: *\n2: *(* -D) -D\n3-4: * -D\n{}\n{}\n7-9: * -D"
    found = taken(drawn.format("5: A B(* ~D1) C", "6: * -D"))
    assert "D1" in found["B5"].split()
    # One round later it is 1 (B5 - 4), and nobody takes D1 any more.
    found = taken(drawn.format("5: * -D", "6: A B C(* ~D1)"))
    assert list(found) == ["B1", "C2", "A4", "B5", "C6"]
    assert not any("D1" in blocks.split() for blocks in found.values())


def test_the_floor_comes_from_the_sequence_and_not_from_the_view_rule_24() -> None:
    # As above, D1 just above the floor of B5; but whoever catches up has the rounds up to 14
    # before it decides anything. It takes D1 all the same.
    drawn = "gc_depth: 4\n1: *\n2: *(* -D) -D\n3-4: * -D\n5: A B(* ~D1) C\n6-14: * -D"
    drawing = draw(drawn, 4)
    dag = dag_of(drawing.epoch, list(drawing.verified.values()))
    at_once = Sequencer(drawing.epoch, 0, drawing.epoch.created_ms).decide(dag)
    one_by_one = decided(drawing)
    assert [drawing.names(commit.blocks) for commit in at_once] == [
        commit.blocks.split() for commit in one_by_one
    ]
    assert "D1" in next(commit.blocks for commit in one_by_one if commit.leader == "B5").split()


def test_an_older_block_than_the_authors_newest_is_still_taken_rule_25() -> None:
    # D2 skips D1, is committed, and only then D1 is named.
    found = taken(
        "1: *\n2: A(* -D) B(* -D) C(* -D) D(A1 B1 C1 ~D0)\n3-4: *\n5: *(* -D ~D1) -D\n6-9: *"
    )
    order = list(found)
    with_d2 = next(leader for leader in order if "D2" in found[leader].split())
    with_d1 = next(leader for leader in order if "D1" in found[leader].split())
    assert order.index(with_d2) < order.index(with_d1)


def test_blocks_stand_by_round_then_author_rule_26() -> None:
    for blocks in taken("1-8: *", 7).values():
        places = [(int(name[1:]), name[0]) for name in blocks.split()]
        assert places == sorted(places)


def test_both_twins_are_taken_and_stand_by_digest_rule_26() -> None:
    drawing = draw("1: * D'\n2: A(* -D D1') B C(* -D) D\n3-6: *", 4)
    (blocks,) = [commit.blocks.split() for commit in decided(drawing) if "D1'" in commit.blocks]
    twins = [name for name in blocks if name in ("D1", "D1'")]
    assert len(twins) == 2
    assert twins == sorted(twins, key=lambda name: drawing.block(name).digest)


def test_a_weak_link_orders_no_one_before_its_round_rule_26() -> None:
    found = taken("1: *\n2: *(* -D) -D\n3: *(A2 B2 C2 ~D1) -D\n4-9: * -D")
    assert found["A4"].split()[0] == "D1"


def time_of(leader: str, text: str) -> int:
    return next(commit.offset_ms for commit in decided(draw(text, 4)) if commit.leader == leader)


def test_commit_time_is_the_lower_median_of_leader_and_parents_rule_27() -> None:
    rest = "2: A B C@90 D\n3-4: *"
    assert time_of("C2", f"1: A@10 B@30 C@0 D@20\n{rest}") == 20  # of 10 20 30 90
    rest = "2: A B C(A1 B1 C1)@90 D\n3-4: *"
    assert time_of("C2", f"1: A@10 B@30 C@0 D@20\n{rest}") == 30  # of 10 30 90


@pytest.mark.parametrize("liar", ["A", "B", "D"])
@pytest.mark.parametrize("time_ms", [0, 10**12])
def test_one_wrong_clock_does_not_move_the_time_rule_27(liar: str, time_ms: int) -> None:
    times = {"A": 1010, "B": 1030, "C": 0, "D": 1020, liar: time_ms}
    row = " ".join(f"{letter}@{offset}" for letter, offset in times.items())
    found = time_of("C2", f"1: {row}\n2: A B C@1040 D\n3-4: *")
    assert 1010 <= found <= 1040


def test_commit_time_never_falls_rule_27() -> None:
    clocks = [5000, 4000, 3000, 2000, 1000, 500]
    rows = [f"{at + 1}: A@{t} B@{t} C@{t} D@{t}" for at, t in enumerate(clocks)]
    times = [commit.offset_ms for commit in decided(draw("\n".join(rows), 4))]
    assert len(times) == 4
    assert times == sorted(times)


def test_round_0_has_the_time_of_the_epochs_creation_rule_27() -> None:
    assert time_of("B1", "1: A B@99 C D\n2-3: *") == 0


@pytest.mark.parametrize("members", [1, 2, 3, *MANY])
def test_a_longer_view_only_adds_commits_rule_21(members: int) -> None:
    whole = commits(draw("1-9: *", members))
    for rounds in range(2, 9):
        part = commits(draw(f"1-{rounds}: *", members))
        assert part == whole[: len(part)]
        assert len(part) == rounds - 2
