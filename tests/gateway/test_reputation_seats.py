"""What a reputation means for a gateway, in commits: evidence, connection, seat (D32, D33)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.contracts import alliance
from wattle_gateway.contracts.alliance import CONTRACT
from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.reputation import connection, fault_record, seats
from wattle_gateway.contracts.reputation.connection import DAY_MS, Day
from wattle_gateway.contracts.reputation.fault_record import FaultRecord, Shown
from wattle_gateway.contracts.reputation.standing import Standing, put_standing, standing
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import State, key
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import crypto, evidence, genesis
from wattle_gateway.ledger.block import Block, CommitVote
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.market import Market, Weights
from wattle_testkit.alliance import (
    Party,
    epoch_of,
    evidence_entry,
    transaction_entry,
    two_blocks_of,
)
from wattle_testkit.commit_chain import CommitChain
from wattle_wire import cbor

MARKET = Market()
FOUR = [Party(name) for name in ("one", "two", "three", "four")]
SEVEN = [*FOUR, *(Party(name) for name in ("five", "six", "seven"))]
OBSERVER = Party("regulator", genesis.OBSERVER)
LIAR = FOUR[1]
EPOCH = epoch_of(*FOUR, OBSERVER, rules=genesis.EVENT_RULES)
LARGE = epoch_of(*SEVEN, rules=genesis.EVENT_RULES)


@pytest.fixture
def ledger() -> CommitChain:
    """A ledger of four with an observer, one of whom has been shown to have signed twice."""
    made = CommitChain(EPOCH, *FOUR)
    assert alliance.pending_changes(made.state, EPOCH) == []
    lie = evidence.two_blocks(*two_blocks_of(EPOCH, LIAR))
    made.commit(evidence_entry(lie))
    return made


def look(ledger: CommitChain, party: Party = LIAR) -> Standing:
    return standing(ledger.state, MARKET, party.kid, ledger.head.time_ms)


def approve(ledger: CommitChain, party: Party, digest: bytes) -> int:
    raw = transaction_entry(EPOCH, party, 4, [digest])
    outcome = ledger.one(raw)
    return outcome.verdict


def test_double_signing_suspends_at_once(ledger: CommitChain) -> None:
    found = look(ledger)
    assert (found.reputation, found.suspended, found.faults) == (0, True, {"double_signing": 1})
    assert look(ledger, FOUR[0]).reputation == MARKET.reputation_start


def test_under_older_rules_nothing_of_it_exists() -> None:
    made = CommitChain(epoch_of(*FOUR, rules=2), *FOUR)
    lie = evidence.two_blocks(*two_blocks_of(made.epoch, LIAR))
    executed = made.commit(evidence_entry(lie))
    assert [row for row, _ in executed.changes] == [key("cheat", LIAR.kid)]


def test_the_ledger_proposes_the_epoch_without_the_suspended(ledger: CommitChain) -> None:
    (pending,) = alliance.pending_changes(ledger.state, EPOCH)
    assert (pending.proposer, pending.approvers) == (CONTRACT, ())
    staying = {member.kid for member in pending.change.members}
    assert staying == {member.kid for member in EPOCH.everyone} - {LIAR.kid}
    assert (pending.change.rules, pending.change.constants) == (EPOCH.rules, EPOCH.constants)
    assert pending.digest == seats.proposal_digest(EPOCH, pending.change)


def test_q_approvals_take_the_seat(ledger: CommitChain) -> None:
    (pending,) = alliance.pending_changes(ledger.state, EPOCH)
    for party in (FOUR[0], FOUR[2]):
        assert approve(ledger, party, pending.digest) == 0
        assert ledger.epoch is EPOCH
    assert approve(ledger, FOUR[3], pending.digest) == 0
    assert ledger.epoch.number == 1
    assert ledger.epoch.author_of(LIAR.kid) is None
    ledger.commit()
    assert alliance.pending_changes(ledger.state, ledger.epoch) == []
    assert look(ledger).suspended  # as a party it still is


def test_approvals_are_kept_while_nothing_changes(ledger: CommitChain) -> None:
    (before,) = alliance.pending_changes(ledger.state, EPOCH)
    approve(ledger, FOUR[0], before.digest)
    ledger.commit()
    (after,) = alliance.pending_changes(ledger.state, EPOCH)
    assert after.approvers == (FOUR[0].kid,)


def test_the_proposal_goes_when_the_probation_is_over(ledger: CommitChain) -> None:
    back_ms = look(ledger).back_ms
    assert back_ms == ledger.head.time_ms + MARKET.probation_ms
    ledger.commit(time_ms=back_ms - 1)
    assert len(alliance.pending_changes(ledger.state, EPOCH)) == 1
    ledger.commit(time_ms=back_ms)
    assert alliance.pending_changes(ledger.state, EPOCH) == []
    assert look(ledger).reputation == MARKET.suspend_permille


def suspended(*parties: tuple[Party, int]) -> State:
    state = State({})
    for party, reputation in parties:
        put_standing(state, Standing(party.kid, reputation, suspended_ms=1))
    return state


def leaving(epoch: Epoch, *parties: tuple[Party, int]) -> list[bytes]:
    state = suspended(*parties)
    return [member.kid for member in seats.to_leave(state, epoch, MARKET, 2)]


def test_no_more_leave_at_once_than_the_alliance_bears() -> None:
    three = [(SEVEN[0], 200), (SEVEN[1], 100), (SEVEN[2], 0)]
    assert leaving(LARGE, *three) == [SEVEN[2].kid, SEVEN[1].kid]
    assert leaving(EPOCH, *three[:2]) == [SEVEN[1].kid]


def test_of_two_one_may_leave_and_the_last_never() -> None:
    assert leaving(epoch_of(*FOUR[:2], rules=3), (FOUR[0], 0), (FOUR[1], 0)) == [
        min(FOUR[0].kid, FOUR[1].kid)
    ]
    assert leaving(epoch_of(FOUR[0], rules=3), (FOUR[0], 0)) == []


def test_an_observer_has_no_seat_to_lose() -> None:
    assert leaving(EPOCH, (OBSERVER, 0)) == []


def leader() -> Block:
    """A block of the first author that names all of the round below."""
    author = EPOCH.author_of(FOUR[0].kid)
    assert author is not None
    others = [other for other in range(EPOCH.size) if other != author]
    return block_format.build(
        EPOCH,
        author,
        FOUR[0].sign,
        round_number=1,
        time_ms=EPOCH.created_ms,
        parents=[block_format.round_zero(EPOCH, at) for at in (author, *others)],
        commit_vote=CommitVote(0, EPOCH.digest),
        entries=(),
    ).block


def at(time_ms: int) -> Setting:
    """A commit at a time, the one before it being number 100."""
    head = CommitHead(100, time_ms - 1, bytes(range(32)), bytes(32))
    return Setting(time_ms, EPOCH, head, crypto.verify, lambda index: None)


def test_the_first_commit_of_a_day_rates_by_the_day_before() -> None:
    state = State({key("connected"): cbor.encode([0, 0, 100, [100, 90, 40, 0]])})
    connection.take(state, MARKET, leader(), at(DAY_MS))
    # The upper median is 90; 72 of it is enough.
    marks = [1000, 1000, 555, 0]
    found = [standing(state, MARKET, member.kid, DAY_MS) for member in EPOCH.members]
    off = [0, 0, 0, MARKET.weight_of["gateway_silence"].reputation]
    assert [one.reputation for one in found] == [
        500 + (mark - 500) // 5 - less for mark, less in zip(marks, off, strict=True)
    ]
    shown = Shown(fault_record.COMMIT, bytes(range(32)), 100)
    assert [one.records for one in found] == [
        *[{}] * 3,
        {"gateway_silence": FaultRecord(1, DAY_MS, shown)},
    ]
    counted = connection.day_of(state)
    assert counted is not None
    assert (counted.day, counted.commits, sum(counted.counts)) == (1, 1, 4)


@pytest.mark.parametrize("row", [[0, 0, 29, [29, 0, 0, 0]], [1, 0, 100, [100, 0, 0, 0]]])
def test_a_short_day_or_one_of_another_epoch_says_nothing(row: list[object]) -> None:
    state = State({key("connected"): cbor.encode(row)})
    connection.take(state, MARKET, leader(), at(DAY_MS))
    assert [name for name, _ in state.changes()] == [key("connected")]


def test_a_gateway_that_is_away_for_days_is_suspended() -> None:
    state = State({})
    days = 0
    while not standing(state, MARKET, FOUR[3].kid, days * DAY_MS).suspended:
        author = EPOCH.author_of(FOUR[3].kid)
        counts = [0 if number == author else 100 for number in range(4)]
        state.put(key("connected"), cbor.encode([0, days, 100, counts]))
        days += 1
        connection.take(state, MARKET, leader(), at(days * DAY_MS))
    assert days == 3  # 395, 311, 244
    found = standing(state, MARKET, FOUR[3].kid, days * DAY_MS)
    assert (found.reputation, found.faults) == (244, {"gateway_silence": 3})


def test_whose_blocks_nobody_names_is_not_silent(ledger: CommitChain) -> None:
    """Evidence of this epoch has shown that it signed twice."""
    author = EPOCH.author_of(LIAR.kid)
    counts = [0 if number == author else 100 for number in range(4)]
    view = State({**ledger.state, key("connected"): cbor.encode([0, 0, 100, counts])})
    connection.take(view, MARKET, leader(), at(DAY_MS))
    assert standing(view, MARKET, LIAR.kid, DAY_MS).faults == {"double_signing": 1}


def test_the_weight_of_silence_is_the_alliances() -> None:
    """It moves reputation and, while it is on record, the merit of the party's loads."""
    dear = {**MARKET.weight_of, "gateway_silence": Weights(0, 0, 120, 700)}
    market = replace(MARKET, weights=tuple(sorted(dear.items())))
    for one, expected in ((MARKET, (395, 1000)), (market, (280, 700))):
        state = State({key("connected"): cbor.encode([0, 0, 100, [100, 100, 100, 0]])})
        connection.take(state, one, leader(), at(DAY_MS))
        found = standing(state, one, EPOCH.members[3].kid, DAY_MS)
        assert (found.reputation, found.selection_permille) == expected


