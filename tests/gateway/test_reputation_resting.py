"""Who is suspended leads no slot: the ledger begins an epoch by itself (D33, CONSENSUS rule 28)."""

from dataclasses import replace
from hashlib import sha256

import pytest
from wattle_gateway.consensus.schedule import Schedule
from wattle_gateway.contracts import alliance
from wattle_gateway.contracts.alliance import CONTRACT
from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.reputation import resting
from wattle_gateway.contracts.reputation.standing import Standing, put_standing, standing
from wattle_gateway.contracts.state import State, key
from wattle_gateway.ledger import evidence, genesis
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.market import Market
from wattle_testkit.alliance import (
    Party,
    change_entry,
    epoch_of,
    evidence_entry,
    following,
    transaction_entry,
    two_blocks_of,
)
from wattle_testkit.commit_chain import CommitChain
from wattle_wire import cbor

MARKET = Market()
FOUR = [Party(name) for name in ("one", "two", "three", "four")]
SEVEN = [*FOUR, *(Party(name) for name in ("five", "six", "seven"))]
LAZY = FOUR[1]
EPOCH = epoch_of(*FOUR, rules=genesis.EVENT_RULES)
OTHER = following(*FOUR, constants=genesis.Constants(gc_depth=61))
LARGE = epoch_of(*SEVEN, rules=genesis.EVENT_RULES)


def ledger_with(epoch: Epoch, *suspended: tuple[Party, int]) -> CommitChain:
    """A ledger on which these are suspended (with this reputation) since its creation."""
    made = CommitChain(epoch, *SEVEN)
    made.state.update(rows_of(epoch, *suspended))
    return made


def rows_of(epoch: Epoch, *suspended: tuple[Party, int]) -> dict[bytes, bytes]:
    state = State({})
    for party, reputation in suspended:
        row = Standing(party.kid, reputation, suspended_ms=epoch.created_ms)
        put_standing(state, row)
    return {row: value for row, value in state.changes() if value is not None}


def kids(*parties: Party) -> tuple[bytes, ...]:
    return tuple(sorted(party.kid for party in parties))


def leaders(epoch: Epoch) -> set[bytes]:
    """The kids of all that lead a slot at the beginning of an epoch."""
    return {epoch.members[author].kid for author in Schedule(epoch).leaders}


def test_an_epoch_begins_in_which_the_suspended_leads_no_slot() -> None:
    ledger = ledger_with(EPOCH, (LAZY, 100))
    executed = ledger.commit()
    assert executed.ended is not None
    assert executed.ended.resting == ledger.epoch.resting == kids(LAZY)
    assert (ledger.epoch.number, ledger.epoch.everyone) == (1, EPOCH.everyone)
    assert leaders(EPOCH) == set(kids(*FOUR))
    assert leaders(ledger.epoch) == set(kids(*FOUR)) - {LAZY.kid}


def test_it_goes_on_until_the_suspension_ends() -> None:
    ledger = ledger_with(EPOCH, (LAZY, 100))
    ledger.commit()
    back_ms = standing(ledger.state, MARKET, LAZY.kid, ledger.head.time_ms).back_ms
    assert back_ms == EPOCH.created_ms + MARKET.probation_ms
    assert ledger.commit(time_ms=back_ms - 1).ended is None
    assert ledger.commit(time_ms=back_ms).ended is not None
    assert (ledger.epoch.number, ledger.epoch.resting) == (2, ())
    assert leaders(ledger.epoch) == set(kids(*FOUR))


def test_the_epochs_digest_names_who_rests() -> None:
    ledger = ledger_with(EPOCH, (LAZY, 100))
    ledger.commit()
    members = [genesis.member_row(member) for member in EPOCH.members]
    constants = genesis.constants_map(EPOCH.constants)
    head = ledger.head.digest
    said = ["wattle/1/epoch", EPOCH.ledger_id, 1, head, members, EPOCH.rules, constants, [LAZY.kid]]
    assert ledger.epoch.digest == sha256(cbor.encode(said)).digest()


def test_the_state_says_who_rests_in_an_epoch() -> None:
    ledger = ledger_with(EPOCH, (LAZY, 100))
    executed = ledger.commit()
    row = alliance.epoch_row(ledger.state, 1)
    assert row is not None
    assert row.change == executed.ended
    assert cbor.decode(ledger.state[key("epoch", 1)])[4] == [LAZY.kid]
    ledger.state[key("epoch", 1)] = cbor.encode([1, [], 3, {}, [b"short"]])
    with pytest.raises(StateError, match="resting"):
        alliance.epoch_row(ledger.state, 1)


