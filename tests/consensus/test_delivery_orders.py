"""Random DAGs in many orders of delivery: one sequence of commits, whoever sees what when."""

from collections.abc import Sequence
from random import Random

import pytest
from wattle_gateway.consensus import committer
from wattle_gateway.consensus.parking import PARKED_BLOCKS_MAX
from wattle_gateway.ledger.block import BlockRef, VerifiedBlock
from wattle_testkit import dumb_twin
from wattle_testkit.dag_builder import committee_of, sign_block
from wattle_testkit.dumb_twin import TwinCommit
from wattle_testkit.paper_member import PaperMember
from wattle_testkit.random_dag import RandomDag, Shape, doubled, random_dag, shuffled
from wattle_testkit.rule_verdicts import dag_of, plain, rules_of

# Orders of each DAG. One costs 15 ms (n = 4) to 90 ms (n = 10) on a slow core.
ORDERS = 100
# How many rounds a block may come before or after its turn; the last is any time at all.
WINDOWS_ROUNDS = (0, 2, 10, 100)
ROUNDS = 100
# The newest commit's leader is at most so far below the newest round, in every order.
PROGRESS_ROUNDS = 20
SHAPES = {
    "four": Shape(4, ROUNDS, leader_commits=8),
    "four, one of them equivocates": Shape(
        4, ROUNDS, equivocators=1, twins_max=2, leader_commits=8, gc_depth=12
    ),
    "seven, leaders often left out": Shape(
        7, ROUNDS, equivocators=2, leader_permille=700, leader_commits=8, gc_depth=12
    ),
    "ten, two slow": Shape(
        10, ROUNDS, equivocators=3, twins_max=2, slow=2, leader_commits=10, gc_depth=16
    ),
}
SEEDS = {"four": (7, 42), "four, one of them equivocates": (7, 42)}


def expected_of(dag: RandomDag) -> list[TwinCommit]:
    return dumb_twin.commits_of(rules_of(dag.shape.committee.epoch), plain(dag.blocks))


def sequence_of(member: PaperMember) -> list[tuple[object, ...]]:
    return [
        (
            commit.index,
            tuple((block.round, block.author, block.digest) for block in commit.blocks),
            commit.time_ms,
        )
        for commit in member.commits
    ]


@pytest.mark.parametrize(
    ("name", "seed"), [(name, seed) for name in SHAPES for seed in SEEDS.get(name, (7,))]
)
def test_any_order_of_delivery_gives_the_same_commits(name: str, seed: int) -> None:
    shape = SHAPES[name]
    dag = random_dag(shape, seed)
    expected = [
        (index, commit.blocks, commit.time_ms) for index, commit in enumerate(expected_of(dag), 1)
    ]
    heads = set()
    for order in range(ORDERS):
        random = Random(order)
        window = WINDOWS_ROUNDS[order % len(WINDOWS_ROUNDS)] * shape.members
        deliveries = doubled(shuffled(dag.blocks, window, order), 50, order)
        member = PaperMember(shape.committee, None)
        unwanted = member.feed(deliveries, random.randint(1, 40))
        found = sequence_of(member)
        assert found == expected[: len(found)], f"order {order}"
        # A further twin that nobody names may hold a vote that others count.
        assert unwanted or found == expected, f"order {order}"
        assert member.commits[-1].leader.round >= ROUNDS - PROGRESS_ROUNDS, f"order {order}"
        heads.add((len(found), member.store.head.digest))
    assert len(heads) == len({length for length, _ in heads})


def arrival(blocks: Sequence[VerifiedBlock], random: Random) -> list[VerifiedBlock]:
    """An order in which parents come first and nothing else is kept."""
    waiting, ordered = list(blocks), list[VerifiedBlock]()
    here: set[BlockRef] = set()
    random.shuffle(waiting)
    while waiting:
        left = []
        for made in waiting:
            if all(ref.round == 0 or ref in here for ref in made.block.parents):
                here.add(made.block.ref)
                ordered.append(made)
            else:
                left.append(made)
        waiting = left
    return ordered


@pytest.mark.parametrize("members", [4, 7, 10])
def test_verdicts_do_not_depend_on_the_order_of_arrival(members: int) -> None:
    """Each slot by itself, those that no sequence reaches included (rules 13 to 23)."""
    shape = Shape(members, 14, equivocators=(members - 1) // 3, twins_max=2, leader_permille=700)
    epoch, leaders = shape.committee.epoch, tuple(range(members))
    kinds: set[type] = set()
    for seed in range(8):
        blocks = random_dag(shape, seed).blocks
        found = set()
        for order in range(6):
            dag = dag_of(epoch, arrival(blocks, Random(order)))
            slots = range(1, shape.rounds + 1)
            found.add(tuple(committer.decide(dag, epoch, leaders, slot) for slot in slots))
        assert len(found) == 1
        kinds.update(map(type, found.pop()))
    assert len(kinds) == 3, "slots that are committed, skipped and undecided"


@pytest.mark.parametrize("name", ["four, one of them equivocates", "ten, two slow"])
def test_members_that_restart_between_any_two_blocks_come_to_the_same_commits(name: str) -> None:
    shape = SHAPES[name]
    dag = random_dag(shape, 3)
    expected = [
        (index, commit.blocks, commit.time_ms) for index, commit in enumerate(expected_of(dag), 1)
    ]
    for order in range(4):
        random = Random(order)
        member = PaperMember(shape.committee, None)
        for start in range(0, len(dag.blocks), 24):
            seen = dag.blocks[: start + 24]
            lot = [made for made in seen if made.block.ref not in member.store.blocks]
            random.shuffle(lot)
            member.feed(lot)
            member = PaperMember(shape.committee, None, store=member.store)
            member.tick()
        found = sequence_of(member)
        assert found == expected[: len(found)]
        assert member.commits[-1].leader.round >= ROUNDS - PROGRESS_ROUNDS


def test_what_waits_for_parents_is_bounded_for_each_author() -> None:
    # D signs twice as many blocks as may wait, each with parents that nobody will ever have.
    committee = committee_of(4)
    member = PaperMember(committee, None)
    made = [
        sign_block(
            committee,
            3,
            number,
            [BlockRef(number - 1, author, bytes([author] * 32)) for author in (3, 0, 1)],
        )
        for number in range(2, 2 + 2 * PARKED_BLOCKS_MAX)
    ]
    for block in reversed(made):
        member.accept([block])
        parked = sum(member.engine.has(block.block.ref) for block in made)
        assert parked <= PARKED_BLOCKS_MAX
        assert len(member.engine.missing()) <= 3 * PARKED_BLOCKS_MAX
    # Nobody else's blocks suffer, and the ledger goes on.
    dag = random_dag(Shape(4, 20, absent_permille=0, leader_permille=1000), 1)
    member.feed(list(reversed(dag.blocks)))
    assert len(member.commits) >= 15
