"""What went wrong in other ledgers of this kind, as tests of ours.

One test an incident, in the order of the list that this project keeps of them; where the guard is
another room's as well, the test or checker there is named.
"""

import pytest
from wattle_gateway.consensus.engine import Engine
from wattle_gateway.consensus.errors import ConsensusError
from wattle_gateway.consensus.exchange import Recovered
from wattle_testkit import dumb_twin
from wattle_testkit.alliance import GRID, Board, enrol_entry, epoch_of, sample_entry
from wattle_testkit.commit_chain import CommitChain
from wattle_testkit.dag_builder import committee_of, draw
from wattle_testkit.engine_cluster import EngineCluster
from wattle_testkit.paper_member import PaperMember
from wattle_testkit.random_dag import Shape, random_dag
from wattle_testkit.rule_verdicts import plain, rules_of, sequence, verdict


def running(members: int = 4) -> EngineCluster:
    cluster = EngineCluster(members, {})
    for letter in cluster.committee.letters:
        cluster.start(letter)
    return cluster


def heads(cluster: EngineCluster) -> set[tuple[int, bytes]]:
    """Head of every member that runs."""
    return {
        (station.store.head.index, station.store.head.digest)
        for station in cluster.stations.values()
        if station.member is not None
    }


def test_a_conflict_across_the_floor_leaves_the_same_digest_everywhere() -> None:
    """Sui mainnet, January 2026, six hours: conflicting transactions under a garbage collection
    condition were executed differently, and more than a third signed another digest.

    Two members propose one transaction; D's copy comes below the floor for some orders of
    arrival and at it for others. The commit digest covers blocks and state, each block votes for
    it, and the simulator's checker `Agreement` compares both after every step.
    """
    text = "gc_depth: 4\n1: A[x!] B C D[x!]\n2: *(* -D) -D\n3-4: * -D\n5: A B(* ~D1) C\n6-12: * -D"
    drawing = draw(text, 4)
    found = set()
    for late in ("", "D1", "D1 B5", "A1 D1"):
        member = PaperMember(drawing.committee, None)
        member.accept(drawing.all_but(late))
        member.feed(drawing.all_but())
        found.add((member.store.head.index, member.store.head.digest))
    assert len(found) == 1


def test_a_restart_anywhere_restores_the_same_state() -> None:
    """Sui v1.72, three halts in two days: the last was a dormant fault in what a restart restores.

    Here: after every single block, with a schedule change on the way. Of the whole gateway:
    test_runtime_restart.py, and the simulator's crashes.
    """
    shape = Shape(4, 30, equivocators=1, leader_commits=4, gc_depth=6)
    dag = random_dag(shape, 5)
    expected = dumb_twin.commits_of(rules_of(shape.committee.epoch), plain(dag.blocks))
    member = PaperMember(shape.committee, None)
    for made in dag.blocks:
        member = PaperMember(shape.committee, None, store=member.store)
        member.tick()
        member.accept([made])
    assert len(expected) > 10
    assert [commit.leader.digest for commit in member.commits] == [
        commit.leader[2] for commit in expected
    ]


def test_clocks_hours_apart_decide_the_same_commits_and_times() -> None:
    """hyperspaceai/agi v1.3.1, four validators, four chains: block times came from the local clock
    and leaders from a locally known set. Rules 13, 27 and 28 read committed blocks only."""
    dag = random_dag(Shape(7, 40, equivocators=2, leader_commits=8), 11)
    results = []
    for skew_ms, steady_ms in ((0, 0), (3_600_000, 10**9), (-3_600_000, 5), (10**12, 77)):
        member = PaperMember(dag.shape.committee, None, steady_ms=steady_ms)
        member.skew_ms = skew_ms
        member.feed(dag.blocks, step=1 + steady_ms % 7)
        results.append(([commit.time_ms for commit in member.commits], member.store.head.digest))
    assert results[0][0]
    assert all(result == results[0] for result in results)


