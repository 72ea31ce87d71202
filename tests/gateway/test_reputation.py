"""Reputations (DEMAND_RESPONSE.md, D14 and D32 to D34): what moves them, suspension, return."""

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.reputation.conduct import CHEATING, charge, moved, rate
from wattle_gateway.contracts.reputation.fault_record import NAMES, FaultRecord, Shown
from wattle_gateway.contracts.reputation.standing import (
    EventMark,
    Standing,
    grade,
    put_standing,
    standing,
    standings,
)
from wattle_gateway.contracts.scoring.score import Score
from wattle_gateway.contracts.state import State, key
from wattle_gateway.ledger.market import FAULTS, Market, Weights
from wattle_testkit.shown_fault import SHOWN
from wattle_wire import cbor

MARKET = Market()
ANA, BEN = bytes([1]) * 8, bytes([2]) * 8
EVENT = bytes(32)
RECORD = [1, 7, 1, bytes(32), 3]
MILD = sorted(set(FAULTS) - CHEATING)

permille = st.integers(0, 1000)
faults = st.sampled_from(sorted(FAULTS))


def scored(value: int) -> Score:
    return Score(value, value, value, value, 500, 500, value)


def at_reputation(value: int) -> State:
    state = State({})
    put_standing(state, Standing(ANA, value))
    return state


def look(state: State, time_ms: int = 0, kid: bytes = ANA) -> Standing:
    return standing(state, MARKET, kid, time_ms)


def test_everybody_begins_at_the_start_value() -> None:
    found = look(State({}))
    assert found == Standing(ANA, MARKET.reputation_start)
    assert not found.suspended


def test_a_score_moves_the_reputation_a_fifth_of_the_way() -> None:
    state = State({})
    rate(state, MARKET, ANA, EVENT, scored(900), 5)
    found = look(state)
    assert found.reputation == 500 + 80
    assert found.events == (EventMark(EVENT, 900, 500, 500, 900),)
    assert found.history == (900,)


def test_doubtful_data_moves_it_by_less() -> None:
    state = State({})
    rate(state, MARKET, ANA, EVENT, scored(900), 5, 250)
    assert look(state).reputation == 500 + 80 // 4
    rate(state, MARKET, ANA, EVENT, scored(0), 6, 0)
    assert look(state).reputation == 520


@given(permille, permille, permille, permille)
def test_a_reputation_moves_towards_the_score_and_never_beyond(
    reputation: int, score: int, rate_permille: int, bearing: int
) -> None:
    after = moved(reputation, score, rate_permille, bearing)
    assert min(reputation, score) <= after <= max(reputation, score)
    whole = moved(reputation, score, rate_permille)
    assert abs(after - reputation) <= abs(whole - reputation)


