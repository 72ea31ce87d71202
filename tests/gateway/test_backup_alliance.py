"""A running gateway is backed up, goes on, and comes back as it was: it signs no round again."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.store import connection, database_copy, own_rows, schema
from wattle_testkit.alliance import Board, Party, epoch_of, sample_entry
from wattle_testkit.driven_alliance import DrivenAlliance

NAMES = ("ann", "bob", "cid", "dee")
CONSTANTS = Constants(enrol_approvals=1, leader_commits=4, gc_depth=8)
SETTLED_MS = 12_000


@pytest.fixture
def alliance(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[DrivenAlliance]:
    parties = [Party(name) for name in NAMES[: request.param]]
    made = DrivenAlliance(tmp_path, *parties, epoch=epoch_of(*parties, constants=CONSTANTS))
    made.run(1000)
    yield made
    made.close()


def enrolled(alliance: DrivenAlliance) -> Board:
    board = Board("meter", alliance.epoch)
    kid = alliance.epoch.members[0].kid
    (home,) = [name for name, member in alliance.members.items() if member.kid == kid]
    alliance.transact(home, transaction.ENROL, transaction.enrol_body(board.enrol()))
    alliance.run(1500)
    return board


def backed_up(alliance: DrivenAlliance, name: str) -> Path:
    """A copy of the database of a gateway that is up, marked as `restore` marks it."""
    member = alliance.members[name]
    assert member.driver is not None
    copy = alliance.folder / "backup.db"
    ledger_id = alliance.epoch.ledger_id
    database_copy.copy(member.path, schema.LEDGER, ledger_id, copy)
    with (
        closing(connection.open_writer(copy, schema.LEDGER, ledger_id)) as writer,
        connection.transaction(writer),
    ):
        own_rows.forget(writer)
    return copy


def gone_on_and_restored(alliance: DrivenAlliance, board: Board) -> int:
    """bob is backed up, signs on, and comes back as it was; the last seq that is on the ledger."""
    alliance.add("ann", sample_entry(board.sample(1)))
    alliance.run(SETTLED_MS)
    copy = backed_up(alliance, "bob")
    before = own_rows.load(alliance["bob"].connection).round
    for seq in (2, 3, 4):
        alliance.add("bob", sample_entry(board.sample(seq)))
        alliance.run(2000)
    alliance.run(SETTLED_MS)
    # Its last block is on no other disk: no answer can tell of it.
    alliance.cut("bob")
    alliance.add("bob", sample_entry(board.sample(5)))
    alliance.run(5000)
    signed = own_rows.load(alliance["bob"].connection).round
    assert signed > before
    alliance.kill("bob")
    alliance.heal()
    alliance.restore("bob", copy)
    alliance.start("bob")
    assert own_rows.load(alliance["bob"].connection).round == before
    return 4


def check_whole(alliance: DrivenAlliance, last: int) -> None:
    """All are equal, nobody signed a round twice, every sample is there once."""
    assert len(alliance.heads()) == 1
    assert all(len(headers) == 1 for headers in alliance.blocks().values())
    for member in alliance.members.values():
        rows = member.up.connection.execute("SELECT seq FROM samples ORDER BY seq")
        assert [row[0] for row in rows] == list(range(1, last + 1))


@pytest.mark.parametrize("alliance", [4], indirect=True)
def test_restored_among_four_it_follows_until_the_members_change(
    alliance: DrivenAlliance,
) -> None:
    board = enrolled(alliance)
    gone_on_and_restored(alliance, board)
    own = {place for place in alliance.blocks() if place[1] == alliance["bob"].author}
    alliance.add("ann", sample_entry(board.sample(5)))  # the meter sends again
    alliance.run(3 * SETTLED_MS)
    assert not alliance["bob"].signing
    assert own >= {place for place in alliance.blocks() if place[1] == alliance["bob"].author}
    check_whole(alliance, 5)
    alliance.change("ann", [], NAMES)
    alliance.run(SETTLED_MS)
    assert alliance["bob"].epoch.number == 1
    assert alliance["bob"].signing
    alliance.add("bob", sample_entry(board.sample(6)))
    alliance.run(2 * SETTLED_MS)
    check_whole(alliance, 6)


@pytest.mark.parametrize("alliance", [3], indirect=True)
def test_restored_among_three_it_signs_when_all_others_have_answered(
    alliance: DrivenAlliance,
) -> None:
    board = enrolled(alliance)
    copy = backed_up(alliance, "bob")
    for seq in (1, 2, 3):
        alliance.add("bob", sample_entry(board.sample(seq)))
        alliance.run(SETTLED_MS)
    signed = own_rows.load(alliance["bob"].connection).round
    alliance.kill("bob")
    alliance.kill("cid")
    alliance.restore("bob", copy)
    alliance.start("bob")
    alliance.run(2 * SETTLED_MS)
    assert not alliance["bob"].signing
    alliance.start("cid")
    alliance.run(3 * SETTLED_MS)
    assert alliance["bob"].signing
    alliance.add("bob", sample_entry(board.sample(4)))
    alliance.run(3 * SETTLED_MS)
    assert own_rows.load(alliance["bob"].connection).round > signed
    check_whole(alliance, 4)
