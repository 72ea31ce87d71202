"""Rules 1, 4, 29 and 30 as far as engines go: an epoch ends, the next begins.

Which commit ends an epoch is for execution to say (`wattle_gateway.contracts.alliance`), and
what becomes of the commits behind it for the driver.
"""

from dataclasses import replace

import pytest
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.epoch import EpochChange, next_epoch
from wattle_gateway.ledger.errors import BlockError
from wattle_testkit.dag_builder import Committee, committee_of, draw, sign_block
from wattle_testkit.paper_member import PaperMember, PaperStore

URGENT_MS = 150


def following(before: Committee, head: CommitHead, without: int = 0) -> Committee:
    """The committee that follows with the commit of `head`, less its `without` last members."""
    epoch = before.epoch
    members = epoch.everyone[: len(epoch.everyone) - without]
    change = EpochChange(members, epoch.rules, epoch.constants)
    return Committee(next_epoch(epoch, change, head), before.parties[: len(members)])


def ended(members: int = 4) -> PaperMember:
    """An observer at the end of an epoch of seven commits."""
    drawing = draw("1-9: *", members)
    member = PaperMember(drawing.committee, None)
    member.accept(drawing.all_but())
    assert member.store.head.index == 7
    return member


def begun(committee: Committee, head: CommitHead, author: int | None) -> PaperMember:
    """A member of an epoch that follows the commit of `head`."""
    return PaperMember(committee, author, store=PaperStore(head, first_index=head.index + 1))


def rounds_of(committee: Committee, last: int) -> list[block_format.VerifiedBlock]:
    """Full rounds from 1 to `last` of any epoch."""
    authors = range(committee.epoch.size)
    below = [block_format.round_zero(committee.epoch, author) for author in authors]
    made = []
    for number in range(1, last + 1):
        row = [
            sign_block(
                committee, author, number, [below[author], *below[:author], *below[author + 1 :]]
            )
            for author in authors
        ]
        below = [block.block.ref for block in row]
        made += row
    return made


def test_rounds_begin_anew_and_commits_count_on_rule_29() -> None:
    old = ended()
    committee = following(old.committee, old.store.head)
    member = begun(committee, old.store.head, None)
    member.accept(rounds_of(committee, 4))
    assert [(commit.epoch, commit.index, commit.leader.round) for commit in member.commits] == [
        (1, 8, 1),
        (1, 9, 2),
    ]


def test_the_first_block_of_an_epoch_votes_for_the_last_commit_before_it_rule_29() -> None:
    old = ended()
    committee = following(old.committee, old.store.head)
    member = begun(committee, old.store.head, 0)
    member.tick(0)
    member.propose("x!")
    member.tick(URGENT_MS)
    block = member.sent[0].block
    assert (block.epoch, block.round) == (1, 1)
    assert block.commit_vote == old.store.head.vote
    assert {parent.digest for parent in block.parents} == {committee.epoch.digest}


def test_blocks_of_another_epoch_are_neither_taken_nor_asked_for_rules_1_29() -> None:
    old = ended()
    committee = following(old.committee, old.store.head)
    late = draw("1-10: *", 4)
    member = begun(committee, old.store.head, None)
    member.accept(late.all_but())
    assert member.store.blocks == {}
    assert member.engine.missing() == {}
    early = rounds_of(committee, 2)
    old.accept(early)
    assert not any(old.engine.has(made.block.ref) for made in early)


def test_a_block_of_one_epoch_has_no_parents_of_another_rules_1_4() -> None:
    old = ended()
    committee = following(old.committee, old.store.head)
    zeros = [block_format.round_zero(old.committee.epoch, author) for author in range(4)]
    with pytest.raises(BlockError, match="not the epoch digest"):
        sign_block(committee, 0, 1, zeros)


def test_a_block_moved_to_another_epoch_is_refused_rule_1() -> None:
    # The epoch is inside what was signed: with it the digest changes, and the signature fails.
    old = ended()
    committee = following(old.committee, old.store.head)
    made = rounds_of(committee, 1)[0]
    moved = replace(made.block, epoch=0)
    with pytest.raises(BlockError):
        block_format.check(moved, (), old.committee.epoch, crypto.verify)


def test_two_ends_make_two_epochs_rule_4() -> None:
    old = ended()
    one = following(old.committee, old.store.head)
    other = following(old.committee, replace(old.store.head, digest=bytes(32)))
    assert one.epoch.digest != other.epoch.digest
    member = begun(one, old.store.head, None)
    foreign = rounds_of(other, 1)
    for made in foreign:
        with pytest.raises(BlockError, match="not the epoch digest"):
            block_format.check(made.block, (), one.epoch, crypto.verify)
    assert member.store.blocks == {}


def test_who_lacks_the_last_commits_decides_them_from_the_blocks_rule_30() -> None:
    # Those who went over make no more blocks of the old epoch; the ones there are suffice.
    drawing = draw("1-9: *", 4)
    late = PaperMember(drawing.committee, 3, silent=True)
    late.accept(drawing.all_but(" ".join(f"{letter}{n}" for letter in "ABCD" for n in (7, 8, 9))))
    assert late.store.head.index == 4
    late.accept(drawing.all_but())
    assert late.store.head == ended().store.head


def test_a_smaller_committee_goes_on_with_its_own_quorum_rule_30() -> None:
    old = ended()
    committee = following(old.committee, old.store.head, without=1)
    assert (committee.epoch.size, committee.epoch.quorum) == (3, 3)
    member = begun(committee, old.store.head, None)
    member.accept(rounds_of(committee, 5))
    assert [commit.index for commit in member.commits] == [8, 9, 10]


def test_the_schedule_begins_anew_with_an_epoch_rule_28() -> None:
    text = "leader_commits: 8\n1: *\n2-12: *(* -D)"
    drawing = draw(text, 4)
    old = PaperMember(drawing.committee, None)
    old.accept(drawing.all_but())
    assert old.engine.leaders == (0, 1, 2, 0)
    committee = following(old.committee, old.store.head)
    assert begun(committee, old.store.head, None).engine.leaders == (0, 1, 2, 3)


def test_who_equivocated_in_one_epoch_is_named_in_the_next_rule_12() -> None:
    drawing = draw("1: * D'\n2-9: *", 4)
    old = PaperMember(drawing.committee, None)
    old.accept(drawing.all_but())
    assert old.engine.twins == {3}
    committee = following(committee_of(4), old.store.head)
    assert begun(committee, old.store.head, 0).engine.twins == set()
