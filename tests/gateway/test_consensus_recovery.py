"""What an engine begins with, adopts and gives up: restart, silence, history, the final stop."""

from copy import deepcopy
from dataclasses import replace

import pytest
from wattle_gateway.consensus import acceptance
from wattle_gateway.consensus.acceptance import ROUNDS_AHEAD_MAX
from wattle_gateway.consensus.engine import Engine, Now, window_first
from wattle_gateway.consensus.errors import ConsensusError, HistoryError, SafetyError
from wattle_gateway.ledger.block import VerifiedBlock
from wattle_gateway.ledger.commit import CommitHead
from wattle_testkit.alliance import CREATED_MS
from wattle_testkit.dag_builder import committee_of, draw, entry_of, sign_block
from wattle_testkit.paper_cluster import PaperCluster
from wattle_testkit.paper_member import PaperMember, PaperStore, first_store

D = 3
NOW = Now(CREATED_MS, 0)


def busy(cluster: PaperCluster, seconds: int) -> None:
    for _ in range(10 * seconds):
        cluster.propose(0, f"t{cluster.steady_ms}!")
        cluster.run(100)


def commit_blocks(store: PaperStore, at: int) -> list[VerifiedBlock]:
    return [store.blocks[block.ref] for block in store.commits[at].blocks]


def test_a_silent_member_follows_and_signs_nothing_until_it_resumes() -> None:
    cluster = PaperCluster(4)
    busy(cluster, 1)
    cluster.crash(D)
    busy(cluster, 1)
    member = cluster.start(D, silent=True)
    cluster.heal()
    before = member.engine.own_round
    busy(cluster, 2)
    assert member.engine.silent
    assert member.engine.own_round == before
    assert len(cluster.stores[D].commits) > 10
    cluster.resume(D, before)
    busy(cluster, 1)
    assert member.engine.own_round == member.engine.highest_round
    cluster.agreed()


def test_a_restored_store_goes_on_above_what_others_have_seen() -> None:
    # Rule 31: D comes back with a store that lacks its newest blocks.
    cluster = PaperCluster(4)
    busy(cluster, 1)
    old = deepcopy(cluster.stores[D])
    busy(cluster, 1)
    seen = cluster.own(D)
    cluster.crash(D)
    cluster.stores[D] = old
    cluster.start(D, silent=True)
    newest = cluster.stores[0].blocks[seen[-1].ref]
    cluster.give(D, newest)
    cluster.heal()
    cluster.run(1000)
    cluster.resume(D, newest.block.round)
    busy(cluster, 1)
    after = [block for block in cluster.own(D) if block.round > newest.block.round]
    assert after[0].parents[0] == newest.block.ref
    assert cluster.own(D)[: len(seen)] == seen
    assert all(cluster[at].cheats == [] for at in range(4))
    cluster.agreed()


def test_an_own_block_that_waits_for_parents_is_signed_all_the_same() -> None:
    drawing = draw("1-6: *", 4)
    member = PaperMember(drawing.committee, 0)
    member.accept([drawing.verified["A6"]])
    assert member.engine.own_round == 6
    member.accept(made for name, made in drawing.verified.items() if name not in ("A6", "A5"))
    member.tick(300)
    assert [made.block.round for made in member.sent] == []


def test_a_wiped_member_of_four_stays_silent_and_the_others_go_on() -> None:
    cluster = PaperCluster(4)
    busy(cluster, 1)
    cluster.wipe(D)
    cluster.start(D, silent=True)
    cluster.heal()
    busy(cluster, 3)
    assert cluster[D].engine.own_round == max(
        ref.round for ref in cluster.stores[0].blocks if ref.author == D
    )
    assert cluster[D].sent == []
    assert len(cluster.agreed()) > 12


def test_a_wiped_member_of_three_signs_again_after_all_have_answered() -> None:
    cluster = PaperCluster(3)
    busy(cluster, 1)
    cluster.wipe(2)
    cluster.start(2, silent=True)
    cluster.heal()
    newest = cluster.stores[0].blocks[
        max(ref for ref in cluster.stores[0].blocks if ref.author == 2)
    ]
    cluster.give(2, newest)
    cluster.run(1000)
    cluster.resume(2, newest.block.round)
    before = len(cluster.agreed())
    busy(cluster, 2)
    assert len(cluster.agreed()) > before + 5
    assert all(cluster[at].cheats == [] for at in range(3))


def test_own_rounds_begin_above_the_recovered_floor() -> None:
    drawing = draw("1-3: * -A", 4)
    store = first_store(drawing.epoch)
    store.own_floor = 3
    member = PaperMember(drawing.committee, 0, store=store)
    member.accept(drawing.pick("B1 C1 D1 B2 C2 D2"))
    member.tick(60_000)
    assert member.sent == []
    member.accept(drawing.pick("B3 C3 D3"))
    member.tick(120_000)
    assert [made.block.round for made in member.sent] == [4]


