"""The commit rule against its dumb twin, on random DAGs of every shape (rules 13 to 28)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wattle_gateway.consensus import committer
from wattle_testkit import dumb_twin
from wattle_testkit.random_dag import Shape, random_dag
from wattle_testkit.rule_verdicts import dag_of, plain, rules_of, sequence

# Drawn by hypothesis: about 12 ms each.
EXAMPLES = 250
# Seeds of each larger shape: about 150 ms each.
SEEDS = range(3)


@st.composite
def shapes(draw: st.DrawFn) -> Shape:
    members = draw(st.integers(1, 10))
    faulty_max = (members - 1) // 3
    return Shape(
        members,
        rounds=draw(st.integers(3, 24)),
        equivocators=draw(st.integers(0, faulty_max)),
        twins_max=draw(st.integers(1, 2)),
        absent_permille=draw(st.sampled_from([0, 100, 400, 1000])),
        leader_permille=draw(st.sampled_from([0, 400, 800, 1000])),
        link_permille=draw(st.sampled_from([300, 800, 1000])),
        slow=draw(st.integers(0, faulty_max)),
        gc_depth=draw(st.sampled_from([4, 5, 8, 60])),
        leader_commits=draw(st.sampled_from([1, 2, 3, 5, 30])),
        skew_ms=draw(st.sampled_from([0, 500])),
    )


def agree(shape: Shape, seed: int) -> int:
    """Number of commits on which the two agree in every field."""
    blocks = random_dag(shape, seed).blocks
    epoch = shape.committee.epoch
    slow = dumb_twin.commits_of(rules_of(epoch), plain(blocks))
    fast = sequence(epoch, blocks)
    assert [(commit.leader, commit.blocks, commit.time_ms) for commit in fast] == [
        (commit.leader, commit.blocks, commit.time_ms) for commit in slow
    ]
    assert not slow or slow[-1].leaders == fast[-1].leaders
    return len(slow)


@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
@given(shapes(), st.integers(0, 1 << 32))
def test_small_dags_give_the_same_commits(shape: Shape, seed: int) -> None:
    agree(shape, seed)


@settings(max_examples=EXAMPLES // 2, deadline=None, derandomize=True)
@given(shapes(), st.integers(0, 1 << 32), st.integers(0, 1023))
def test_every_slot_has_the_same_verdict_under_any_schedule(
    shape: Shape, seed: int, mask: int
) -> None:
    """Slots that no sequence reaches included, and schedules that rule 28 would not make."""
    blocks = random_dag(shape, seed).blocks
    epoch = shape.committee.epoch
    everybody = tuple(range(epoch.size))
    leaders = tuple(author for author in everybody if mask >> author & 1) or everybody
    twin = dumb_twin.Verdicts(rules_of(epoch), {b.name: b for b in plain(blocks)}, leaders)
    dag = dag_of(epoch, blocks)
    for slot in range(1, shape.rounds + 2):
        slow = twin.of(slot)
        match committer.decide(dag, epoch, leaders, slot):
            case committer.Commit(block):
                assert slow == (block.round, block.author, block.digest)
            case committer.Skip():
                assert slow == "skip"
            case None:
                assert slow == "undecided"


LARGE = [
    (Shape(4, 100, equivocators=1, twins_max=2, slow=1, gc_depth=6, leader_commits=4), 30),
    (Shape(7, 100, equivocators=2, leader_permille=700, gc_depth=8, leader_commits=8), 30),
    (Shape(10, 100, equivocators=3, twins_max=2, slow=2, gc_depth=10, leader_commits=10), 20),
    (Shape(10, 100, absent_permille=900, leader_commits=10), 40),
]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("shape", "commits_min"), LARGE, ids=["4", "7", "10", "10-absent"])
def test_large_dags_give_the_same_commits(shape: Shape, commits_min: int, seed: int) -> None:
    assert agree(shape, seed) >= commits_min


PLANTED = {
    "anchor two rounds up": ("ANCHOR_DISTANCE", 2),
    "anchor four rounds up": ("ANCHOR_DISTANCE", 4),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_wrong_anchor_is_noticed(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    monkeypatch.setattr(committer, *PLANTED[fault])
    shape = Shape(4, 40, equivocators=1, leader_permille=500, link_permille=600)
    with pytest.raises(AssertionError):
        sum(agree(shape, seed) for seed in range(20))
