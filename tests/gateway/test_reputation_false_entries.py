"""A gateway is charged with what its bytes alone show to be no entry, once a block (D14), and with
nothing else: what is refused for its time or its place may be honest."""

import pytest
from wattle_gateway.contracts.reputation.standing import Standing, standing
from wattle_gateway.contracts.state import key
from wattle_gateway.ledger import entry, evidence, transaction
from wattle_gateway.ledger.market import Market
from wattle_testkit.alliance import (
    Board,
    Party,
    epoch_of,
    evidence_entry,
    sample_entry,
    transaction_entry,
    two_blocks_of,
)
from wattle_testkit.commit_chain import CommitChain

FOUR = tuple(Party(name) for name in ("ann", "bob", "cid", "dee"))
EPOCH = epoch_of(*FOUR)
BOARD = Board("meter", EPOCH)
STRANGER = Board("stranger", EPOCH)
START = Market().reputation_start
WEIGHT = Market().weight_of["error"].reputation
# The chain's blocks are of author 0.
AUTHOR = EPOCH.members[0].kid


def forged(one: bytes, other: bytes) -> bytes:
    """An entry with the signature of another one of its kind."""
    return one[:-64] + other[-64:]


@pytest.fixture
def ledger() -> CommitChain:
    """A ledger on which BOARD is enrolled."""
    made = CommitChain(EPOCH, *FOUR)
    home = next(party for party in FOUR if party.kid == AUTHOR)
    body = transaction.enrol_body(BOARD.enrol(home=home.kid))
    made.commit(transaction_entry(EPOCH, home, transaction.ENROL, body))
    return made


def look(ledger: CommitChain) -> Standing:
    return standing(ledger.state, Market(), AUTHOR, ledger.head.time_ms)


def signed(party: Party, nonce: int) -> bytes:
    return transaction_entry(EPOCH, party, transaction.OPEN, ["CNY"], nonce=nonce)


FALSE = {
    "nothing": b"",
    "no entry": b"\x82\x05\x40",
    "no sample": entry.encode(entry.SAMPLE, b"no sample", 60_000),
    "no transaction": entry.encode(entry.TRANSACTION, b"no transaction", 60_000),
    "a sample signed by nobody": forged(
        sample_entry(BOARD.sample(1)), sample_entry(BOARD.sample(2))
    ),
    "a transaction signed by nobody": forged(signed(FOUR[1], 0), signed(FOUR[1], 1)),
}
OTHERWISE = {
    "a meter that is not enrolled": sample_entry(STRANGER.sample(1)),
    "a party that is none": signed(Party("nobody"), 0),
    "a nonce that is not due": signed(FOUR[1], 7),
    "a refused transaction": signed(FOUR[1], 0),
    "evidence of another epoch": evidence_entry(
        evidence.two_blocks(*two_blocks_of(epoch_of(*FOUR, Party("eve")), FOUR[1]))
    ),
}


@pytest.mark.parametrize("raw", FALSE.values(), ids=FALSE)
def test_a_false_entry_is_charged_to_its_author(ledger: CommitChain, raw: bytes) -> None:
    executed = ledger.commit(raw)
    assert len(executed.leaves) == 1
    assert (look(ledger).reputation, look(ledger).faults) == (START - WEIGHT, {"error": 1})
    changed = {row for row, _ in executed.changes} - {key("connected")}
    assert changed == {key("standing", AUTHOR)}


def test_a_block_full_of_them_is_one_fault(ledger: CommitChain) -> None:
    ledger.commit(*FALSE.values(), sample_entry(BOARD.sample(1)), *FALSE.values())
    assert look(ledger).faults == {"error": 1}
    ledger.commit(*FALSE.values())
    assert look(ledger).faults == {"error": 2}


@pytest.mark.parametrize("raw", OTHERWISE.values(), ids=OTHERWISE)
def test_what_other_circumstances_explain_is_nobodys_fault(ledger: CommitChain, raw: bytes) -> None:
    ledger.commit(raw)
    assert look(ledger).faults == {}


def test_under_older_rules_nobody_is_charged() -> None:
    made = CommitChain(epoch_of(*FOUR, rules=2), *FOUR)
    assert made.commit(*FALSE.values()).changes == ()
