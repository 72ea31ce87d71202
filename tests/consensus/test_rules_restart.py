"""Rules 12, 31 and 32 as far as the engine goes: who may have forgotten a block stays silent, and
goes on above all that anybody knows of it.

Who is asked, and how many answers end the silence, is `wattle_gateway.sync.recovery`'s business.
"""

import pytest
from wattle_gateway.consensus.engine import IDLE_ROUND_MS, URGENT_ROUND_MS
from wattle_gateway.sync.recovery import Silence
from wattle_testkit.dag_builder import committee_of, draw, sign_block, word_of
from wattle_testkit.paper_member import PaperMember, first_store

FULL = draw("1-9: *", 4)


def silent(author: int = 0) -> PaperMember:
    """A member that lost everything and hears what it and the others made up to round 9."""
    member = PaperMember(FULL.committee, author, silent=True)
    member.tick(0)
    member.accept(FULL.all_but())
    return member


def test_a_silent_member_follows_and_signs_nothing_rule_31() -> None:
    member = silent()
    member.propose("x!")
    for step in range(1, 9):
        member.tick(step * IDLE_ROUND_MS)
    assert len(member.commits) == 7
    assert member.sent == []
    assert member.engine.silent


def test_it_goes_on_above_its_newest_block_with_that_as_parent_rule_31() -> None:
    member = silent()
    member.resume(9)
    member.tick(IDLE_ROUND_MS)
    assert [made.block.round for made in member.sent] == [10]
    assert member.sent[0].block.parents[0] == FULL.ref("A9")


def test_it_goes_on_above_what_others_say_rule_31() -> None:
    # They know of a block of round 12 that never came here.
    member = silent()
    member.resume(12)
    member.tick(10 * IDLE_ROUND_MS)
    assert member.sent == []
    assert member.engine.own_round == 12


def test_it_goes_on_above_own_blocks_that_come_back_unasked_rule_31() -> None:
    member = PaperMember(FULL.committee, 0, silent=True)
    member.tick(0)
    member.accept(FULL.pick("A1 B1 C1 D1 A3"))  # A3 has to wait for its parents, but is signed
    member.resume(0)
    member.tick(10 * IDLE_ROUND_MS)
    assert member.sent == []
    assert member.engine.own_round == 3


def test_what_waited_is_proposed_when_the_silence_ends_rule_31() -> None:
    member = silent()
    member.propose("x!")
    member.resume(9)
    member.tick(URGENT_ROUND_MS)
    assert [word_of(entry) for entry in member.sent[0].entries] == ["x!"]


def test_an_older_copy_of_a_disk_signs_no_round_again_rules_12_31() -> None:
    # The copy ends at round 3. The others still have A up to round 9.
    old = PaperMember(FULL.committee, 0, silent=True)
    old.tick(0)
    old.accept([made for made in FULL.all_but() if made.block.round <= 3])
    copy = PaperMember(FULL.committee, 0, silent=True, store=old.store)
    copy.tick(0)
    copy.accept(FULL.all_but())
    copy.resume(9)
    copy.tick(IDLE_ROUND_MS)
    assert [made.block.round for made in copy.sent] == [10]
    assert copy.cheats == []


def test_signing_again_without_asking_would_be_equivocation_rule_32() -> None:
    # The mistake that rules 31 and 32 exclude: a wiped member that starts at round 1.
    forgetful = PaperMember(FULL.committee, 0)
    forgetful.tick(0)
    forgetful.tick(IDLE_ROUND_MS)
    (again,) = forgetful.sent
    assert again.block.round == 1
    other = PaperMember(FULL.committee, 1, silent=True)
    other.accept([*FULL.all_but(), again])
    assert [(one.author, one.round) for one, _ in other.cheats] == [(0, 1)]


def test_who_sees_its_own_two_blocks_signs_no_more_rule_32() -> None:
    drawing = draw("1: * A'\n2: *", 4)
    member = PaperMember(drawing.committee, 0)
    member.tick(0)
    member.accept(drawing.all_but())
    for step in range(1, 5):
        member.tick(step * IDLE_ROUND_MS)
    assert member.engine.silent
    assert member.sent == []


@pytest.mark.parametrize("members", [1, 4, 7, 10])
def test_a_restart_decides_what_the_crash_cut_off_rule_21(members: int) -> None:
    # Killed after a block was stored and before the commit that it brings was executed.
    drawing = draw("1-3: *", members)
    before = PaperMember(drawing.committee, None)
    before.executes = False
    before.accept(drawing.all_but())
    assert before.commits == []
    after = PaperMember(drawing.committee, None, store=before.store)
    after.tick(0)
    assert [commit.index for commit in after.commits] == [1]


def test_a_restart_at_any_block_gives_the_same_commits_rules_21_28() -> None:
    drawing = draw("leader_commits: 8\n1: *\n2-14: *(* -D)\n15-30: *", 4)
    whole = PaperMember(drawing.committee, None)
    whole.accept(drawing.all_but())
    assert {len(commit.blocks) for commit in whole.commits} != {4}
    store = first_store(drawing.epoch)
    for made in drawing.all_but():
        member = PaperMember(drawing.committee, None, store=store)
        member.tick(0)
        member.accept([made])
    assert [commit.blocks for commit in store.commits] == [
        commit.blocks for commit in whole.commits
    ]
    assert store.head == whole.store.head


def test_own_payload_below_the_floor_comes_back_after_a_restart_too_rule_24() -> None:
    drawing = draw("gc_depth: 4\n1: A B C D[x]\n2: *(* -D) -D\n3-9: * -D", 4)
    member = PaperMember(drawing.committee, 3, silent=True)
    member.accept(drawing.all_but())
    fallen = list(member.returned)
    assert [word_of(entry) for entry in fallen] == ["x"]
    again = PaperMember(drawing.committee, 3, silent=True, store=member.store)
    again.tick(0)
    assert again.returned == fallen  # the driver asks its queue what is still without outcome


@pytest.mark.parametrize("wiped", [False, True])
@pytest.mark.parametrize("members", [1, 2, 3, 4, 7, 10])
def test_who_may_sign_once_the_others_have_answered_rule_32(members: int, wiped: bool) -> None:
    epoch = committee_of(members).epoch
    silence = Silence(wiped, None)
    silence.told(epoch, [0] * (members - 1))
    assert silence.ends_in(epoch) == (not wiped or members in (2, 3))


def test_a_wiped_member_signs_again_in_an_epoch_that_begins_later_rule_32() -> None:
    drawing = draw("1-2: *", 4)
    silence = Silence(True, None)
    silence.told(drawing.epoch, [0, 0, 0])
    assert silence.through == 0
    assert not silence.ends_in(drawing.epoch)


def test_blocks_after_a_silence_form_one_chain_with_those_before_rule_31() -> None:
    member = silent()
    member.resume(9)
    member.tick(IDLE_ROUND_MS)
    (own,) = member.sent
    row = [(1, "BACD"), (2, "CABD"), (3, "DABC")]
    tenth = [
        sign_block(FULL.committee, author, 10, [FULL.ref(f"{letter}9") for letter in order])
        for author, order in row
    ]
    member.accept(tenth)
    member.tick(3 * IDLE_ROUND_MS)
    assert member.sent[-1].block.parents[0] == own.block.ref
