"""A snapshot of form 2 read by SPEC section 18 alone, with nothing of ours but what made it."""

import base64
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import cbor2
import pytest
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.account_bodies import Issue
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.reports import snapshots
from wattle_gateway.store import tree_rows
from wattle_testkit.alliance import Party, genesis_of
from wattle_testkit.driven_alliance import DrivenAlliance
from wattle_testkit.spec_reader import opened, sha256, tree_root

PARTIES = tuple(Party(name) for name in ("ann", "bob"))
READY_MAX = 3
CONSTANTS = Constants(
    enrol_approvals=1, gc_depth=4, state_root_every=4, ready_commits_max=READY_MAX
)
GENESIS = genesis_of(PARTIES[0], constants=CONSTANTS)


def parts_of(raw: bytes) -> Iterator[bytes]:
    while raw:
        size = int.from_bytes(raw[:4], "big")
        yield raw[4 : 4 + size]
        raw = raw[4 + size :]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[bytes, list[bytes]]]:
    """A snapshot of a ledger that grew from one member to two, and the bytes of all its leaves."""
    folder = tmp_path_factory.mktemp("two")
    alliance = DrivenAlliance(folder, *PARTIES, epoch=first_epoch(GENESIS))
    alliance.run(1000)
    alliance.change("ann", ["bob"], ["ann", "bob"])
    for _ in range(7):
        alliance.transact("ann", transaction.ISSUE, Issue("CNY", 2, PARTIES[0].kid, 5).row())
        alliance.run(10_000)
    connection, size = alliance["ann"].connection, alliance["ann"].ledger.edge.size
    raw = snapshots.export(connection, alliance.epoch, None).encode()
    yield raw, list(tree_rows.leaves(connection, 0, size))
    alliance.close()


def test_every_part_is_what_the_page_says(made: tuple[bytes, list[bytes]]) -> None:
    raw, log = made
    parts = list(parts_of(raw))
    head = cbor2.loads(parts[0])
    magic, ledger_id, leaf, at, before, changes, note, _proof, peaks, _more, counts = head
    assert (magic, ledger_id) == ("wattle/2/snapshot", sha256(GENESIS.raw)[:16])
    epochs, leaves, blocks = counts
    link, change = cbor2.loads(parts[1]), parts[2]
    assert epochs == 1
    chain = [*parts[3 : 3 + leaves], leaf]
    headers = parts[3 + leaves : 3 + leaves + blocks]
    rows = parts[3 + leaves + blocks :]
    # The state, in the leaf, in the log, under the checkpoint.
    keys = [cbor2.loads(row)[0] for row in rows]
    assert keys == sorted(set(keys))
    commit = cbor2.loads(leaf)
    assert commit[6] == sha256(cbor2.dumps([before, changes, tree_root(rows)]))
    assert log[at] == leaf
    folded = peaks[-1]
    for peak in reversed(peaks[:-1]):
        folded = sha256(b"\x01", peak, folded)
    assert folded == tree_root(log[: at + 1])
    _, size, root, *_ = note.decode().split("\n")
    assert base64.b64decode(root) == tree_root(log[: int(size)])
    # The commits before it: as far back as a `ready` may name one.
    index = commit[2]
    assert cbor2.loads(chain[0])[2] <= max(1, index - READY_MAX)
    for one, following in pairwise(chain):
        assert cbor2.loads(following)[2] == cbor2.loads(one)[2] + 1
        assert cbor2.loads(following)[5] == sha256(one)
    # How the second epoch began: one member was its own quorum.
    row: Any = cbor2.loads(dict(map(cbor2.loads, rows))[cbor2.dumps(["epoch", 1])])
    ended = cbor2.loads(link[0])
    assert log[link[1]] == link[0]
    assert (ended[1], ended[2]) == (0, row[0])
    assert link[3] == []
    public = cbor2.loads(GENESIS.raw)[5][0][2]
    (_lane, _nonce, _until, kind, body), _ = opened("tx", ledger_id, change, public)
    assert (kind, body[0]) == (3, 0)
    assert [*body[1:4]] == [*row[1:4]]
    # The blocks: from the leader's down to the floor, each under its author's key.
    members = [member[2] for member in row[1]]
    digests = {}
    for header in headers:
        author = cbor2.loads(cbor2.loads(header).value[2])[1]
        payload, digest = opened("block", ledger_id, header, members[author])
        digests[digest] = (payload[2], payload[1])
    leader = commit[4]
    assert digests[leader[2]] == (leader[0], leader[1])
    assert list(digests.values()) == sorted(digests.values())
    assert all(place[0] <= leader[0] for place in digests.values())
