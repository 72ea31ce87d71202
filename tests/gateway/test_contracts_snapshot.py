"""Snapshots: exported, imported, and refused when a single bit of the state is another."""

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.contracts import accounts, snapshot
from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.contracts.snapshot import Snapshot
from wattle_gateway.contracts.state import changes_root
from wattle_gateway.ledger import leaf as leaf_format
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.account_bodies import Transfer
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.leaf import CommitLeaf
from wattle_testkit.account_ledger import GRID, MEMBERS, AccountLedger, User
from wattle_testkit.commit_chain import CommitChain
from wattle_wire import cbor

HOUSE = User("house 7")
EVERY_SECOND = Constants(enrol_approvals=1, state_root_every=2)


@cache
def made() -> tuple[AccountLedger, Snapshot]:
    """A ledger of four commits, and the snapshot of the last."""
    ledger = AccountLedger(constants=EVERY_SECOND)
    ledger.host(HOUSE)
    ledger.declare()
    ledger.open(HOUSE)
    before = ledger.chain.head.state_digest
    raw = ledger.entry(GRID, transaction.TRANSFER, Transfer("CNY", HOUSE.kid, 5).row())
    executed = ledger.chain.commit(raw)
    assert ledger.chain.head.index == 4
    leaves = ledger.chain.leaves
    root = changes_root(executed.changes)
    state = dict(ledger.state)
    ledger_id = ledger.epoch.ledger_id
    return ledger, Snapshot(ledger_id, leaves[-1], len(leaves) - 1, before, root, b"", (), state)


def encoded() -> bytes:
    return made()[1].encode()


def test_what_is_exported_is_imported() -> None:
    assert snapshot.decode(encoded()) == made()[1]


def test_execution_goes_on_from_an_imported_state_as_from_its_own() -> None:
    """S' = W(S, T) needs nothing but the snapshot: all later digests are those of who was there."""
    ledger, _ = made()
    taken = snapshot.decode(encoded())
    commit = leaf_format.decode(taken.leaf)
    assert isinstance(commit, CommitLeaf)
    late, mine = (CommitChain(ledger.epoch, *MEMBERS) for _ in range(2))
    late.state = dict(taken.state)
    digest = leaf_format.commit_digest(taken.leaf)
    late.head = CommitHead(commit.index, commit.time_ms, digest, commit.state_digest)
    mine.state, mine.head = dict(ledger.state), ledger.chain.head
    raw = ledger.entry(HOUSE, transaction.TRANSFER, Transfer("CNY", GRID.kid, 2).row())
    for entries in ([raw], [], [raw]):
        executed = late.commit(*entries)
        assert executed.head == mine.commit(*entries).head
    account = accounts.account(late.state, HOUSE.kid, "CNY")
    assert account is not None
    assert account.unlocked == 3


@given(st.data())
def test_a_changed_row_is_found(data: st.DataObject) -> None:
    """Any bit of the rows, the leaf or the two roots."""
    raw = bytearray(encoded())
    header = 4 + int.from_bytes(raw[:4], "big")
    place = data.draw(st.integers(header, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SnapshotError):
        snapshot.decode(bytes(raw))


@pytest.mark.parametrize("change", ["before", "changes_root", "row", "less", "more", "leaf"])
def test_parts_that_do_not_belong_together_are_refused(change: str) -> None:
    ledger, good = made()
    rows = dict(good.state)
    first = min(rows)
    if change == "row":
        bad = replace(good, state={**rows, first: rows[first] + b"\0"})
    elif change == "less":
        bad = replace(good, state={row: rows[row] for row in rows if row != first})
    elif change == "more":
        bad = replace(good, state={**rows, b"\xff": b""})
    elif change == "leaf":
        bad = replace(good, leaf=ledger.chain.leaves[-3])
    else:
        bad = replace(good, **{change: bytes(32)})
    with pytest.raises(SnapshotError):
        snapshot.decode(bad.encode())


@given(st.binary(max_size=300) | st.integers(0, 2_000).map(lambda cut: encoded()[:cut]))
def test_rubbish_and_beginnings_raise_nothing_but_our_error(raw: bytes) -> None:
    if raw == encoded():
        return
    with pytest.raises(SnapshotError):
        snapshot.decode(raw)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (0, "wattle/3/snapshot", "expected 'wattle/1/snapshot'"),
        (1, b"", "ledger id"),
        (2, bytes(1025), "leaf is not a byte string of at most 1024"),
        (3, -1, "leaf index"),
        (6, "note", "checkpoint is not a byte string"),
        (7, [b""], "proof"),
        (7, [bytes(32)] * 65, "proof"),
    ],
)
def test_a_wrong_header_is_named(place: int, value: object, said: str) -> None:
    raw = encoded()
    length = 4 + int.from_bytes(raw[:4], "big")
    header = cbor.decode(raw[4:length])
    assert isinstance(header, list)
    header[place] = value
    part = cbor.encode(header)
    with pytest.raises(SnapshotError, match=said):
        snapshot.decode(len(part).to_bytes(4, "big") + part + raw[length:])


def test_rows_have_one_order() -> None:
    raw = encoded()
    length = 4 + int.from_bytes(raw[:4], "big")
    end = length + 4 + int.from_bytes(raw[length : length + 4], "big")
    with pytest.raises(SnapshotError, match="rows are not sorted by key, each once"):
        snapshot.decode(raw[:end] + raw[length:end] + raw[end:])


def test_a_leaf_of_an_entry_is_none_of_a_commit() -> None:
    ledger, good = made()
    with pytest.raises(SnapshotError, match="not that of a commit"):
        snapshot.check(replace(good, leaf=ledger.chain.leaves[0]))