def test_the_silent_are_those_in_fewer_commits_than_the_market_says() -> None:
    day = Day(0, 0, 100, (100, 25, 24, 0))
    assert connection.silent(day, 250) == (2, 3)
    assert connection.silent(day, 0) == ()
    assert connection.silent(day, 1000) == (1, 2, 3)


@pytest.mark.parametrize("size", range(4, 33))
def test_no_liars_make_an_honest_member_silent(size: int) -> None:
    """f of n that lead for themselves and for as many that were set aside, and name only whom they
    have to: the victim is in all other commits."""
    liars = (size - 1) // 3
    counts = (size, *[size - 2 * liars] * (size - 1))
    assert connection.silent(Day(0, 0, size, counts), MARKET.silent_permille) == ()


def test_who_stays_silent_does_not_return_by_waiting() -> None:
    market = replace(MARKET, probation_ms=5 * DAY_MS)
    state = State({})
    put_standing(state, Standing(EPOCH.members[3].kid, 100, suspended_ms=0))
    for day in range(1, 12):
        counts = [100, 100, 100, 0 if day < 6 else 100]
        state.put(key("connected"), cbor.encode([0, day - 1, 100, counts]))
        connection.take(state, market, leader(), at(day * DAY_MS))
        found = standing(state, market, EPOCH.members[3].kid, day * DAY_MS)
        assert found.suspended == (day < 10), day


