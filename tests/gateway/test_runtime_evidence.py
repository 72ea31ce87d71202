"""What a gateway finds out about members, itself included: two blocks of a round, checkpoints of
another log, a ledger of its own."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from wattle_gateway.contracts import alliance as alliance_rows
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import checkpoint
from wattle_gateway.ledger.block import VerifiedBlock
from wattle_gateway.ledger.checkpoint import Checkpoint
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.runtime.errors import DivergenceError, StoppedError
from wattle_gateway.store import checkpoint_rows, tree_rows
from wattle_gateway.sync import messages
from wattle_gateway.sync.packed import pack
from wattle_testkit.alliance import Party, epoch_of
from wattle_testkit.driven_alliance import DrivenAlliance

NAMES = ("ann", "bob", "cid", "dee")
PARTIES = tuple(Party(name) for name in NAMES)
FOUR = epoch_of(*PARTIES, constants=Constants(enrol_approvals=1, leader_commits=4, gc_depth=8))
MINUTE_MS = 60_000


@pytest.fixture
def four(tmp_path: Path) -> Iterator[DrivenAlliance]:
    made = DrivenAlliance(tmp_path, *PARTIES, epoch=FOUR)
    made.run(8 * MINUTE_MS)  # idle: a round a minute, a commit three rounds later
    yield made
    made.close()


def kept_notes(four: DrivenAlliance, name: str) -> list[tuple[int, bytes]]:
    """(commit index, note) of every checkpoint of a gateway, oldest first."""
    query = "SELECT commit_index, note FROM checkpoints ORDER BY commit_index"
    return four[name].connection.execute(query).fetchall()


def a_block_of(four: DrivenAlliance, party: Party, time_ms: int) -> VerifiedBlock:
    """A valid block of a party on top of the newest full round at ann."""
    engine = four["ann"].engine
    epoch: Epoch = four.epoch
    author = epoch.author_of(party.kid)
    assert author is not None
    top = engine.quorum_round
    newest = [engine.blocks_of(other, top - 1) for other in range(epoch.size)]
    parents = [found[0].ref for found in newest if found and found[0].round == top]
    own = [ref for ref in parents if ref.author == author]
    if not own:
        own = [engine.blocks_of(author, 0)[-1].ref]
    others = [ref for ref in parents if ref.author != author]
    return block_format.build(
        epoch,
        author,
        party.sign,
        round_number=top + 1,
        time_ms=time_ms,
        parents=[*own, *others],
        commit_vote=four["ann"].head.vote,
        entries=(),
    )


def test_two_blocks_of_a_round_are_on_every_ledger_and_commits_go_on(four: DrivenAlliance) -> None:
    liar = four.members["dee"].party
    one, other = (a_block_of(four, liar, four.unix_ms + shift) for shift in (1, 2))
    four.kill("dee")
    four.members["dee"].heard.clear()
    for verified, receivers in ((one, ("ann", "bob")), (other, ("cid",))):
        raw = messages.OwnBlock(pack(verified)).encode()
        for name in receivers:
            four[name].connected(liar.kid, four.now)
            four.hear(name, liar.kid, raw)
    four.run(3 * MINUTE_MS)
    assert len(four.heads()) == 1
    for name in ("ann", "bob", "cid"):
        shown = alliance_rows.cheat(four[name].state, liar.kid)
        assert shown is not None
        assert {shown.low, shown.high} == {one.block.digest, other.block.digest}
        assert four[name].engine.twins == frozenset({one.block.author})


def test_each_minute_has_a_checkpoint_with_q_signatures(four: DrivenAlliance) -> None:
    notes = {name: kept_notes(four, name) for name in NAMES}
    assert len(notes["ann"]) >= 2
    for name in NAMES:
        ledger = four[name].ledger
        index, raw = notes[name][-1]
        note = checkpoint.parse_note(raw)
        assert len(checkpoint.verify_note(note, four.epoch)) == four.epoch.quorum
        root = tree_rows.head_root(four[name].connection, note.checkpoint.size)
        assert note.checkpoint.root == root
        assert index <= ledger.head.index
        assert checkpoint_rows.newest(four[name].connection) == (index, raw)
    roots = {checkpoint.parse_note(notes[name][0][1]).checkpoint for name in NAMES}
    assert len(roots) == 1


def a_signer(four: DrivenAlliance) -> tuple[Party, Callable[[int, int, bytes], None]]:
    """Dee's key without its gateway, and how it tells ann a checkpoint (commit, size, root)."""
    liar = four.members["dee"].party
    four.kill("dee")
    origin = checkpoint.origin(four.epoch)
    four["ann"].connected(liar.kid, four.now)

    def says(index: int, size: int, root: bytes) -> None:
        signed = liar.checkpoint_key.sign(Checkpoint(origin, size, root).text())
        message = messages.Checkpoint(index, size, root, signed)
        four.hear("ann", liar.kid, message.encode())

    return liar, says


