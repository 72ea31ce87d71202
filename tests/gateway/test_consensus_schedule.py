"""Leaders by connectivity: counting, choosing, rebuilding. Scenarios: tests/consensus."""

import pytest
from wattle_gateway.consensus.schedule import Schedule, Tally, first_needed, leaders_after
from wattle_gateway.ledger.block import Block
from wattle_testkit.dag_builder import Drawing, committee_of, draw

FOUR = committee_of(4).epoch
SEVEN = committee_of(7).epoch


def blocks_of(drawing: Drawing, names: str = "") -> list[Block]:
    made = drawing.pick(names) if names else list(drawing.verified.values())
    return sorted((found.block for found in made), key=lambda block: block.ref)


def scores(text: str) -> list[int]:
    tally = Tally(4)
    tally.take(blocks_of(draw(text, 4)))
    return tally.scores(3)


def test_a_round_counts_for_whom_a_quorum_of_the_next_names() -> None:
    assert scores("1-3: *") == [2, 2, 2, 2]
    assert scores("1: *\n2: A B C(* -D) D") == [1, 1, 1, 1]
    assert scores("1: *\n2: A B(* -D) C(* -D) D") == [1, 1, 1, 0]


def test_a_weak_link_does_not_count() -> None:
    assert scores("1: *\n2: * -D\n3: A(* ~D1) B(* ~D1) C(* ~D1)") == [2, 2, 2, 1]
    assert scores("1: *\n2: A(* -D) B(* -D) C(* -D)\n3: A(* ~D1) B(* ~D1) C(* ~D1)")[3] == 0


def test_twins_count_their_round_once() -> None:
    assert scores("1: *\n2: * D'") == [1, 1, 1, 1]
    # D1 and D1' are each named by a quorum of authors; it is one round all the same.
    text = "1: * D'\n2: * A'(A1 B1 C1 D1') B'(A1 B1 C1 D1') C'(A1 B1 C1 D1')"
    assert scores(text)[3] == 1


def test_blocks_of_other_commits_do_not_count() -> None:
    drawing = draw("1-2: *", 4)
    tally = Tally(4)
    tally.take(blocks_of(drawing, "A2 B2 C2 D2"))
    assert tally.scores(3) == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("found", "leaders"),
    [
        ([30, 30, 30, 30], (0, 1, 2, 3)),
        ([30, 30, 30, 23], (0, 1, 2)),
        ([30, 30, 30, 24], (0, 1, 2, 3)),  # 800 / 1000 of the median is enough
        ([30, 10, 30, 5], (0, 1, 2)),  # f = 1: one at most
        ([10, 30, 30, 10], (0, 1, 2)),  # a tie goes against the higher index
        ([0, 0, 0, 0], (0, 1, 2, 3)),
    ],
)
def test_who_is_set_aside(found: list[int], leaders: tuple[int, ...]) -> None:
    assert set(leaders_after(found, FOUR)) == set(leaders)


def test_the_median_is_the_upper_one() -> None:
    assert 0 not in leaders_after([10, 20, 30, 30], FOUR)
    assert 1 not in leaders_after([10, 10, 13, 13], FOUR)  # of 13, not of 10


def test_of_seven_two_are_set_aside() -> None:
    assert leaders_after([30, 1, 30, 2, 30, 3, 30], SEVEN) == (0, 2, 4, 5, 6)


@pytest.mark.parametrize(
    ("found", "leaders"),
    [
        ([30, 31, 30, 10], (0, 1, 2, 1)),  # the best connected
        ([31, 31, 30, 10], (0, 1, 2, 0)),  # a tie goes to the lower index
        ([30, 30, 30, 30], (0, 1, 2, 3)),
    ],
)
def test_the_best_connected_leads_twice_in_a_turn_of_three(
    found: list[int], leaders: tuple[int, ...]
) -> None:
    assert leaders_after(found, committee_of(4, rules=3).epoch) == leaders


def test_six_members_of_whom_nobody_is_set_aside_keep_their_turn() -> None:
    assert leaders_after([30] * 6, committee_of(6, rules=3).epoch) == (0, 1, 2, 3, 4, 5)


def test_nobody_is_set_aside_where_no_faults_are_borne() -> None:
    assert leaders_after([30, 30, 0], committee_of(3).epoch) == (0, 1, 2)


def test_the_schedule_changes_after_so_many_commits() -> None:
    drawing = draw("leader_commits: 2\nmembers: 4\n1: *\n2-6: * -D")
    schedule = Schedule(drawing.epoch)
    halves = [blocks_of(drawing, "A1 B1 C1 D1 A2 B2 C2"), blocks_of(drawing, "A3 B3 C3 A4 B4 C4")]
    changes = [(schedule.take(blocks), schedule.leaders) for blocks in halves]
    assert changes == [(False, (0, 1, 2, 3)), (True, (0, 1, 2, 0))]


@pytest.mark.parametrize("done", range(8))
def test_a_schedule_is_rebuilt_from_its_window(done: int) -> None:
    # D is away in some of the rounds; each commit here takes one round.
    drawing = draw("leader_commits: 3\nmembers: 4\n1: *\n2-5: * -D\n6: * -D\n7-9: *")
    commits = [
        [block for block in blocks_of(drawing) if block.round == number] for number in range(1, 9)
    ]
    schedule = Schedule(drawing.epoch)
    for blocks in commits[:done]:
        schedule.take(blocks)
    rebuilt = Schedule(drawing.epoch, commits[first_needed(done, 3) - 1 : done])
    for blocks in commits[done:]:
        assert rebuilt.leaders == schedule.leaders
        assert rebuilt.take(blocks) == schedule.take(blocks)
    assert rebuilt.leaders == schedule.leaders


@pytest.mark.parametrize(
    ("commits", "first"), [(0, 1), (1, 1), (29, 1), (30, 1), (31, 1), (60, 31), (61, 31), (95, 61)]
)
def test_how_far_back_the_window_goes(commits: int, first: int) -> None:
    assert first_needed(commits, 30) == first
