"""Four engines and a network: progress at each pace, and what stops, slows or cheats one."""

import itertools

import pytest
from wattle_gateway.consensus.engine import (
    IDLE_ROUND_MS,
    LEADER_WAIT_MS,
    SAMPLE_ROUND_MS,
    URGENT_ROUND_MS,
)
from wattle_gateway.ledger.block import Block, VerifiedBlock
from wattle_testkit.alliance import CREATED_MS
from wattle_testkit.dag_builder import entry_of, sign_block
from wattle_testkit.paper_cluster import DELAY_MS, PaperCluster

D = 3


def steps_ms(blocks: list[Block]) -> list[int]:
    """The time between neighbouring blocks."""
    times = [block.time_ms for block in blocks]
    return [later - sooner for sooner, later in itertools.pairwise(times)]


def busy(cluster: PaperCluster, seconds: int, at: int = 0) -> None:
    """So many transactions at one member that rounds follow at the first pace."""
    for _ in range(10 * seconds):
        cluster.propose(at, f"t{cluster.steady_ms}!")
        cluster.run(100)


def twin_of(cluster: PaperCluster, block: Block, word: str) -> VerifiedBlock:
    """A second block of the same author, round and parents."""
    return sign_block(
        cluster.committee,
        block.author,
        block.round,
        block.parents,
        time_ms=block.time_ms + 1,
        entries=[entry_of(word)],
    )


def test_an_idle_alliance_makes_one_round_a_minute_in_step() -> None:
    cluster = PaperCluster(4)
    cluster.run(10 * IDLE_ROUND_MS + DELAY_MS)
    for at in range(4):
        assert [block.round for block in cluster.own(at)] == list(range(1, 11))
    assert len(cluster.agreed()) == 8


def test_a_transaction_after_idle_hours_is_committed_within_a_second() -> None:
    cluster = PaperCluster(4)
    cluster.run(60 * IDLE_ROUND_MS + 1000)
    begun_ms, before = cluster.steady_ms, len(cluster.own(1))
    cluster.propose(1, "pay!")
    cluster.run(1000)
    assert [cluster.words(at) for at in range(4)] == [["pay!"]] * 4
    paced = cluster.own(1)[before:]
    assert paced[0].time_ms == CREATED_MS + begun_ms
    assert set(steps_ms(paced)) <= {URGENT_ROUND_MS, URGENT_ROUND_MS + DELAY_MS}


def test_after_the_commit_the_alliance_is_idle_again() -> None:
    cluster = PaperCluster(4)
    cluster.propose(0, "pay!")
    cluster.run(5000)
    rounds = cluster[0].engine.highest_round
    cluster.run(IDLE_ROUND_MS - 10_000)
    assert cluster[0].engine.highest_round == rounds


def test_samples_go_at_their_own_pace() -> None:
    cluster = PaperCluster(4)
    cluster.propose(2, "kwh")
    cluster.run(12_000)
    assert [cluster.words(at) for at in range(4)] == [["kwh"]] * 4
    assert min(steps_ms(cluster.own(2)[1:])) >= SAMPLE_ROUND_MS


@pytest.mark.parametrize("size", [2, 3, 7, 10])
def test_other_sizes_commit_too(size: int) -> None:
    cluster = PaperCluster(size)
    cluster.propose(size - 1, "pay!")
    cluster.run(1500)
    assert [cluster.words(at) for at in range(size)] == [["pay!"]] * size
    cluster.agreed()


