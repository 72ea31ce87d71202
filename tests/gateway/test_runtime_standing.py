"""What a gateway can say of the others and of its commits, from its own database alone."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from wattle_gateway.audit import commit_story
from wattle_gateway.ledger import evidence, transaction
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.runtime import alliance_standing
from wattle_gateway.runtime.alliance_standing import SILENT_MS, AllianceStanding
from wattle_testkit.alliance import Board, Party, epoch_of, evidence_entry, two_blocks_of
from wattle_testkit.driven_alliance import DrivenAlliance

NAMES = ("ann", "bob", "cid", "dee")
PARTIES = tuple(Party(name) for name in NAMES)
FOUR = epoch_of(*PARTIES, constants=Constants(enrol_approvals=1, leader_commits=4, gc_depth=8))


@pytest.fixture
def four(tmp_path: Path) -> Iterator[DrivenAlliance]:
    made = DrivenAlliance(tmp_path, *PARTIES, epoch=FOUR)
    made.run(1000)
    board = Board("meter", made.epoch)
    kid = made.epoch.members[0].kid
    (home,) = [name for name, member in made.members.items() if member.kid == kid]
    made.transact(home, transaction.ENROL, transaction.enrol_body(board.enrol()))
    made.run(2000)
    yield made
    made.close()


def standing(alliance: DrivenAlliance, name: str) -> AllianceStanding:
    """As another process reads it."""
    with closing(sqlite3.connect(alliance.members[name].path)) as reader:
        return alliance_standing.read(reader, alliance.epoch)


def named(members: tuple[alliance_standing.MemberStanding, ...]) -> set[str]:
    """Their names."""
    return {found.member.name for found in members}


def test_all_is_well(four: DrivenAlliance) -> None:
    found = standing(four, "ann")
    assert found.head == four["ann"].head
    assert named(found.members) == set(NAMES)
    assert found.round == four["ann"].engine.highest_round
    assert all(member.round >= found.round - 1 for member in found.members)
    assert not any(member.slow or member.cheat for member in found.members)
    assert found.silent(four.unix_ms) == ()
    assert 0 <= found.commit_age_ms(four.unix_ms) < 10_000


def test_who_is_away_is_slow_for_the_schedule_and_silent_for_people(four: DrivenAlliance) -> None:
    four.kill("cid")
    four.run(12 * SILENT_MS)
    found = standing(four, "ann")
    assert named(found.silent(four.unix_ms)) == {"cid"}
    assert named(tuple(member for member in found.members if member.slow)) == {"cid"}


def test_with_f_0_only_the_one_that_is_away_is_silent(tmp_path: Path) -> None:
    three = DrivenAlliance(tmp_path, *PARTIES[:3], epoch=epoch_of(*PARTIES[:3]))
    three.run(200_000)
    three.kill("bob")
    three.run(4 * SILENT_MS)
    found = standing(three, "ann")
    assert named(found.silent(three.unix_ms)) == {"bob"}
    assert found.commit_age_ms(three.unix_ms) > 3 * SILENT_MS
    three.close()


def test_who_cheated_is_named(four: DrivenAlliance) -> None:
    liar = four.members["dee"].party
    pair = two_blocks_of(four.epoch, liar, round_number=700)
    four.add("ann", evidence_entry(evidence.two_blocks(*pair)))
    four.run(3000)
    cheats = [member for member in standing(four, "bob").members if member.cheat is not None]
    assert named(tuple(cheats)) == {"dee"}


def test_who_has_no_vote_follows(four: DrivenAlliance) -> None:
    four.change("ann", [], NAMES[:3])
    four.run(5000)
    found = standing(four, "dee")
    assert found.epoch.number == 1
    assert named(found.members) == set(NAMES[:3])


class TestCommitStory:
    def test_votes_and_certificates_against_the_quorum(self, four: DrivenAlliance) -> None:
        with closing(sqlite3.connect(four.members["ann"].path)) as reader:
            for index in range(1, four["ann"].head.index):
                story = commit_story.read(reader, four.epoch, index)
                assert story is not None
                assert story.digest == four["bob"].ledger.digest_of(index)
                assert story.proposal.ref == story.commit.leaf.leader == story.blocks[-1].ref
                assert len(story.votes) >= four.epoch.quorum
                assert len(story.certificates) >= four.epoch.quorum
                assert story.direct

    def test_the_enrolment_is_an_entry_of_one_commit(self, four: DrivenAlliance) -> None:
        with closing(sqlite3.connect(four.members["ann"].path)) as reader:
            stories = [
                commit_story.read(reader, four.epoch, index)
                for index in range(1, four["ann"].head.index + 1)
            ]
        assert [story.leaves for story in stories if story is not None and story.entries] == [1]

    def test_the_skipped_slot_of_one_who_is_away_has_no_commit(self, four: DrivenAlliance) -> None:
        four.kill("cid")
        four.run(20 * 60_000)
        author = four.epoch.author_of(four.members["cid"].kid)
        with closing(sqlite3.connect(four.members["ann"].path)) as reader:
            last = commit_story.read(reader, four.epoch, four["ann"].head.index)
            assert last is not None
            assert author not in last.votes
            assert last.direct

    def test_no_such_commit(self, four: DrivenAlliance) -> None:
        with closing(sqlite3.connect(four.members["ann"].path)) as reader:
            assert commit_story.read(reader, four.epoch, 0) is None
            assert commit_story.read(reader, four.epoch, 10_000) is None
