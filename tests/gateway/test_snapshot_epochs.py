"""Who wanted an epoch: by a change, by the ledger's own proposal, or nobody had to."""

from dataclasses import replace

import pytest
from wattle_gateway.contracts import alliance
from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.contracts.reputation import seats
from wattle_gateway.contracts.snapshot_trail import EpochLink
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger import crypto, entry, transaction
from wattle_gateway.ledger.block import BlockRef
from wattle_gateway.ledger.epoch import EpochChange
from wattle_gateway.ledger.errors import RulesError
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.leaf import CommitLeaf
from wattle_gateway.snapshot import epochs
from wattle_testkit.alliance import Party, approve_entry, change_entry, epoch_of, transaction_entry

PARTIES = tuple(Party(name) for name in ("ann", "bob", "cid", "dee"))
FIRST = epoch_of(*PARTIES)
SAME = EpochChange(FIRST.everyone, FIRST.rules, FIRST.constants)
FEWER = replace(SAME, members=FIRST.everyone[1:])
ENDED = EpochLink(
    CommitLeaf(0, 5, FIRST.created_ms, BlockRef(3, 0, bytes(32)), bytes(32), bytes(32)).encode(),
    9,
    (),
    (),
    b"",
)


def approvals(digest: bytes, *parties: Party) -> list[bytes]:
    """Their `approve` transactions (COSE_Sign1)."""
    entries = (
        transaction_entry(FIRST, party, transaction.APPROVE, [digest], nonce=1) for party in parties
    )
    return [entry.decode(raw).body for raw in entries]


def rows(change: EpochChange, index: int = 5) -> dict[bytes, bytes]:
    """The state of a ledger whose epoch 1 began so."""
    state = State({})
    alliance.put_epoch(state, 1, index, change)
    return {row: value for row, value in state.changes() if value is not None}


def test_the_ledger_proposes_and_a_quorum_approves() -> None:
    digest = seats.proposal_digest(FIRST, FEWER)
    link = epochs.link_for(FIRST, FEWER, approvals(digest, *PARTIES), ENDED)
    assert (len(link.approvals), link.change) == (FIRST.quorum, b"")
    found = epochs.walk(rows(FEWER), [link], FIRST, crypto.verify)
    assert (found.newest.number, found.first_index) == (1, 6)
    assert found.newest.members == FEWER.members
    few = replace(link, approvals=link.approvals[1:])
    with pytest.raises(SnapshotError, match="2 members of epoch 0 approved"):
        epochs.walk(rows(FEWER), [few], FIRST, crypto.verify)
    with pytest.raises(SnapshotError, match="who approved the members of epoch 1 is not stored"):
        epochs.link_for(FIRST, FEWER, approvals(digest, *PARTIES[:2]), ENDED)


def test_it_proposes_nothing_but_seats() -> None:
    """Approvals of a proposal are no approvals of other rules, constants or newcomers."""
    digest = seats.proposal_digest(FIRST, FEWER)
    link = replace(ENDED, approvals=tuple(approvals(digest, *PARTIES)))
    swapped = sorted((*FEWER.members[1:], Party("eve").member), key=lambda member: member.kid)
    for change in (
        replace(FEWER, constants=Constants(gc_depth=61)),
        replace(FEWER, members=tuple(swapped)),
    ):
        with pytest.raises(SnapshotError, match="nobody proposed the members of epoch 1"):
            epochs.walk(rows(change), [link], FIRST, crypto.verify)


def test_who_rests_changes_nobodys_key() -> None:
    change = replace(SAME, resting=(FIRST.members[2].kid,))
    found = epochs.walk(rows(change), [ENDED], FIRST, crypto.verify)
    assert found.newest.resting == change.resting
    assert epochs.link_for(FIRST, change, [], ENDED) == ENDED


def test_a_change_is_approved_as_it_is_and_who_rests_is_added() -> None:
    waiting = change_entry(FIRST, PARTIES[0], FEWER, [], nonce=0)
    votes = [approve_entry(FIRST, party, waiting, nonce=0) for party in PARTIES[1:]]
    raws = [entry.decode(raw).body for raw in (waiting, *votes)]
    resting = replace(FEWER, resting=(FEWER.members[0].kid,))
    link = epochs.link_for(FIRST, resting, raws, ENDED)
    assert (len(link.approvals), link.change) == (FIRST.quorum - 1, raws[0])
    assert epochs.walk(rows(resting), [link], FIRST, crypto.verify).newest.resting
    other = replace(resting, members=FIRST.everyone[:3])
    with pytest.raises(SnapshotError, match="is not the one by which epoch 1 began"):
        epochs.walk(rows(other), [link], FIRST, crypto.verify)


def test_its_end_is_that_of_its_row() -> None:
    for index in (4, 6):
        with pytest.raises(SnapshotError, match=f"does not end epoch 0, expected commit {index}"):
            epochs.walk(rows(SAME, index), [ENDED], FIRST, crypto.verify)
    with pytest.raises(SnapshotError, match="not a leaf"):
        epochs.walk(rows(SAME), [replace(ENDED, leaf=b"\x00")], FIRST, crypto.verify)


def test_rules_that_nobody_here_knows_are_named() -> None:
    change = replace(SAME, rules=999)
    digest_of = change_entry(FIRST, PARTIES[0], change, [], nonce=0)
    votes = [approve_entry(FIRST, party, digest_of, nonce=0) for party in PARTIES[1:]]
    raws = [entry.decode(raw).body for raw in (digest_of, *votes)]
    link = epochs.link_for(FIRST, change, raws, ENDED)
    with pytest.raises(RulesError, match="rules 999"):
        epochs.walk(rows(change), [link], FIRST, crypto.verify)