def test_who_is_far_behind_skips_nothing_on_its_own() -> None:
    """agi v1.3.6, a fork in catch-up: nodes far behind skipped waves by themselves."""
    drawing = draw("1-30: *", 4)
    member = PaperMember(drawing.committee, None)
    newest = [made for made in drawing.all_but() if made.block.round > 15]
    member.accept(newest)
    assert member.commits == []
    member.accept(drawing.all_but())
    assert [commit.leader.round for commit in member.commits] == list(range(1, 29))


def test_no_time_without_a_quorum_commits_anything() -> None:
    """agi v1.7.6, a fork of two and two: after two seconds of wall clock each side committed an
    empty block from what it had."""
    cluster = running()
    cluster.propose("A", "x!")
    cluster.run(700)
    before = heads(cluster)
    cluster.cut("AB", "CD")
    cluster.propose("A", "y!")
    cluster.propose("C", "z!")
    cluster.run(3_600_000)
    assert heads(cluster) == before
    cluster.heal()
    cluster.run(5_000)
    assert len(heads(cluster)) == 1
    assert max(heads(cluster)) > max(before)


def test_support_is_found_through_any_path() -> None:
    """agi v1.7.20, a stall every 16 minutes: support was counted over direct links only.

    The anchor B5 has the certificate C3 in its history, through C4 and no other way.
    """
    drawing = draw(
        """
        1: *
        2: A B C D(* -B)
        3: A(A2 B2 D2) B(A2 B2 D2) C(A2 B2 C2) D(A2 C2 D2)
        4: A(A3 B3 D3) B(A3 B3 D3) C D(A3 B3 D3)
        5: A B(B4 C4 D4) C(B4 C4 D4) D(B4 C4 D4)
        6-7: *
        """,
        4,
    )
    assert verdict(drawing, 4) == "skip"
    assert verdict(drawing, 5) == "B5"
    assert verdict(drawing, 1) == "B1"


def test_a_graph_with_holes_is_no_start() -> None:
    """A fork of Sui, other timestamps after a snapshot was restored: the rule ran on a sparse
    graph before it had caught up."""
    drawing = draw("1-9: *", 4)
    member = PaperMember(drawing.committee, None)
    member.accept(drawing.all_but())
    whole = member.store.recovered(drawing.epoch)
    for at, block in enumerate(whole.committed[:-4]):
        sparse = Recovered(
            head=whole.head,
            leader=whole.leader,
            committed=whole.committed[:at] + whole.committed[at + 1 :],
            uncommitted=whole.uncommitted,
            window=whole.window,
        )
        with pytest.raises(ConsensusError, match="not among the recovered blocks"):
            Engine(drawing.epoch, None, drawing.committee.parties[0].sign, sparse)
        assert block.round < 9


def test_a_sample_in_both_twins_counts_once() -> None:
    """Sui issue 24498: both blocks of an equivocator are sequenced, and the application sees two
    payloads. They are here as well (test_both_twins_are_taken_and_stand_by_digest_rule_26), and
    execution knows a sample by its seq and digest."""
    ledger = CommitChain(epoch_of(), GRID)
    board = Board("meter", ledger.epoch)
    ledger.commit(enrol_entry(board))
    sample = sample_entry(board.sample(1))
    executed = ledger.commit(sample, sample)
    assert len(executed.leaves) == 2  # of one sample, and of the commit


@pytest.mark.parametrize("members", [4, 7, 10])
def test_an_equivocating_leader_crashes_nobody(members: int) -> None:
    """asonnino/mysticeti 885ae9f: a leader with two blocks ran into an assertion of uniqueness."""
    drawing = draw("1: * B' B''\n2: *(* -B B1') A'(* -B B1'')\n3: *\n4-9: *", members)
    member = PaperMember(drawing.committee, None)
    member.feed(drawing.all_but())
    assert {"B1'"} == {
        drawing.name(commit.leader) for commit in member.commits if commit.leader.round == 1
    }


def test_an_author_index_out_of_range_crashes_nobody() -> None:
    """Sui, phantom_voter_test: a table look-up came before the test of bounds. Here it is the
    first rule that is tested: test_rules_validity.py, rule 5. Behind it, an engine that is asked
    for such a reference has none."""
    committee = committee_of(4)
    member = PaperMember(committee, None)
    drawing = draw("1: *", 4)
    ref = drawing.ref("A1")
    for author in (4, 31, 1 << 40):
        assert not member.engine.has(type(ref)(1, author, ref.digest))
        assert member.engine.find(type(ref)(1, author, ref.digest)) is None