@given(permille, permille, permille)
def test_a_better_score_is_not_a_lower_reputation(reputation: int, one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert moved(reputation, low, 200) <= moved(reputation, high, 200)


def test_the_oldest_events_are_forgotten() -> None:
    market = replace(MARKET, history_events=3)
    state = State({})
    for number in range(5):
        rate(state, market, ANA, bytes([number]) * 32, scored(600 + number), number)
    assert standing(state, market, ANA, 5).history == (604, 603, 602)


@pytest.mark.parametrize("fault", MILD)
def test_a_fault_takes_its_weight_off(fault: str) -> None:
    state = State({})
    charge(state, MARKET, ANA, fault, SHOWN, 7)
    found = look(state, 8)
    assert found.reputation == 500 - MARKET.weight_of[fault].reputation
    assert (found.faults, found.last_fault_ms) == ({fault: 1}, 7)
    assert found.selection_permille == MARKET.weight_of[fault].selection
    assert look(state, kid=BEN).faults == {}


@pytest.mark.parametrize("fault", sorted(CHEATING))
def test_cheating_takes_everything_whatever_the_table_says(fault: str) -> None:
    mild = {**MARKET.weight_of, fault: Weights(0, 0, 1, 1000)}
    market = replace(MARKET, weights=tuple(sorted(mild.items())))
    state = at_reputation(1000)
    charge(state, market, ANA, fault, SHOWN, 7)
    found = standing(state, market, ANA, 8)
    assert found.reputation == 0
    assert found.suspended


@given(permille, st.lists(faults, max_size=8))
def test_the_order_of_faults_is_nothing(reputation: int, charged: list[str]) -> None:
    first, second = at_reputation(reputation), at_reputation(reputation)
    for fault in charged:
        charge(first, MARKET, ANA, fault, SHOWN, 7)
    for fault in sorted(charged):
        charge(second, MARKET, ANA, fault, SHOWN, 7)
    assert first.changes() == second.changes()
    found = look(first, 8)
    assert 0 <= found.reputation <= reputation
    assert sum(found.faults.values()) == len(charged)


def test_of_a_fault_the_newest_case_stays_shown() -> None:
    state = State({})
    first, second = (Shown(number, bytes([number]) * 32, number) for number in (1, 5))
    charge(state, MARKET, ANA, "error", first, 7)
    charge(state, MARKET, ANA, "uncommanded", first, 8)
    charge(state, MARKET, ANA, "error", second, 9)
    assert look(state, 9).records == {
        "error": FaultRecord(2, 9, second),
        "uncommanded": FaultRecord(1, 8, first),
    }


def test_a_row_does_not_grow_with_the_faults() -> None:
    """Whoever errs all day has a record of each class, and no more."""
    state = State({})
    for number in range(3):
        for fault in sorted(FAULTS):
            charge(state, MARKET, ANA, fault, Shown(2, bytes([number]) * 32, number + 1), number)
    ((_, value),) = state.changes()
    assert value is not None
    assert len(value) < 100 * len(FAULTS)


@given(permille, st.lists(faults, max_size=5), faults)
def test_one_more_fault_is_not_better(reputation: int, charged: list[str], more: str) -> None:
    state = at_reputation(reputation)
    for fault in charged:
        charge(state, MARKET, ANA, fault, SHOWN, 7)
    before = look(state, 7)
    charge(state, MARKET, ANA, more, SHOWN, 8)
    after = look(state, 8)
    assert after.reputation <= before.reputation
    assert after.selection_permille <= before.selection_permille


@given(permille, st.sampled_from(MILD), st.integers(1, 1000), st.integers(0, 1000))
def test_a_fault_of_some_loads_costs_their_share_rounded_up(
    reputation: int, fault: str, part: int, rest: int
) -> None:
    state = at_reputation(reputation)
    charge(state, MARKET, ANA, fault, SHOWN, 7, (part, part + rest))
    weight = MARKET.weight_of[fault].reputation
    off = math.ceil(Fraction(weight * part, part + rest))
    assert look(state, 8).reputation == max(0, reputation - off)
    assert 0 < off <= weight


@pytest.mark.parametrize("fault", sorted(CHEATING))
def test_cheating_with_a_few_loads_is_cheating(fault: str) -> None:
    state = at_reputation(1000)
    charge(state, MARKET, ANA, fault, SHOWN, 7, (1, 1000))
    assert look(state, 8).reputation == 0


def test_below_the_threshold_a_party_is_suspended() -> None:
    state = at_reputation(300)
    rate(state, MARKET, ANA, EVENT, scored(300), 5)
    assert not look(state, 5).suspended  # at the threshold
    charge(state, MARKET, ANA, "error", SHOWN, 6)
    found = look(state, 6)
    assert (found.reputation, found.suspended_ms) == (295, 6)
    assert found.back_ms == 6 + MARKET.probation_ms


def test_a_bad_score_suspends_too() -> None:
    state = at_reputation(300)
    rate(state, MARKET, ANA, EVENT, scored(0), 9)
    assert look(state, 9).suspended_ms == 9


def test_a_good_score_does_not_end_a_suspension() -> None:
    state = at_reputation(299)
    charge(state, MARKET, ANA, "error", SHOWN, 5)
    for number in range(20):
        rate(state, MARKET, ANA, bytes([number]) * 32, scored(1000), 10 + number)
    found = look(state, 40)
    assert found.reputation > MARKET.suspend_permille
    assert found.suspended_ms == 5


def test_after_a_clean_probation_it_returns_at_the_threshold() -> None:
    state = at_reputation(1000)
    charge(state, MARKET, ANA, "double_signing", SHOWN, 5)
    assert look(state, 4 + MARKET.probation_ms).suspended
    found = look(state, 5 + MARKET.probation_ms)
    assert (found.suspended, found.reputation) == (False, MARKET.suspend_permille)
    assert (found.selection_permille, found.faults) == (1000, {"double_signing": 1})
    rate(state, MARKET, ANA, EVENT, scored(500), 6 + MARKET.probation_ms)
    assert look(state, 6 + MARKET.probation_ms).reputation == 340


def test_a_fault_during_the_probation_begins_it_anew() -> None:
    state = at_reputation(299)
    charge(state, MARKET, ANA, "error", SHOWN, 5)
    later = MARKET.probation_ms - 10
    charge(state, MARKET, ANA, "error", SHOWN, later)
    assert look(state, 5 + MARKET.probation_ms).suspended
    assert not look(state, later + MARKET.probation_ms).suspended
    assert look(state, later).suspended_ms == 5


@pytest.mark.parametrize(
    ("reputation", "expected"),
    [
        (1000, "A"), (900, "A"), (899, "B"), (750, "B"), (749, "C"),
        (600, "C"), (599, "D"), (400, "D"), (399, "E"), (0, "E"),
    ],
)  # fmt: skip
def test_grades(reputation: int, expected: str) -> None:
    assert grade(reputation) == expected


digests = st.binary(min_size=32, max_size=32)
records = st.builds(
    FaultRecord,
    st.integers(1, 2**32),
    st.integers(0, 2**53 - 1),
    st.builds(Shown, st.sampled_from(sorted(NAMES)), digests, st.integers(1, 2**53 - 1)),
)
marks = st.builds(EventMark, st.binary(min_size=32, max_size=32), *[permille] * 4)


@given(
    permille,
    st.none() | st.integers(0, 2**53 - 1),
    st.dictionaries(faults, records),
    st.lists(marks, max_size=64),
)
def test_a_row_reads_back_as_it_was_written(
    reputation: int,
    suspended_ms: int | None,
    charged: dict[str, FaultRecord],
    events: list[EventMark],
) -> None:
    state = State({})
    put_standing(state, Standing(ANA, reputation, suspended_ms, None, charged, tuple(events)))
    found = look(state, suspended_ms or 0)
    assert (found.reputation, found.suspended_ms) == (reputation, suspended_ms)
    assert (found.records, found.events) == (charged, tuple(events))


def test_everybody_with_a_row_by_kid() -> None:
    state = State({})
    for kid in (BEN, ANA):
        charge(state, MARKET, kid, "error", SHOWN, 1)
    rows = {row: value for row, value in state.changes() if value is not None}
    assert [found.kid for found in standings(rows, MARKET, 2)] == [ANA, BEN]


@pytest.mark.parametrize(
    "row",
    [
        [1, 2],
        [1001, None, {}, []],
        [1, -1, {}, []],
        [1, None, {"haste": RECORD}, []],
        [1, None, {"error": [-1, *RECORD[1:]]}, []],
        [1, None, {"error": RECORD[:4]}, []],
        [1, None, {"error": [*RECORD[:2], 0, *RECORD[3:]]}, []],
        [1, None, {"error": [*RECORD[:2], 7, *RECORD[3:]]}, []],
        [1, None, {"error": [*RECORD[:3], bytes(31), 1]}, []],
        [1, None, {"error": 1}, []],
        [1, None, {}, [[EVENT, 1, 2, 3]]],
        [1, None, {}, [[EVENT, 1, 2, 3, 1001]]],
        [1, None, {}, [[EVENT, 1, 2, 3, 4]] * 65],
    ],
)
def test_a_damaged_row_is_named(row: object) -> None:
    with pytest.raises(StateError, match="standing"):
        standing({key("standing", ANA): cbor.encode(row)}, MARKET, ANA, 0)
