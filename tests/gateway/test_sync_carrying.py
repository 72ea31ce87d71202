"""A member without a vote hands its transactions to those whose blocks can carry them."""

from collections.abc import Callable

import pytest
from wattle_gateway.ledger import crypto, entry, genesis, transaction
from wattle_gateway.sync import messages as m
from wattle_gateway.sync import reader
from wattle_gateway.sync.gossip import CARRY_COST_BYTES
from wattle_gateway.sync.parcels import Received
from wattle_gateway.sync.peer import SERVED_BURST_BYTES
from wattle_gateway.sync.synchronizer import Synchronizer
from wattle_testkit.alliance import CREATED_MS, Party, epoch_of
from wattle_testkit.memory_gateway import MemoryGateway, MemoryShelf

VOTING = tuple(Party(name) for name in "abcd")
WATCHER = Party("watcher", genesis.OBSERVER)
OTHER_WATCHER = Party("other watcher", genesis.OBSERVER)
EPOCH = epoch_of(*VOTING, WATCHER, OTHER_WATCHER)
A, B = VOTING[0].kid, VOTING[1].kid


def synchronizer(party: Party) -> Synchronizer:
    """That of a member, linked to all others."""
    gateway = MemoryGateway(party, MemoryShelf(party.kid, EPOCH), {}, seed=bytes(32))
    made = Synchronizer(EPOCH, party.kid, gateway.shelf, crypto.verify, seed=bytes(32))
    for other in (*VOTING, WATCHER, OTHER_WATCHER):
        made.connected(other.kid, 0)
    return made


def signed(party: Party, body: object = ("CNY",)) -> bytes:
    """A transaction (COSE_Sign1) of a party."""
    return transaction.build(
        EPOCH.ledger_id,
        party.kid,
        party.sign,
        lane=0,
        nonce=0,
        until_ms=CREATED_MS * 2,
        kind=transaction.OPEN,
        body=body,
    )


def received(at: Party, sender: Party, raw: bytes) -> Received:
    return synchronizer(at).receive(sender.kid, m.Carry(raw).encode(), 1)


def test_it_is_handed_to_everybody_with_a_vote() -> None:
    raw = signed(WATCHER)
    parcels = synchronizer(WATCHER).hand_on(raw)
    assert sorted(parcel.to for parcel in parcels) == sorted(party.kid for party in VOTING)
    assert {reader.parse(parcel.raw) for parcel in parcels} == {m.Carry(raw)}


def test_nobody_is_there_to_carry_it() -> None:
    watcher = synchronizer(WATCHER)
    for party in VOTING:
        watcher.disconnected(party.kid)
    assert watcher.hand_on(signed(WATCHER)) == []


def test_it_comes_out_as_an_entry() -> None:
    raw = signed(WATCHER)
    found = received(VOTING[0], WATCHER, raw)
    assert (found.carried, found.faults) == ((entry.encode(entry.TRANSACTION, raw, 60_000),), ())


@pytest.mark.parametrize(
    "forge",
    [
        lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]),
        lambda raw: signed(OTHER_WATCHER),
        lambda raw: signed(VOTING[1]),
        lambda raw: b"garbage",
        lambda raw: signed(WATCHER, ["x" * 59_900]),
    ],
    ids=["not signed", "of another observer", "of a voting member", "garbage", "too large"],
)
def test_anything_but_its_own_is_a_fault(forge: Callable[[bytes], bytes]) -> None:
    found = received(VOTING[0], WATCHER, forge(signed(WATCHER)))
    assert (found.carried, len(found.faults)) == ((), 1)


def test_who_has_a_vote_has_blocks_for_it() -> None:
    found = received(VOTING[0], VOTING[1], signed(VOTING[1]))
    assert (found.carried, found.faults) == ((), ())


def test_who_has_none_carries_nothing() -> None:
    found = received(OTHER_WATCHER, WATCHER, signed(WATCHER))
    assert (found.carried, found.faults) == ((), ())


def test_a_flood_of_them_is_not_looked_at() -> None:
    at, raw = synchronizer(VOTING[0]), m.Carry(signed(WATCHER)).encode()
    most = SERVED_BURST_BYTES // CARRY_COST_BYTES
    taken = [len(at.receive(WATCHER.kid, raw, 1).carried) for _ in range(most + 50)]
    assert (sum(taken), set(taken[most:])) == (most, {0})