def test_a_checkpoint_of_another_log_is_shown_once_its_signer_signs_ours(
    four: DrivenAlliance,
) -> None:
    seen = len(kept_notes(four, "ann"))
    liar, says = a_signer(four)
    four.run(2 * MINUTE_MS)
    notes = kept_notes(four, "ann")
    assert len(notes) > seen, "three of four are enough"
    index, raw = notes[-2]
    true = checkpoint.parse_note(raw).checkpoint
    says(index, true.size, bytes(32))
    assert four["ann"].checkpoints.differing() == (liar.kid,)
    assert alliance_rows.false_checkpoints(four["ann"].state, liar.kid) is None
    later_index, raw = notes[-1]
    later = checkpoint.parse_note(raw).checkpoint
    says(later_index, later.size, later.root)
    four.run(2 * MINUTE_MS)
    for name in ("ann", "bob", "cid"):
        shown = alliance_rows.false_checkpoints(four[name].state, liar.kid)
        assert shown is not None
        assert shown.first == (true.size, bytes(32))
    assert len(four.heads()) == 1


@pytest.mark.parametrize("minutes_back", [0, 1])
def test_a_false_checkpoint_after_a_true_one_is_shown_at_once(
    four: DrivenAlliance, minutes_back: int
) -> None:
    """Of the same size or a smaller one: its signer need not sign anything more."""
    liar, says = a_signer(four)
    four.run(2 * MINUTE_MS)
    notes = [(at, checkpoint.parse_note(raw).checkpoint) for at, raw in kept_notes(four, "ann")]
    index, true = notes[-1]
    says(index, true.size, true.root)
    assert four["ann"].checkpoints.differing() == ()
    index, other = notes[-1 - minutes_back]
    says(index, other.size, bytes(32))
    four.run(MINUTE_MS)
    for name in ("ann", "bob", "cid"):
        shown = alliance_rows.false_checkpoints(four[name].state, liar.kid)
        assert shown is not None
        assert (shown.first, shown.second) == ((other.size, bytes(32)), (true.size, true.root))
    assert len(four.heads()) == 1


def test_no_other_share_hides_a_false_checkpoint(four: DrivenAlliance) -> None:
    liar, says = a_signer(four)
    four.run(2 * MINUTE_MS)
    notes = [(at, checkpoint.parse_note(raw).checkpoint) for at, raw in kept_notes(four, "ann")]
    (_, older), (index, true) = notes[-2:]
    says(index, older.size, older.root)  # of our log, at another commit
    assert four["ann"].checkpoints.differing() == ()
    says(index, 1 << 40, bytes(32))  # no log will ever be so long
    assert four["ann"].checkpoints.differing() == (liar.kid,)
    says(index, true.size, true.root)
    assert four["ann"].checkpoints.differing() == (liar.kid,)
    says(index, older.size, bytes(32))
    four.run(MINUTE_MS)
    shown = alliance_rows.false_checkpoints(four["bob"].state, liar.kid)
    assert shown is not None
    assert shown.first == (older.size, bytes(32))


def test_a_checkpoint_that_its_member_did_not_sign_says_nothing(four: DrivenAlliance) -> None:
    index, _ = kept_notes(four, "ann")[-1]
    message = messages.Checkpoint(index, 3, bytes(32), bytes(64))
    four.hear("ann", four.members["dee"].kid, message.encode())
    assert four["ann"].checkpoints.differing() == ()


def test_a_ledger_of_its_own_stops_and_stays_stopped(four: DrivenAlliance) -> None:
    wrong = four["bob"].ledger
    wrong.head = replace(wrong.head, state_digest=bytes(32))
    index = wrong.head.index + 1
    with pytest.raises(DivergenceError, match=f"commit {index} of this gateway"):
        four.run(10 * MINUTE_MS)
    four.kill("bob")
    with pytest.raises(StoppedError, match=f"commit {index} of this gateway"):
        four.start("bob")
    four.members["bob"].driver = None
    before = four["ann"].head.index
    four.run(3 * MINUTE_MS)
    assert four["ann"].head.index > before
    assert len(four.heads()) == 1


def test_one_member_of_another_opinion_is_noticed_and_stops_nobody(four: DrivenAlliance) -> None:
    liar = four.members["dee"].party
    made = a_block_of(four, liar, four.unix_ms)
    other = block_format.build(
        four.epoch,
        made.block.author,
        liar.sign,
        round_number=made.block.round,
        time_ms=made.block.time_ms,
        parents=made.block.parents,
        commit_vote=replace(made.block.commit_vote, digest=bytes(32)),
        entries=(),
    )
    four.kill("dee")
    four["ann"].connected(liar.kid, four.now)
    four.hear("ann", liar.kid, messages.OwnBlock(pack(other)).encode())
    four.run(3 * MINUTE_MS)
    assert set(four["ann"].votes.differing) == {made.block.author}
    assert len(four.heads()) == 1
