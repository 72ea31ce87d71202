"""Gateways of an alliance that lose power, disk or memory: nobody signs a round twice (rules 12,
31, 32), nothing that was called durable is lost."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.store import connection as database
from wattle_gateway.store import own_rows
from wattle_gateway.store.schema import Schema
from wattle_testkit.alliance import Board, Party, epoch_of, sample_entry
from wattle_testkit.driven_alliance import DrivenAlliance

NAMES = ("ann", "bob", "cid", "dee")
PARTIES = tuple(Party(name) for name in NAMES)
CONSTANTS = Constants(enrol_approvals=1, leader_commits=4, gc_depth=8)
FOUR = epoch_of(*PARTIES, constants=CONSTANTS)
SETTLED_MS = 12_000


@pytest.fixture
def four(tmp_path: Path) -> Iterator[DrivenAlliance]:
    made = DrivenAlliance(tmp_path, *PARTIES, epoch=FOUR)
    made.run(1000)
    yield made
    made.close()


@pytest.fixture
def board(four: DrivenAlliance) -> Board:
    found = Board("meter", four.epoch)
    kid = four.epoch.members[0].kid
    (home,) = [name for name, member in four.members.items() if member.kid == kid]
    four.transact(home, transaction.ENROL, transaction.enrol_body(found.enrol()))
    four.run(1500)
    return found


def check_whole(four: DrivenAlliance, board: Board, last: int) -> None:
    """All are equal, nobody signed a round twice, every sample is there once."""
    assert len(four.heads()) == 1
    assert all(len(headers) == 1 for headers in four.blocks().values())
    for name in NAMES:
        rows = four[name].connection.execute("SELECT seq FROM samples ORDER BY seq")
        assert [row[0] for row in rows] == list(range(1, last + 1))


def own_round(four: DrivenAlliance, name: str) -> int:
    """The highest round that a gateway remembers having signed."""
    return own_rows.load(four[name].connection).round


@pytest.mark.parametrize("victim", NAMES)
def test_a_gateway_that_is_killed_again_and_again(
    four: DrivenAlliance, board: Board, victim: str
) -> None:
    seq = 0
    for _ in range(5):
        for _ in range(4):
            seq += 1
            four.add(NAMES[seq % 4], sample_entry(board.sample(seq)))
            four.run(701)
        four.kill(victim)
        four.run(901)
        four.start(victim)
    four.run(2 * SETTLED_MS)
    check_whole(four, board, seq)
    assert four[victim].signing


class FailingAtCommit(sqlite3.Connection):
    """A connection whose n-th COMMIT from now on is where the power fails."""

    commits_left: int | None = None

    def execute(self, sql: str, *arguments: object) -> sqlite3.Cursor:  # type: ignore[override]
        if sql == "COMMIT" and self.commits_left is not None:
            if self.commits_left == 0:
                raise sqlite3.OperationalError("power cut")
            self.commits_left -= 1
        return super().execute(sql, *arguments)  # type: ignore[arg-type]


def opened_failing(path: Path, kind: Schema, ledger_id: bytes) -> sqlite3.Connection:
    return database.open_writer(path, kind, ledger_id, FailingAtCommit)


@pytest.mark.parametrize("commits", range(0, 24, 3))
def test_a_power_cut_inside_any_write(four: DrivenAlliance, board: Board, commits: int) -> None:
    """Nothing of a step whose write failed has left the machine, so it may sign otherwise."""
    four.kill("bob")
    four.opened["bob"] = opened_failing
    four.start("bob")
    four.run(300)
    broken = four["bob"].connection
    assert isinstance(broken, FailingAtCommit)
    for seq in range(1, 6):
        four.add("ann", sample_entry(board.sample(seq)))
    broken.commits_left = commits
    with pytest.raises(StoreError, match="power cut"):
        four.run(300_000)
    four.kill("bob")
    del four.opened["bob"]
    four.run(777)
    four.start("bob")
    four.run(2 * SETTLED_MS)
    check_whole(four, board, 5)


def test_everybody_is_killed_at_once(four: DrivenAlliance, board: Board) -> None:
    for seq in range(1, 5):
        four.add(NAMES[seq % 4], sample_entry(board.sample(seq)))
    four.run(100)
    for name in NAMES:
        four.kill(name)
    for name in NAMES:
        four.start(name)
    four.run(2 * SETTLED_MS)
    check_whole(four, board, 4)


def test_after_a_start_nothing_is_signed_before_others_have_answered(
    four: DrivenAlliance, board: Board
) -> None:
    four.run(SETTLED_MS)
    for name in NAMES:
        four.kill(name)
    four.start("ann")
    four.run(120_000)
    before = own_round(four, "ann")
    assert not four["ann"].signing
    four.start("bob")  # one answer: q - 1 = 2 are needed
    four.run(120_000)
    assert not four["ann"].signing
    assert own_round(four, "ann") == before
    four.start("cid")
    four.run(1000)
    assert all(four[name].signing for name in ("ann", "bob", "cid"))
    four.add("ann", sample_entry(board.sample(1)))
    four.run(SETTLED_MS)
    assert own_round(four, "ann") > before
    assert len(four.heads()) == 1


def test_an_old_copy_of_the_ledger_does_not_sign_twice(four: DrivenAlliance, board: Board) -> None:
    four.kill("cid")
    copy = four.copy_of("cid")
    four.start("cid")
    for seq in range(1, 6):
        four.add("cid", sample_entry(board.sample(seq)))
        four.run(2000)
    four.run(SETTLED_MS)
    signed = own_round(four, "cid")
    four.kill("cid")
    four.restore("cid", copy)
    four.start("cid")
    assert own_round(four, "cid") < signed
    four.run(2 * SETTLED_MS)
    assert four["cid"].signing
    four.add("cid", sample_entry(board.sample(6)))
    four.run(2 * SETTLED_MS)
    assert own_round(four, "cid") > signed
    check_whole(four, board, 6)


def test_who_has_lost_the_ledger_follows_and_signs_nothing_in_the_epoch(
    four: DrivenAlliance, board: Board
) -> None:
    for seq in range(1, 4):
        four.add("dee", sample_entry(board.sample(seq)))
    four.run(SETTLED_MS)
    four.kill("dee")
    four.lose_disk("dee")
    four.start("dee")
    four.run(2 * SETTLED_MS)
    assert len(four.heads()) == 1
    assert not four["dee"].signing
    four.kill("dee")
    four.start("dee")  # it knows that it does not know
    four.add("ann", sample_entry(board.sample(4)))
    four.run(2 * SETTLED_MS)
    assert not four["dee"].signing
    check_whole(four, board, 4)
    ann_saw = {place for place in four.blocks() if place[1] == four["dee"].author}
    four.change("ann", [], NAMES)
    four.run(SETTLED_MS)
    assert four["dee"].epoch.number == 1
    assert four["dee"].signing
    four.add("dee", sample_entry(board.sample(5)))
    four.run(2 * SETTLED_MS)
    check_whole(four, board, 5)
    now_signed = {place for place in four.blocks() if place[1] == four["dee"].author}
    assert {place[0] for place in now_signed - ann_saw} == {1}


def test_with_two_members_the_lost_one_signs_again_when_the_other_has_answered(
    tmp_path: Path,
) -> None:
    ann, bob = PARTIES[:2]
    two = DrivenAlliance(tmp_path, ann, bob, epoch=epoch_of(ann, bob, constants=CONSTANTS))
    two.run(130_000)
    signed = own_round(two, "bob")
    assert signed > 0
    two.kill("bob")
    two.lose_disk("bob")
    two.start("bob")
    two.run(130_000)
    assert two["bob"].signing
    assert own_round(two, "bob") > signed
    assert all(len(headers) == 1 for headers in two.blocks().values())
    assert len(two.heads()) == 1
    two.close()


def test_alone_a_lost_ledger_is_not_begun_anew(tmp_path: Path) -> None:
    lone = DrivenAlliance(tmp_path, epoch=epoch_of(PARTIES[0], constants=CONSTANTS))
    lone.add_member(PARTIES[0], lost=True)
    lone.run(600_000)
    assert not lone["ann"].signing
    assert lone["ann"].head.index == 0
    assert lone.blocks() == {}
    lone.close()


def test_an_epoch_is_found_again_after_a_start(four: DrivenAlliance, board: Board) -> None:
    four.change("ann", [], NAMES)
    four.change("bob", [], NAMES)
    four.add("ann", sample_entry(board.sample(1)))
    four.run(SETTLED_MS)
    before: list[Epoch] = [four[name].epoch for name in NAMES]
    for name in NAMES:
        four.kill(name)
        four.start(name)
    assert [four[name].epoch for name in NAMES] == before
    assert before[0].number == 2
    four.add("ann", sample_entry(board.sample(2)))
    four.run(2 * SETTLED_MS)
    check_whole(four, board, 2)


def test_who_was_away_for_long_catches_up_over_an_epoch(four: DrivenAlliance, board: Board) -> None:
    four.kill("dee")
    seq = 0
    for _ in range(40):
        seq += 1
        four.add(NAMES[seq % 3], sample_entry(board.sample(seq)))
        four.run(2000)
    four.change("ann", [], NAMES)
    for _ in range(40):
        seq += 1
        four.add(NAMES[seq % 3], sample_entry(board.sample(seq)))
        four.run(2000)
    four.start("dee")
    four.run(3 * SETTLED_MS)
    assert four["dee"].signing
    check_whole(four, board, seq)


def test_a_driver_that_only_follows_never_signs(four: DrivenAlliance, board: Board) -> None:
    four.kill("bob")
    four.run(SETTLED_MS)
    member = four.members["bob"]
    follower = LedgerDriver(
        member.path, four.epoch, member.kid, member.party.sign, follow_only=True
    )
    follower.open()
    member.driver = follower
    four.link_all("bob")
    before = own_round(four, "bob")
    four.add("ann", sample_entry(board.sample(1)))
    four.run(2 * SETTLED_MS)
    assert len(four.heads()) == 1
    assert own_round(four, "bob") == before
    assert not follower.signing