def test_missing_blocks_are_asked_of_those_who_hold_them() -> None:
    """IOTA 4517 and 5148, a network stalled for minutes: missing blocks were asked from random or
    saturated peers. The engine names holders; that they are asked, and others after them, is
    tested in test_sync_liars.py (test_false_holdings_of_f_members_hinder_nobody)."""
    drawing = draw("1: *\n2: B C(A1 B1 C1)", 4)
    member = PaperMember(drawing.committee, None)
    member.accept(drawing.pick("B2 C2"))
    assert member.engine.missing()[drawing.ref("D1")] == {1}
    assert member.engine.missing()[drawing.ref("C1")] == {1, 2}


def test_an_epoch_begins_with_everything_written() -> None:
    """IOTA 8874: at an epoch change the own cache was read before the write was complete.

    An engine of the next epoch is made from a head, nothing else. That head, epoch and blocks
    are one database transaction is tested by test_runtime_restart.py
    (test_an_epoch_is_found_again_after_a_start, test_a_power_cut_inside_any_write).
    """
    cluster = running()
    cluster.propose("A", "epoch!")
    cluster.run(560)
    for letter in "ABCD":
        cluster.crash(letter)
    cluster.run(1_000)
    for letter in "ABCD":
        cluster.start(letter)
    cluster.propose("B", "x!")
    cluster.run(4_000)
    assert {station.committee.epoch.number for station in cluster.stations.values()} == {0, 1}
    assert len(heads(cluster)) == 1


@pytest.mark.parametrize("leader_commits", [1, 2, 3, 8])
def test_no_round_has_two_commits_over_schedule_changes(leader_commits: int) -> None:
    """Sui PR 18206: the schedule was exchanged between two tries, a round was committed for two
    leaders, and whoever dropped the second could not close the epoch."""
    changes = 0
    for seed in range(4):
        shape = Shape(7, 40, equivocators=2, slow=1, leader_commits=leader_commits)
        found = sequence(shape.committee.epoch, random_dag(shape, seed).blocks)
        rounds = [commit.leader[0] for commit in found]
        assert rounds == sorted(set(rounds))
        changes += len({commit.leaders for commit in found}) - 1
    assert changes > 5


def test_a_block_that_was_stored_and_not_sent_is_the_one_that_is_sent() -> None:
    """circlefin/malachite 850 and 864: after a restart the replay made another value for a height
    it had signed. A's block is stored, nothing has left, and A loses power."""
    cluster = running()
    cluster.propose("A", "x!")
    cluster.run(155)
    (made,) = cluster.stations["A"].store.blocks.values()
    cluster.crash("A")
    cluster.run(5)
    cluster.stations["A"].store.blocks = {made.block.ref: made}
    for letter in "BCD":
        assert not cluster.stations[letter].store.blocks
    cluster.start("A")
    cluster.run(4_000)
    for letter in "ABCD":
        blocks = cluster.stations[letter].store.blocks
        assert [ref for ref in blocks if (ref.round, ref.author) == (1, 0)] == [made.block.ref]


def test_what_a_torn_write_lost_is_not_signed_again() -> None:
    """Tendermint 0.10.2 (Jepsen): a lost tail of the log, and a crash in recovery.

    The newest own block is gone from the disk, and others have it: rule 31 finds it. Torn writes
    under real SQLite: test_simulation_disk.py and test_runtime_restart.py.
    """
    cluster = running()
    cluster.propose("A", "x!")
    cluster.run(360)
    store = cluster.stations["A"].store
    newest = max(ref for ref in store.blocks if ref.author == 0)
    cluster.crash("A")
    del store.blocks[newest]
    store.own_floor = newest.round - 1
    cluster.run(200)
    cluster.start("A", silent=True)
    cluster.run(500)
    assert newest in store.blocks  # the others gave it back
    cluster.resume("A", newest.round)
    cluster.run(4_000)
    assert all(not station.store.cheaters for station in cluster.stations.values())
    assert len(heads(cluster)) == 1
