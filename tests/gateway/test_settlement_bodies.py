"""Bodies of kinds 19 to 23 and the rows of statements: what is written is read, nothing else is
(SPEC sections 10 and 11)."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.measurement.energy import INTEGRATED, REGISTER, UNMEASURED, Energy
from wattle_gateway.contracts.scoring.score import Score
from wattle_gateway.contracts.settlement import results
from wattle_gateway.contracts.settlement.lines import STATUS_NAMES
from wattle_gateway.contracts.settlement.results import Correction, ResultLine, ResultRow
from wattle_gateway.contracts.state import State, key
from wattle_gateway.ledger.account_bodies import AMOUNT_MAX
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.event_bodies import INTERVALS_MAX, TIME_MS_MAX
from wattle_gateway.ledger.fund_limits import FundLimits
from wattle_gateway.ledger.market import DATA_CLASSES
from wattle_gateway.ledger.offer_bodies import DAY_MS, PRICE_MAX
from wattle_gateway.ledger.settlement_bodies import (
    PARSERS,
    Answer,
    Contract,
    Decide,
    Dispute,
    Fund,
    parse_answer,
    parse_contract,
    parse_decide,
    parse_dispute,
    parse_fund,
)
from wattle_wire import cbor

KID = bytes(range(8))
DIGEST = bytes(range(32))
CONTRACT = Contract(KID, "CNY", 1, 2, 3, 700, 10, 20)
LIMITS = FundLimits((1, 4), "north/feeder-7", 1, 10, 20, 30, 40, 50)
FUND = Fund("green-peak", "CNY", 5, KID, 99, LIMITS)
DISPUTE = Dispute(DIGEST, KID, 1, 3, "not so")
ANSWER = Answer(DIGEST, "it was")
DECIDE = Decide(DIGEST, -7, "half of it")
Body = Contract | Fund | Dispute | Answer | Decide
Parse = Callable[[object], Body]
EACH: tuple[tuple[Body, Parse], ...] = (
    (CONTRACT, parse_contract),
    (FUND, parse_fund),
    (Fund("green-peak", "CNY", 5, KID, 99), parse_fund),
    (DISPUTE, parse_dispute),
    (ANSWER, parse_answer),
    (DECIDE, parse_decide),
)


def limits(row: object) -> Body:
    """A fund with these limits."""
    return parse_fund([*FUND.row()[:5], row])


@pytest.mark.parametrize(("body", "parse"), EACH)
def test_what_is_written_is_read(body: Body, parse: Parse) -> None:
    assert parse(cbor.decode(cbor.encode(body.row()))) == body


@pytest.mark.parametrize(("body", "parse"), EACH)
def test_no_item_may_be_missing_or_more(body: Body, parse: Parse) -> None:
    for row in (body.row()[:-1], [*body.row(), 0]):
        with pytest.raises(LedgerError):
            parse(row)


@pytest.mark.parametrize(
    ("parse", "row", "place", "values"),
    [
        (parse_contract, CONTRACT.row(), 0, (KID[:7], "house", None)),
        (parse_contract, CONTRACT.row(), 1, ("cny", "", 1)),
        (parse_contract, CONTRACT.row(), 2, (-1, PRICE_MAX + 1)),
        (parse_contract, CONTRACT.row(), 3, (-1, PRICE_MAX + 1)),
        (parse_contract, CONTRACT.row(), 4, (-1, PRICE_MAX + 1)),
        (parse_contract, CONTRACT.row(), 5, (-1, 1_001)),
        (parse_contract, CONTRACT.row(), 6, (-1, None)),
        (parse_contract, CONTRACT.row(), 7, (-1, True)),
        (parse_fund, FUND.row(), 0, ("", "Green", "a" * 33, "a b", 7)),
        (parse_fund, FUND.row(), 1, ("", None)),
        (parse_fund, FUND.row(), 2, (0, -1, AMOUNT_MAX + 1)),
        (parse_fund, FUND.row(), 3, (b"", KID + KID)),
        (parse_fund, FUND.row(), 4, (-1, "1")),
        (parse_fund, FUND.row(), 5, (None, [], LIMITS.row()[:-1], [*LIMITS.row(), None])),
        (limits, LIMITS.row(), 0, (None, [0], [6], [4, 1], [1, 1], [1, 2, 3, 4, 5, 5], [None])),
        (limits, LIMITS.row(), 1, (None, "North", "north/", "/")),
        (limits, LIMITS.row(), 2, (None, -1, 3)),
        (limits, LIMITS.row(), 3, (None, -1, TIME_MS_MAX + 1, 20, 21)),
        (limits, LIMITS.row(), 4, (-1, 0, 9, 10, TIME_MS_MAX + 1)),
        (limits, LIMITS.row(), 5, (-1, PRICE_MAX + 1, "1")),
        (limits, LIMITS.row(), 6, (-1, PRICE_MAX + 1, "1")),
        (limits, LIMITS.row(), 7, (-1, 0, AMOUNT_MAX + 1)),
        (parse_dispute, DISPUTE.row(), 0, (DIGEST[:31], "")),
        (parse_dispute, DISPUTE.row(), 1, (b"", DIGEST)),
        (parse_dispute, DISPUTE.row(), 2, (0, 33)),
        (parse_dispute, DISPUTE.row(), 3, (-1, 1_000)),
        (parse_dispute, DISPUTE.row(), 4, ("", "x" * 201, b"x")),
        (parse_answer, ANSWER.row(), 0, (b"", KID)),
        (parse_answer, ANSWER.row(), 1, ("", "x" * 201)),
        (parse_decide, DECIDE.row(), 1, (AMOUNT_MAX + 1, -AMOUNT_MAX - 1, None, "1")),
        (parse_decide, DECIDE.row(), 2, ("", "x" * 201)),
    ],
)
def test_each_item_within_its_bounds(
    parse: Parse, row: list[object], place: int, values: tuple[object, ...]
) -> None:
    for value in values:
        with pytest.raises(LedgerError):
            parse([*row[:place], value, *row[place + 1 :]])


garbage = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.binary() | st.text(),
    lambda inner: st.lists(inner, max_size=9),
    max_leaves=12,
)


@given(garbage)
def test_garbage_is_nothing_but_malformed(value: object) -> None:
    for parse in PARSERS.values():
        with pytest.raises(LedgerError):
            parse(value)


amounts = st.integers(0, AMOUNT_MAX)
numbers = st.none() | st.integers(-(10**15), 10**15)
lines = st.builds(
    ResultLine,
    st.sampled_from(sorted(STATUS_NAMES)),
    st.none() | st.integers(-(10**18), 10**18),
    st.builds(Energy, st.sampled_from([REGISTER, INTEGRATED, UNMEASURED]), numbers, numbers),
    st.frozensets(st.sampled_from(sorted(DATA_CLASSES))),
    amounts,
    amounts,
    amounts,
)
permille = st.integers(0, 1_000)
statements = st.builds(
    ResultRow,
    st.just(DIGEST),
    st.just(KID),
    st.integers(1, 32),
    st.integers(1, 3),
    st.integers(0, 2**53),
    st.integers(0, 2**53),
    *[st.integers(0, PRICE_MAX)] * 3,
    permille,
    st.integers(1, DAY_MS),
    st.integers(1, 10**6),
    st.integers(0, 2),
    st.lists(lines, max_size=4).map(tuple),
    st.none() | st.builds(Score, *[permille] * 7),
    st.lists(st.binary(min_size=32, max_size=32), max_size=8).map(tuple),
    st.none()
    | st.builds(
        Correction,
        st.integers(0, 2**53),
        st.integers(0, 2**53),
        st.integers(-AMOUNT_MAX, AMOUNT_MAX),
        st.lists(st.integers(0, 999), max_size=4).map(tuple),
    ),
)


@given(statements)
def test_a_statement_comes_back_as_it_was(row: ResultRow) -> None:
    state = State({})
    results.put_result(state, row)
    assert results.result(state, row.event, row.meter, row.device) == row


def test_the_longest_statement_is_one_value() -> None:
    """Every line of the longest event at its largest, every class seen."""
    energy = Energy(REGISTER, -(10**15), 10**15)
    line = ResultLine(2, -(10**18), energy, frozenset(DATA_CLASSES), *[AMOUNT_MAX] * 3)
    correction = Correction(2**53, 2**53, -AMOUNT_MAX, tuple(range(INTERVALS_MAX)))
    row = ResultRow(
        *(DIGEST, KID, 32, 3, 2**53, 2**53, PRICE_MAX, PRICE_MAX, PRICE_MAX, 1_000),
        *(DAY_MS, 10**6, 0),
        (line,) * INTERVALS_MAX,
        Score(*[1_000] * 7),
        (DIGEST,) * 8,
        correction,
    )
    state = State({})
    results.put_result(state, row)
    assert results.result(state, DIGEST, KID, 32) == row


@given(st.binary(max_size=60) | garbage.map(cbor.encode))
def test_a_damaged_row_is_named(value: bytes) -> None:
    with pytest.raises(StateError, match=f"result {DIGEST.hex()}"):
        results.result({key("result", DIGEST, KID, 1): value}, DIGEST, KID, 1)
