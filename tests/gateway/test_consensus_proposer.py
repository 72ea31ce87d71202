"""Which parents an own block has, and which round is open."""

from wattle_gateway.consensus.dag import Dag
from wattle_gateway.consensus.equivocators import Equivocators
from wattle_gateway.consensus.proposer import Proposer
from wattle_gateway.consensus.threshold_clock import ThresholdClock
from wattle_gateway.consensus.uncommitted import Uncommitted
from wattle_gateway.ledger.block import CommitVote
from wattle_testkit.alliance import CREATED_MS
from wattle_testkit.dag_builder import Drawing, committee_of, draw

SLOW_D = draw(
    """
    members: 4
    1: *
    2-4: * -D
    """
)


def dag_of(drawing: Drawing, without: str = "") -> Dag:
    dag = Dag(drawing.epoch)
    for made in drawing.all_but(without):
        dag.add(made.block)
    return dag


def proposer_of(drawing: Drawing, author: int, own_floor: int = 0) -> Proposer:
    sign = drawing.committee.parties[author].sign
    return Proposer(drawing.epoch, author, sign, own_floor)


def parents(
    drawing: Drawing, author: int, round_number: int, *, without: str = "", ignored: int = 0
) -> list[str]:
    proposer = proposer_of(drawing, author)
    dag = dag_of(drawing, without)
    for vertex in dag.by_author(author, 0):
        proposer.saw(vertex.block)
    refs = proposer.parents(dag, round_number, ignored)
    return [drawing.name(ref) for ref in refs]


def test_the_first_block_names_round_zero() -> None:
    assert parents(draw("1: *", 4), 1, 1, without="A1 B1 C1 D1") == ["B0", "A0", "C0", "D0"]


def test_own_parent_first_then_rising_author() -> None:
    assert parents(draw("1-2: *", 4), 2, 3) == ["C2", "A2", "B2", "D2"]


def test_an_older_block_is_named_once() -> None:
    # D1 is named by A2 already; a member that has not named it yet does so.
    assert parents(SLOW_D, 0, 5) == ["A4", "B4", "C4"]
    fresh = draw("1: *\n2: A(* -D) B(* -D) C(* -D)", 4)
    assert parents(fresh, 0, 3) == ["A2", "B2", "C2", "D1"]


def test_blocks_of_the_own_round_are_no_parents() -> None:
    drawing = draw("1-2: *\n3: B C", 4)
    assert parents(drawing, 0, 3) == ["A2", "B2", "C2", "D2"]


def test_ignored_authors_are_not_named() -> None:
    assert parents(draw("1-2: *", 4), 0, 3, ignored=0b1000) == ["A2", "B2", "C2"]


def test_ignored_authors_are_named_where_a_quorum_needs_them() -> None:
    drawing = draw("1: * D'\n2: A C D", 4)
    assert parents(drawing, 0, 3, ignored=0b1000) == ["A2", "C2", "D2"]
    assert parents(draw("1: * D'\n2: A B C D", 4), 0, 3, ignored=0b1000) == ["A2", "B2", "C2"]


def test_of_twins_one_is_named() -> None:
    drawing = draw("1: * C'", 3)
    found = parents(drawing, 0, 2)
    assert found in (["A1", "B1", "C1"], ["A1", "B1", "C1'"])


def test_an_own_block_below_the_floor_is_as_good_as_none() -> None:
    dag = dag_of(SLOW_D)
    dag.raise_floor(1)
    names = [SLOW_D.name(ref) for ref in proposer_of(SLOW_D, 3, own_floor=1).parents(dag, 5, 0)]
    assert names == ["D0", "A4", "B4", "C4"]


def test_time_never_runs_back_and_begins_with_the_epoch() -> None:
    drawing = draw("1: *", 4)
    proposer = proposer_of(drawing, 0)
    dag = dag_of(drawing, "A1 B1 C1 D1")
    vote = CommitVote(0, drawing.epoch.digest)
    one = proposer.make(dag, 1, ignored=0, unix_ms=CREATED_MS - 5000, vote=vote, entries=())
    assert one.block.time_ms == CREATED_MS
    assert proposer.round == 1


def test_the_clock_opens_a_round_with_a_quorum_of_authors() -> None:
    drawing = draw("1: * C'\n2-3: *", 4)
    clock = ThresholdClock(drawing.epoch)
    dag = Dag(drawing.epoch)
    for names, expected in [("A1 B1", 0), ("C1 C1'", 1), ("D1 A2 B2", 1), ("C2", 2)]:
        for made in drawing.pick(names):
            dag.add(made.block)
        clock.follow(dag, expected * 10)
        assert (clock.round, clock.opened_ms) == (expected, expected * 10)


def test_a_quorum_of_a_later_round_is_gone_to_at_once() -> None:
    clock = ThresholdClock(SLOW_D.epoch)
    clock.follow(dag_of(SLOW_D), 7)
    assert (clock.round, clock.opened_ms) == (4, 7)


def test_at_most_f_equivocators_are_ignored() -> None:
    found = Equivocators(committee_of(4).epoch, [2])
    assert found.add(0)
    assert not found.add(2)
    assert found.known == {0, 2}
    assert found.ignored == 0b0100
    assert Equivocators(committee_of(3).epoch, [0]).ignored == 0


def test_nobody_hurries_for_ignored_authors() -> None:
    drawing = draw("1: A[x!] B[y] C D", 4)
    waiting = Uncommitted()
    waiting.add(drawing.verified["A1"], 0b0001)
    assert not waiting.urgent
    waiting.add(drawing.verified["B1"], 0b0001)
    assert (waiting.carries, waiting.urgent) == (True, False)
    waiting.ignore(0b0011)
    assert not waiting.carries
    assert waiting.find(drawing.ref("B1")) is drawing.verified["B1"]
    removed = waiting.remove([drawing.block("A1"), drawing.block("C1")])
    assert removed == drawing.pick("A1")


def test_urgent_payload_counts_until_it_is_taken() -> None:
    drawing = draw("1: A[x!] B C D", 4)
    waiting = Uncommitted()
    waiting.add(drawing.verified["A1"], 0)
    assert (waiting.carries, waiting.urgent) == (True, True)
    waiting.remove([drawing.block("A1")])
    assert (waiting.carries, waiting.urgent) == (False, False)
