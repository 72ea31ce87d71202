"""Energy counters and ratings (SPEC section 12): each clause of `decreasing` and `above_rating`."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.contracts import classes, plausibility
from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.plausibility import Counter, Register
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.transaction import Point
from wattle_testkit.alliance import CREATED_MS, reading
from wattle_wire import cbor

HOUR_MS = 3_600_000
MARGIN_PERMILLE = 1200
POINT = Point(1, transaction.ELECTRICITY, 1000, 0, (1, 1), (1, 1), 1, bytes(8))
BEFORE = Register(Counter(CREATED_MS, 5000), Counter(CREATED_MS, 70))


def judge(
    passed_ms: int,
    register: Register = BEFORE,
    *,
    timed: bool = True,
    rules: int = 2,
    status: str | None = None,
    point: Point = POINT,
    **values: int | str,
) -> tuple[int, Register]:
    good = all(isinstance(value, int) for value in values.values())
    found = reading(CREATED_MS + passed_ms, status=status or ("G" if good else "E"), **values)
    return plausibility.judge(register, found, point, MARGIN_PERMILLE, timed=timed, rules=rules)


def test_the_first_value_is_taken_as_it_is() -> None:
    assert judge(0, Register(), ei=10**9) == (0, Register(Counter(CREATED_MS, 10**9), None))


def test_a_newer_higher_value_moves_its_own_counter() -> None:
    classes_, register = judge(HOUR_MS, ei=5600)
    assert classes_ == 0
    assert register == Register(Counter(CREATED_MS + HOUR_MS, 5600), BEFORE.exported)


def test_each_counter_stands_alone() -> None:
    _, register = judge(HOUR_MS, ei=5600)
    found, after = judge(2 * HOUR_MS, register, ee=71)
    assert found == 0
    assert after == Register(register.imported, Counter(CREATED_MS + 2 * HOUR_MS, 71))


def test_a_value_that_could_not_be_read_leaves_the_counter() -> None:
    assert judge(HOUR_MS, ei="F", ee=70) == (
        0,
        Register(BEFORE.imported, Counter(CREATED_MS + HOUR_MS, 70)),
    )


@pytest.mark.parametrize(
    ("passed_ms", "energy_wh", "expected"),
    [
        (1, 4999, classes.DECREASING),  # newer and lower
        (1, 5000, 0),
        (0, 5000, 0),
        (0, 4999, classes.DECREASING),  # at one time there is one value
        (0, 5001, classes.DECREASING),
        (-1, 5001, classes.DECREASING),  # older and higher
        (-1, 5000, 0),
        (-1, 4000, 0),
    ],
)
def test_decreasing(passed_ms: int, energy_wh: int, expected: int) -> None:
    for quantity, base in (("ei", 0), ("ee", 5000 - 70)):
        found, after = judge(passed_ms, **{quantity: energy_wh - base})
        assert found == expected
        if expected or passed_ms <= 0:
            assert after == BEFORE


@pytest.mark.parametrize(
    ("passed_ms", "grown_wh", "expected"),
    [
        (HOUR_MS, 1202, 0),  # 1000 W x 1.2 for an hour, and 2 Wh of rounding
        (HOUR_MS, 1203, classes.ABOVE_RATING),
        (HOUR_MS // 2, 602, 0),
        (HOUR_MS // 2, 603, classes.ABOVE_RATING),
        (1, 2, 0),  # two roundings in a millisecond are no power
        (1, 3, classes.ABOVE_RATING),
    ],
)
def test_mean_power_above_rating(passed_ms: int, grown_wh: int, expected: int) -> None:
    assert judge(passed_ms, ei=5000 + grown_wh)[0] == expected
    assert judge(passed_ms, ee=70 + grown_wh)[0] == expected


@pytest.mark.parametrize(
    ("power", "expected"),
    [
        (12_000, 0),  # 0.1 W
        (12_001, classes.ABOVE_RATING),
        (-12_000, 0),
        (-12_001, classes.ABOVE_RATING),
    ],
)
def test_power_above_rating_either_way(power: int, expected: int) -> None:
    assert judge(0, p=power)[0] == expected


def test_power_that_could_not_be_read_is_no_power() -> None:
    assert judge(0, p="T")[0] == 0


def test_an_implausible_value_leaves_its_counter() -> None:
    assert judge(HOUR_MS, ei=10**6)[1] == BEFORE
    assert judge(HOUR_MS, ei=10)[1] == BEFORE


def test_without_time_the_counters_are_not_compared_and_power_still_is() -> None:
    assert judge(-(10**9), timed=False, ei=10**9, ee=0) == (0, BEFORE)
    assert judge(0, timed=False, p=12_001)[0] == classes.ABOVE_RATING


@given(
    st.integers(1, 10**12),
    st.integers(0, 10**12),
    st.integers(1, 10**11),
    st.integers(1000, 10**6),
)
def test_mean_power_is_exact_for_any_size(
    rating_w: int, grown_wh: int, passed_ms: int, margin: int
) -> None:
    point = Point(1, 1, rating_w, 0, (1, 1), (1, 1), 1, bytes(8))
    found, _ = plausibility.judge(
        Register(Counter(CREATED_MS, 0), None),
        reading(CREATED_MS + passed_ms, ei=grown_wh),
        point,
        margin,
        timed=True,
        rules=2,
    )
    mean_w = Fraction((grown_wh - 2) * HOUR_MS, passed_ms)
    assert bool(found) == (mean_w > Fraction(rating_w * margin, 1000))


@pytest.mark.parametrize("status", ["X", "O"])
def test_a_counter_that_is_marked_begins_anew(status: str) -> None:
    found, after = judge(HOUR_MS, status=status, ei=3, ee=1)
    at_ms = CREATED_MS + HOUR_MS
    assert found == classes.EXCHANGED
    assert after == Register(Counter(at_ms, 3), Counter(at_ms, 1), at_ms)
    # and goes on from there
    assert judge(2 * HOUR_MS, after, ei=4)[0] == 0
    assert judge(2 * HOUR_MS, after, ei=2)[0] == classes.DECREASING
    assert judge(2 * HOUR_MS, after, ei=5_000)[0] == classes.ABOVE_RATING
    # a second time too
    assert judge(3 * HOUR_MS, after, status=status, ei=0)[0] == classes.EXCHANGED


def test_what_is_late_of_the_counter_before_is_not_compared() -> None:
    _, after = judge(HOUR_MS, status="X", ei=3)
    assert judge(HOUR_MS - 1, after, ei=5_500) == (0, after)
    assert judge(HOUR_MS - 1, after, ei=5_500, p=12_001) == (classes.ABOVE_RATING, after)
    assert judge(HOUR_MS, after, ei=4)[0] == classes.DECREASING


@pytest.mark.parametrize(
    ("passed_ms", "changes"),
    [
        (0, {}),  # not later than the register
        (-1, {}),
        (HOUR_MS, {"rules": 1}),
        (HOUR_MS, {"status": "E"}),
        (HOUR_MS, {"status": "G"}),
    ],
)
def test_what_does_not_begin_anew(passed_ms: int, changes: dict[str, object]) -> None:
    energy_wh = 3 if passed_ms >= 0 else 6_000
    given = {"status": "X", "ei": energy_wh, **changes}
    found, after = judge(passed_ms, **given)  # type: ignore[arg-type]
    assert found == classes.DECREASING
    assert after == BEFORE


def test_a_first_reading_that_is_marked_is_a_first_reading() -> None:
    assert judge(0, Register(), status="X", ei=3) == (0, Register(Counter(CREATED_MS, 3)))


def test_without_time_nothing_begins_anew() -> None:
    assert judge(HOUR_MS, status="X", timed=False, ei=3) == (0, BEFORE)


@pytest.mark.parametrize(
    ("rules", "power", "expected"),
    [
        (2, 300, 0),  # 30 W shown are 1,200 W behind 200:5
        (2, 301, classes.ABOVE_RATING),
        (1, 12_000, 0),
        (1, 12_001, classes.ABOVE_RATING),
    ],
)
def test_the_rating_is_that_of_the_primary_side(rules: int, power: int, expected: int) -> None:
    behind = Point(1, transaction.ELECTRICITY, 1000, 0, (200, 5), (1, 1), 1, bytes(8))
    assert judge(0, rules=rules, point=behind, p=power)[0] == expected
    grown = 30 if rules == 2 else 1_200
    assert judge(HOUR_MS, rules=rules, point=behind, ei=5_000 + grown + 2)[0] == 0
    over = judge(HOUR_MS, rules=rules, point=behind, ei=5_000 + grown + 3)
    assert over == (classes.ABOVE_RATING, BEFORE)


@pytest.mark.parametrize(
    "register",
    [Register(), BEFORE, Register(None, Counter(5, -7)), Register(Counter(5, 7), None, 4)],
)
def test_state_value_round_trip(register: Register) -> None:
    assert plausibility.decode(plausibility.encode(register)) == register


def test_state_value_is_what_spec_states() -> None:
    assert plausibility.encode(Register(Counter(5, 7), None)) == cbor.encode([[5, 7], None])
    anew = Register(None, Counter(5, 7), 5)
    assert plausibility.encode(anew) == cbor.encode([None, [5, 7], 5])


@pytest.mark.parametrize(
    "value", [b"", *map(cbor.encode, ([1, 2], [[1, 2]], [None, None, None], [None] * 4))]
)
def test_a_damaged_state_value_is_named(value: bytes) -> None:
    with pytest.raises(StateError, match="register"):
        plausibility.decode(value)