def test_a_member_alone_is_connected_to_nobody() -> None:
    alone = epoch_of(FOUR[0], rules=genesis.EVENT_RULES)
    made = CommitChain(alone, FOUR[0])
    assert made.commit().changes == ()


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=32), st.integers(0, 1000))
def test_marks_are_within_bounds_and_more_is_not_less(counts: list[int], permille: int) -> None:
    found = connection.marks(Day(0, 0, max(counts), tuple(counts)), permille)
    assert all(0 <= mark <= 1000 for mark in found)
    ordered = sorted(zip(counts, found, strict=True))
    assert [mark for _, mark in ordered] == sorted(found)
    assert max(found) == 1000


def test_liars_that_leave_a_member_out_when_they_lead_do_not_suspend_it() -> None:
    """At worst one of four leads twice in a turn: the victim has the other half of the commits."""
    (*_, victim) = connection.marks(Day(0, 0, 100, (100, 100, 100, 50)), 800)
    assert victim == 625
    assert victim > MARKET.reputation_start > MARKET.suspend_permille


def test_blocks_that_the_leader_names_of_the_round_below_were_in_time() -> None:
    made = leader()
    assert connection.in_time(made) == {0, 1, 2, 3}
    assert connection.in_time(replace(made, round=2)) == {made.author}


def test_a_damaged_count_is_named() -> None:
    with pytest.raises(StateError, match="connected"):
        connection.day_of({key("connected"): cbor.encode([1])})