def test_what_waits_for_approvals_goes_on_waiting() -> None:
    ledger = ledger_with(EPOCH, (LAZY, 100))
    proposal = change_entry(EPOCH, FOUR[0], following(*FOUR[:3]))
    ledger.commit(proposal)
    assert ledger.epoch.number == 1
    waiting = alliance.pending_changes(ledger.state, ledger.epoch)
    assert [pending.proposer for pending in waiting] == [CONTRACT, FOUR[0].kid]
    ledger.commit()
    assert alliance.pending_changes(ledger.state, ledger.epoch) == waiting
    for party in (FOUR[0], FOUR[2], FOUR[3]):  # the seat that the ledger proposed to take
        nonce = int(party is FOUR[0])
        ledger.commit(transaction_entry(EPOCH, party, 4, [waiting[0].digest], nonce=nonce))
    assert ledger.epoch.number == 2
    assert ledger.epoch.author_of(LAZY.kid) is None
    assert ledger.epoch.resting == ()
    assert alliance.pending_changes(ledger.state, ledger.epoch) == []


def test_an_epoch_that_the_members_begin_lets_the_suspended_rest_as_well() -> None:
    ledger = ledger_with(EPOCH)
    ledger.commit(change_entry(EPOCH, FOUR[0], OTHER))
    (pending,) = alliance.pending_changes(ledger.state, EPOCH)
    ledger.commit(transaction_entry(EPOCH, FOUR[2], 4, [pending.digest]))
    ledger.state.update(rows_of(EPOCH, (LAZY, 100)))
    ledger.commit(transaction_entry(EPOCH, FOUR[3], 4, [pending.digest]))
    assert (ledger.epoch.number, ledger.epoch.constants.gc_depth) == (1, 61)
    assert ledger.epoch.resting == kids(LAZY)


def resting_of(epoch: Epoch, *suspended: tuple[Party, int]) -> tuple[bytes, ...]:
    state = rows_of(epoch, *suspended)
    before = epoch.resting
    return resting.to_rest(state, epoch.everyone, before, MARKET, epoch.created_ms + 1)


def test_no_more_rest_than_the_committee_bears_to_lose() -> None:
    bad = [(SEVEN[0], 200), (SEVEN[1], 100), (SEVEN[2], 0)]
    assert resting_of(LARGE, *bad) == kids(SEVEN[1], SEVEN[2])
    assert resting_of(EPOCH, *bad) == kids(SEVEN[2])
    assert resting_of(epoch_of(*FOUR[:3], rules=3), *bad) == ()


def test_who_rests_already_goes_on_though_another_is_worse() -> None:
    before = replace(EPOCH, resting=kids(FOUR[0]))
    assert resting_of(before, (FOUR[0], 200), (FOUR[1], 0)) == kids(FOUR[0])


def test_neither_an_observer_nor_the_unsuspended_rest() -> None:
    regulator = Party("regulator", genesis.OBSERVER)
    epoch = epoch_of(*FOUR, regulator, rules=3)
    assert resting_of(epoch, (regulator, 0)) == ()
    assert resting_of(epoch) == ()


def test_who_was_shown_to_sign_twice_rests_from_the_next_epoch_on() -> None:
    """In this one nobody names its blocks any more (rule 12), which costs it the slots as well."""
    ledger = CommitChain(EPOCH, *FOUR)
    lie = evidence.two_blocks(*two_blocks_of(EPOCH, LAZY))
    assert ledger.commit(evidence_entry(lie)).ended is None
    assert standing(ledger.state, MARKET, LAZY.kid, ledger.head.time_ms).suspended
    proposal = change_entry(EPOCH, FOUR[0], OTHER)
    ledger.commit(proposal)
    waiting = alliance.pending_changes(ledger.state, EPOCH)
    digest = next(one.digest for one in waiting if one.proposer != CONTRACT)
    for party in FOUR[2:]:
        ledger.commit(transaction_entry(EPOCH, party, 4, [digest]))
    assert ledger.epoch.resting == kids(LAZY)


def test_under_older_rules_nobody_rests() -> None:
    ledger = ledger_with(epoch_of(*FOUR, rules=2), (LAZY, 100))
    assert ledger.commit().ended is None