def test_a_member_that_runs_ahead_alone_is_followed_no_faster_than_samples_need() -> None:
    # It may have come back and made its block: what it is given next needs the round after.
    cluster = PaperCluster(4)
    cluster.run(IDLE_ROUND_MS + 1000)
    parents = [cluster.own(at)[-1].ref for at in (D, 0, 1, 2)]
    eager = sign_block(cluster.committee, D, 2, parents)
    for at in range(3):
        cluster.give(at, eager)
    cluster.run(SAMPLE_ROUND_MS // 4)
    assert [len(cluster.own(at)) for at in range(3)] == [1, 1, 1]
    cluster.run(SAMPLE_ROUND_MS)
    assert [len(cluster.own(at)) for at in range(3)] == [2, 2, 2]


def test_two_that_run_ahead_take_the_rest_along() -> None:
    cluster = PaperCluster(4)
    cluster.run(IDLE_ROUND_MS + 1000)
    last = [cluster.own(at)[-1].ref for at in range(4)]
    for author in (2, D):
        own_first = [last[author], *(ref for ref in last if ref.author != author)]
        eager = sign_block(cluster.committee, author, 2, own_first)
        cluster.give(0, eager)
        cluster.give(1, eager)
    cluster.run(DELAY_MS)
    assert [len(cluster.own(at)) for at in range(2)] == [2, 2]


@pytest.mark.parametrize("size", [2, 3])
def test_with_two_or_three_an_absence_stops_and_a_return_goes_on(size: int) -> None:
    cluster = PaperCluster(size)
    cluster.run(1000)
    cluster.crash(size - 1)
    cluster.propose(0, "pay!")
    cluster.run(30_000)
    assert cluster.words(0) == []
    cluster.start(size - 1)
    cluster.heal()
    cluster.run(3000)
    assert [cluster.words(at) for at in range(size)] == [["pay!"]] * size


def test_one_crash_of_four_stops_nothing() -> None:
    cluster = PaperCluster(4)
    busy(cluster, 3)
    cluster.crash(D)
    before = len(cluster.agreed())
    busy(cluster, 10)
    cluster.run(2000)
    assert len(cluster.words(0)) == 130
    assert len(cluster.agreed()) > before + 30


def test_a_missing_leader_is_waited_for_so_long_and_no_longer() -> None:
    cluster = PaperCluster(4)
    busy(cluster, 2)
    cluster.crash(D)
    busy(cluster, 2)
    steps = steps_ms(cluster.own(0)[-8:])
    # The round after D's slot opens DELAY_MS after the block below it was made.
    assert max(steps) <= DELAY_MS + LEADER_WAIT_MS
    assert max(steps) > LEADER_WAIT_MS


def test_the_crashed_lose_their_slots_and_get_them_back() -> None:
    cluster = PaperCluster(4, leader_commits=10)
    busy(cluster, 3)
    cluster.crash(D)
    busy(cluster, 12)
    assert {cluster[at].engine.leaders for at in range(3)} == {(0, 1, 2, 0)}
    assert max(steps_ms(cluster.own(0)[-8:])) <= URGENT_ROUND_MS + DELAY_MS
    cluster.start(D)
    cluster.heal()
    busy(cluster, 12)
    assert {cluster[at].engine.leaders for at in range(4)} == {(0, 1, 2, 3)}
    cluster.agreed()


def test_a_member_restarted_at_any_time_has_the_schedule_of_the_others() -> None:
    cluster = PaperCluster(4, leader_commits=4)
    cluster.extra_delays_ms[D] = 400
    for at in (0, 1, 2, 0, 1, 2):
        busy(cluster, 1)
        cluster.crash(at)
        busy(cluster, 1, at=(at + 1) % 3)
        cluster.start(at)
        cluster.heal()
    busy(cluster, 4)
    cluster.crash(D)
    cluster.run(2000)
    assert len({cluster[at].engine.leaders for at in range(3)}) == 1
    assert len(cluster.agreed()) > 20
    for at in range(3):
        rounds = [block.round for block in cluster.own(at)]
        assert rounds == sorted(set(rounds))


def test_a_late_block_is_named_by_a_weak_link_and_committed() -> None:
    cluster = PaperCluster(4)
    busy(cluster, 2)
    cluster.extra_delays_ms[D] = 700  # more than two rounds
    cluster.propose(D, "late!")
    busy(cluster, 4)
    assert all("late!" in cluster.words(at) for at in range(4))
    taken = [block for commit in cluster.agreed() for block in commit.blocks]
    weak = {ref for block in taken for ref in block.parents if 0 < ref.round < block.round - 1}
    assert any(ref.author == D for ref in weak)


def test_a_minority_waits_and_its_entries_come_in_after_healing() -> None:
    cluster = PaperCluster(4)
    busy(cluster, 2)
    cluster.part([0, 1, 2], [D])
    before = len(cluster.stores[D].commits)
    cluster.propose(D, "alone!")
    busy(cluster, 5)
    assert len(cluster.stores[D].commits) <= before + 3
    assert len(cluster.stores[0].commits) > before + 10
    cluster.heal()
    cluster.run(5000)
    assert all("alone!" in cluster.words(at) for at in range(4))
    cluster.agreed()


def test_two_halves_wait_and_go_on_together() -> None:
    cluster = PaperCluster(4)
    busy(cluster, 2)
    cluster.part([0, 1], [2, D])
    cluster.propose(0, "one!")
    cluster.propose(D, "other!")
    cluster.run(20_000)
    assert all("one!" not in cluster.words(at) for at in range(4))
    cluster.heal()
    cluster.run(3000)
    for at in range(4):
        assert {"one!", "other!"} <= set(cluster.words(at))
    cluster.agreed()


def test_payload_that_falls_under_the_floor_is_given_back() -> None:
    cluster = PaperCluster(4, gc_depth=4)
    busy(cluster, 1)
    cluster.mute(D)
    cluster.propose(D, "unheard! quiet")
    busy(cluster, 5)
    assert cluster[D].returned == [entry_of("unheard!"), entry_of("quiet")]
    assert "unheard!" not in cluster.words(0)
    cluster.heal()
    cluster.propose(D, "unheard!")
    cluster.run(3000)
    assert all(cluster.words(at).count("unheard!") == 1 for at in range(4))
    cluster.agreed()


def test_an_equivocator_is_shown_once_by_each_and_named_no_more() -> None:
    cluster = PaperCluster(4)
    busy(cluster, 1)
    one = cluster.stores[D].blocks[cluster.own(D)[-1].ref]
    other = twin_of(cluster, one.block, "twin!")
    for at in range(3):
        cluster.give(at, other)
    known_from = cluster[0].engine.highest_round
    busy(cluster, 6)
    for at in range(3):
        ((low, high),) = cluster[at].cheats
        assert {low, high} == {one.block, other.block}
        assert low.digest < high.digest
        assert cluster[at].engine.twins == {D}
        named = {
            ref.author
            for block in cluster.own(at)
            if block.round > known_from + 1
            for ref in block.parents
        }
        assert D not in named
    assert len(cluster.agreed()) > 30


def test_an_equivocator_leads_no_more_after_the_next_change_of_the_schedule() -> None:
    """Named no more (rule 12), it is not connected (rule 28): nobody reads its reputation."""
    cluster = PaperCluster(4, leader_commits=5)
    busy(cluster, 1)
    one = cluster.stores[D].blocks[cluster.own(D)[-1].ref]
    other = twin_of(cluster, one.block, "twin!")
    assert D in cluster[0].engine.leaders
    for at in range(3):
        cluster.give(at, other)
    busy(cluster, 6)
    for at in range(3):
        assert D not in cluster[at].engine.leaders


def test_twins_told_to_different_members_end_in_one_ledger() -> None:
    cluster = PaperCluster(4)
    busy(cluster, 1)
    cluster.run(2000)
    cluster.crash(D)
    parents = [cluster.own(at)[-1].ref for at in (D, 0, 1, 2)]
    one = sign_block(cluster.committee, D, parents[0].round + 1, parents)
    other = twin_of(cluster, one.block, "right!")
    cluster.give(0, one)
    cluster.give(1, other)
    cluster.give(2, other)
    busy(cluster, 5)
    assert all(cluster[at].engine.twins == {D} for at in range(3))
    assert len(cluster.agreed()) > 10


def test_an_accused_member_is_named_no_more_and_no_pair_comes_out() -> None:
    cluster = PaperCluster(4)
    busy(cluster, 1)
    rounds = cluster[0].engine.own_round
    cluster[0].engine.accuse(D)
    busy(cluster, 2)
    assert cluster[0].cheats == []
    for block in cluster.own(0):
        if block.round > rounds:
            assert D not in {ref.author for ref in block.parents}
    assert D in {ref.author for ref in cluster.own(1)[-1].parents}


def test_where_no_faults_are_borne_an_equivocator_is_still_named() -> None:
    cluster = PaperCluster(3)
    busy(cluster, 1)
    other = twin_of(cluster, cluster.own(2)[-1], "twin!")
    cluster.give(0, other)
    cluster.give(1, other)
    before = len(cluster.agreed())
    busy(cluster, 3)
    assert cluster[0].engine.twins == {2}
    assert len(cluster.agreed()) > before + 5


def test_a_member_whose_key_has_signed_twice_signs_no_more() -> None:
    cluster = PaperCluster(4)
    busy(cluster, 1)
    other = twin_of(cluster, cluster.own(D)[-1], "twin!")
    cluster.give(D, other)
    rounds = cluster[D].engine.own_round
    busy(cluster, 2)
    assert cluster[D].engine.silent
    assert cluster[D].engine.own_round == rounds
    assert len(cluster.agreed()) > 10


def test_an_observer_follows_and_signs_nothing() -> None:
    cluster = PaperCluster(4, observers=1)
    busy(cluster, 3)
    assert len(cluster.stores[4].commits) == len(cluster.stores[0].commits)
    assert cluster[4].engine.own_round == 0
    assert {ref.author for ref in cluster.stores[4].blocks} == {0, 1, 2, 3}
    assert len(cluster.agreed()) > 10