def test_history_is_adopted_commit_by_commit_into_the_same_ledger() -> None:
    cluster = PaperCluster(4, gc_depth=4, leader_commits=5)
    busy(cluster, 5)
    store = cluster.stores[0]
    late = PaperMember(cluster.committee, None, steady_ms=cluster.steady_ms)
    for at in range(len(store.commits)):
        late.adopt(store.commits[at], commit_blocks(store, at))
    assert late.commits == store.commits
    assert late.store.head == store.head
    assert late.engine.leaders == cluster[0].engine.leaders


def test_an_old_commit_changes_nothing() -> None:
    cluster = PaperCluster(4)
    busy(cluster, 2)
    store = cluster.stores[0]
    before = list(store.commits)
    cluster[0].adopt(store.commits[0], commit_blocks(store, 0))
    assert store.commits == before


def test_a_history_that_leaves_a_block_out_is_refused_and_what_came_is_kept() -> None:
    drawing = draw("1-4: *", 4)
    store = PaperMember(drawing.committee, None)
    store.feed(list(drawing.verified.values()))
    blocks = commit_blocks(store.store, 1)
    late = PaperMember(drawing.committee, None)
    late.adopt(store.commits[0], commit_blocks(store.store, 0))
    with pytest.raises(HistoryError, match="a parent that no commit up to it has"):
        late.adopt(store.commits[1], blocks[1:])
    with pytest.raises(HistoryError, match="names a leader of round 2 that is not in the graph"):
        late.adopt(store.commits[1], blocks[:-1])
    late.adopt(store.commits[1], blocks)
    assert late.commits == store.commits[:2]
    assert {made.block.ref for made in blocks} <= late.store.blocks.keys()


def test_a_history_with_a_block_too_many_is_refused() -> None:
    drawing = draw("1-4: *", 4)
    member = PaperMember(drawing.committee, None)
    member.feed(list(drawing.verified.values()))
    blocks = [*commit_blocks(member.store, 0), drawing.verified["A1"]]
    late = PaperMember(drawing.committee, None)
    with pytest.raises(HistoryError, match="lists 2 blocks"):
        late.adopt(member.commits[0], sorted(blocks, key=lambda made: made.block.ref))


def test_a_history_of_another_leader_is_refused() -> None:
    drawing = draw("1-4: *", 4)
    member = PaperMember(drawing.committee, None)
    member.feed(list(drawing.verified.values()))
    late = PaperMember(drawing.committee, None)
    wrong = replace(member.commits[0], leader=drawing.ref("A1"))
    with pytest.raises(HistoryError, match="names author 0 as leader of round 1, expected"):
        late.adopt(wrong, [drawing.verified["A1"]])
    assert late.commits == []


def test_two_certificates_stop_the_engine_for_good_and_are_kept() -> None:
    drawing = draw(
        """
        1: * B'
        2: A C D A'(A1 B1' C1 D1) C'(A1 B1' C1 D1) D'(A1 B1' C1 D1)
        3: A(A2 C2 D2) D(A2' C2' D2')
        """,
        4,
    )
    member = PaperMember(drawing.committee, None)
    member.feed(drawing.all_but("D3"))
    with pytest.raises(SafetyError) as caught:
        member.accept([drawing.verified["D3"]])
    assert set(drawing.names(caught.value.blocks)) == {"B1", "B1'"}
    with pytest.raises(SafetyError):
        member.tick(1)
    with pytest.raises(SafetyError):
        member.propose("x")
    with pytest.raises(SafetyError):
        member.accept([])
    with pytest.raises(SafetyError):
        member.resume(9)
    assert member.commits == []


def test_a_recovered_window_of_the_wrong_length_is_refused() -> None:
    cluster = PaperCluster(4, leader_commits=4)
    busy(cluster, 3)
    recovered = cluster.stores[0].recovered(cluster.committee.epoch)
    sign = cluster.committee.parties[0].sign
    with pytest.raises(ConsensusError, match=r"window of \d commits, expected \d from commit"):
        Engine(cluster.committee.epoch, 0, sign, replace(recovered, window=recovered.window[1:]))
    with pytest.raises(ConsensusError, match="has no leader"):
        Engine(cluster.committee.epoch, 0, sign, replace(recovered, leader=None))


def test_the_window_of_a_committee_without_faults_is_empty() -> None:
    assert window_first(1, 100, committee_of(3).epoch) == 101
    assert window_first(1, 100, committee_of(4).epoch) == 61
    assert window_first(71, 100, committee_of(4).epoch) == 71


def test_an_epoch_begins_at_the_head_of_the_one_before() -> None:
    drawing = draw("1-3: *", 4)
    head = CommitHead(41, drawing.epoch.created_ms + 5, bytes([7]) * 32, bytes(32))
    member = PaperMember(drawing.committee, 0, store=PaperStore(head, 42))
    member.accept(made for name, made in drawing.verified.items())
    assert [commit.index for commit in member.commits] == [42]
    member.tick(60_000)
    assert member.sent[0].block.commit_vote.index == 42


