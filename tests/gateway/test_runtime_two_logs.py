"""A member that shows each gateway another checkpoint: it is named on every honest ledger."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from wattle_gateway.contracts import alliance as rows
from wattle_gateway.contracts.reputation import seats
from wattle_gateway.ledger import checkpoint, genesis
from wattle_gateway.ledger.checkpoint import Checkpoint
from wattle_gateway.sync import messages, reader
from wattle_testkit.alliance import Party, epoch_of
from wattle_testkit.driven_alliance import DrivenAlliance

NAMES = ("ann", "bob", "cid", "dee")
WATCHER = Party("eve", genesis.OBSERVER)
PARTIES = (*(Party(name) for name in NAMES), WATCHER)
EPOCH = epoch_of(*PARTIES, rules=genesis.EVENT_RULES)
HONEST = ("ann", "bob", "cid", "eve")
MINUTE_MS = 60_000

Says = Callable[[str, int, Checkpoint], None]


@pytest.fixture
def alliance(tmp_path: Path) -> Iterator[DrivenAlliance]:
    """Four and an observer; dee's gateway is off, and its key tells what a test says."""
    made = DrivenAlliance(tmp_path, *PARTIES, epoch=EPOCH)
    made.kill("dee")
    made.run(8 * MINUTE_MS)
    yield made
    made.close()


def liar(alliance: DrivenAlliance) -> Says:
    """How dee tells one gateway a checkpoint after a commit."""
    party = alliance.members["dee"].party

    def says(name: str, index: int, said: Checkpoint) -> None:
        signature = party.checkpoint_key.sign(said.text())
        message = messages.Checkpoint(index, said.size, said.root, signature)
        alliance[name].connected(party.kid, alliance.now)
        alliance.hear(name, party.kid, message.encode())

    return says


def notes(alliance: DrivenAlliance) -> list[tuple[int, Checkpoint]]:
    """(commit, checkpoint) of ann's notes, oldest first."""
    query = "SELECT commit_index, note FROM checkpoints ORDER BY commit_index"
    found = alliance["ann"].connection.execute(query).fetchall()
    return [(index, checkpoint.parse_note(raw).checkpoint) for index, raw in found]


def lie(true: Checkpoint, fill: int = 0) -> Checkpoint:
    return Checkpoint(true.origin, true.size, bytes([fill]) * 32)


def named(alliance: DrivenAlliance) -> set[str]:
    """The gateways on whose ledger dee is named."""
    kid = alliance.members["dee"].kid
    return {name for name in HONEST if rows.false_checkpoints(alliance[name].state, kid)}


def told(alliance: DrivenAlliance, name: str) -> list[messages.FalseCheckpoint]:
    """What a gateway has told its peers of dee."""
    sent = [parcel for heard in alliance.members[name].heard for parcel in heard.to_send]
    parcels = [parcel for parcel in sent if parcel.kind == messages.FALSE_CHECKPOINT]
    found = [reader.parse(parcel.raw) for parcel in parcels]
    return [message for message in found if isinstance(message, messages.FalseCheckpoint)]


@pytest.mark.parametrize(("deceived", "trusted"), [("ann", "bob"), ("eve", "bob"), ("ann", "eve")])
def test_false_to_one_and_true_to_another_is_named_on_every_ledger(
    alliance: DrivenAlliance, deceived: str, trusted: str
) -> None:
    says, (index, true) = liar(alliance), notes(alliance)[-1]
    says(trusted, index, true)
    says(deceived, index, lie(true))
    alliance.run(2 * MINUTE_MS)
    assert named(alliance) == set(HONEST)
    assert len(alliance.heads()) == 1
    kid = alliance.members["dee"].kid
    for name in HONEST:
        assert alliance[name].checkpoints.differing() in ((), (kid,))
        assert seats.proposed(alliance[name].state, kid) is not None
        assert kid in alliance[name].epoch.resting


def test_the_true_one_may_come_a_minute_after_the_false_one(alliance: DrivenAlliance) -> None:
    says, (index, true) = liar(alliance), notes(alliance)[-1]
    says("ann", index, lie(true))
    alliance.run(2 * MINUTE_MS)
    assert named(alliance) == set()
    kid = alliance.members["dee"].kid
    assert {alliance[name].checkpoints.differing() for name in HONEST} == {(kid,)}
    index, true = notes(alliance)[-1]
    says("cid", index, true)
    alliance.run(2 * MINUTE_MS)
    assert named(alliance) == set(HONEST)


def test_two_false_ones_of_one_size_need_no_true_one(alliance: DrivenAlliance) -> None:
    says, (index, true) = liar(alliance), notes(alliance)[-1]
    says("ann", index, lie(true, 1))
    says("bob", index, lie(true, 2))
    alliance.run(2 * MINUTE_MS)
    assert named(alliance) == set(HONEST)


def test_who_was_away_is_told_when_it_comes(alliance: DrivenAlliance) -> None:
    says, (index, true) = liar(alliance), notes(alliance)[-1]
    says("bob", index, true)
    alliance.cut("bob")
    says("ann", index, lie(true))
    alliance.run(MINUTE_MS)
    assert named(alliance) == set()
    alliance.heal()
    alliance.run(2 * MINUTE_MS)
    assert named(alliance) == set(HONEST)


def test_a_flood_of_false_ones_is_one_message_a_minute_to_each_peer(
    alliance: DrivenAlliance,
) -> None:
    says, (index, true) = liar(alliance), notes(alliance)[-1]
    for size in range(true.size, true.size - 3, -1):
        says("ann", index, Checkpoint(true.origin, size, bytes(32)))
    assert [message.size for message in told(alliance, "ann")] == [true.size] * 3
    alliance.run(3 * MINUTE_MS)
    sizes = [message.size for message in told(alliance, "ann")]
    assert sizes == [true.size] * 3 + [true.size - 2] * 3


def test_what_is_of_the_receivers_log_or_not_yet_changes_nothing(alliance: DrivenAlliance) -> None:
    _, true = notes(alliance)[-1]
    dee, cid = (alliance.members[name].party for name in ("dee", "cid"))
    for said in (true, Checkpoint(true.origin, 1 << 40, bytes(32))):
        signature = dee.checkpoint_key.sign(said.text())
        message = messages.FalseCheckpoint(0, dee.kid, said.size, said.root, signature)
        assert not alliance.hear("bob", cid.kid, message.encode()).faults
    alliance.run(2 * MINUTE_MS)
    assert alliance["bob"].checkpoints.differing() == ()
    assert told(alliance, "bob") == []


def test_what_the_log_has_not_reached_is_judged_when_it_has(alliance: DrivenAlliance) -> None:
    says, (index, true) = liar(alliance), notes(alliance)[-1]
    dee, cid = (alliance.members[name].party for name in ("dee", "cid"))
    ahead = Checkpoint(true.origin, alliance["bob"].ledger.edge.size + 1, bytes(32))
    signature = dee.checkpoint_key.sign(ahead.text())
    message = messages.FalseCheckpoint(0, dee.kid, ahead.size, ahead.root, signature)
    alliance.hear("bob", cid.kid, message.encode())
    assert alliance["bob"].checkpoints.differing() == ()
    alliance.run(2 * MINUTE_MS)
    assert alliance["ann"].checkpoints.differing() == (dee.kid,)
    index, true = notes(alliance)[-1]
    says("ann", index, true)
    alliance.run(2 * MINUTE_MS)
    assert named(alliance) == set(HONEST)