def test_recovered_own_payload_below_the_floor_is_given_back() -> None:
    cluster = PaperCluster(4, gc_depth=4)
    busy(cluster, 1)
    cluster.mute(D)
    cluster.propose(D, "unheard!")
    cluster.run(200)
    busy(cluster, 3)
    member = cluster[D]
    assert member.returned == [entry_of("unheard!")]
    cluster.crash(D)
    again = cluster.start(D)
    again.tick(cluster.steady_ms)
    assert again.returned == [entry_of("unheard!")]


def test_twins_in_the_store_are_known_after_a_restart() -> None:
    drawing = draw("1: * D'\n2: * -D", 4)
    store = first_store(drawing.epoch)
    store.blocks = {made.block.ref: made for made in drawing.verified.values()}
    member = PaperMember(drawing.committee, 0, store=store)
    member.tick(60_000)
    ((low, high),) = member.cheats
    assert set(drawing.names([low, high])) == {"D1", "D1'"}
    again = PaperMember(drawing.committee, 0, store=store)
    again.tick(120_000)
    assert again.cheats == []
    assert again.engine.twins == {D}


def test_a_flood_of_future_rounds_is_not_kept() -> None:
    drawing = draw("1-2: *", 4)
    committee = drawing.committee
    member = PaperMember(committee, 0)
    member.feed(list(drawing.verified.values()))
    rounds = [ROUNDS_AHEAD_MAX + 3, 10**9, 2**53 - 1]
    for number in rounds:
        parents = [
            replace(drawing.ref(name), round=number - 1) for name in ("D2", "A2", "B2", "C2")
        ]
        made = sign_block(committee, D, number, parents)
        member.accept([made])
        assert not member.engine.has(made.block.ref)
    assert member.engine.missing() == {}


def test_a_third_twin_is_taken_only_if_another_block_names_it() -> None:
    drawing = draw("1: * D' D''\n2: A(A1 B1 C1 D1'')", 4)
    member = PaperMember(drawing.committee, 1)
    member.accept(drawing.pick("A1 B1 C1 D1 D1' D1''"))
    assert not member.engine.has(drawing.ref("D1''"))
    member.accept(drawing.pick("A2"))
    assert member.engine.missing() == {drawing.ref("D1''"): {0}}
    member.accept(drawing.pick("D1''"))
    assert member.engine.has(drawing.ref("D1''"))
    assert member.engine.accepted(drawing.ref("A2"))


def test_who_has_ended_the_epoch_vouches_for_further_twins_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(acceptance, "VOUCHED_MAX", 1)
    drawing = draw("1: * D' D'' D''' D''''", 4)
    member = PaperMember(drawing.committee, 1)
    member.accept(drawing.pick("A1 B1 C1 D1 D1'"))
    vouched = [drawing.verified["D1''"], drawing.verified["D1'''"]]
    member.accept(vouched, voucher=b"one")
    assert [member.engine.has(made.block.ref) for made in vouched] == [True, False]
    member.accept(vouched, voucher=b"other")
    assert member.engine.has(vouched[1].block.ref)
    member.accept(drawing.pick("D1''''"))
    assert not member.engine.has(drawing.ref("D1''''"))


def test_at_the_close_nothing_above_the_newest_leader_counts_as_held() -> None:
    drawing = draw("1: *\n2: *\n3: *\n4: *\n5: A B C", 4)
    member = PaperMember(drawing.committee, None)
    member.accept(drawing.verified.values())
    leader_round = member.commits[-1].leader.round
    assert leader_round == 3
    assert member.engine.holdings() == (5, 5, 5, 4)
    assert member.engine.holdings_at_close() == (3, 3, 3, 3)


def test_a_block_of_another_epoch_is_left() -> None:
    drawing = draw("1: *", 4)
    other = replace(drawing.block("B1"), epoch=1)
    member = PaperMember(drawing.committee, 0)
    member.accept([VerifiedBlock(other, ())])
    assert not member.engine.has(other.ref)


def test_queries_show_what_is_here() -> None:
    drawing = draw("1: * D'\n2-4: * -D", 4)
    member = PaperMember(drawing.committee, None)
    member.feed(drawing.all_but("B3"))
    engine = member.engine
    assert engine.holdings() == (3, 2, 3, 1)
    assert engine.quorum_round == 2
    assert set(engine.missing()) == {drawing.ref("B3")}
    assert engine.missing()[drawing.ref("B3")] == {0, 1, 2}
    assert engine.newest_of(0) == drawing.block("A4")
    assert engine.newest_of(D) in (drawing.block("D1"), drawing.block("D1'"))
    assert drawing.names(engine.blocks_of(0, 1)) == ["A2", "A3"]
    assert engine.find(drawing.ref("A4")) is drawing.verified["A4"]
    assert engine.find(drawing.ref("B3")) is None
    assert engine.has(drawing.ref("A0"))
