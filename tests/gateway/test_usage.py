"""What the state keeps of an adjustable point's use (DEMAND_RESPONSE.md, D6 to D13)."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wattle_gateway.contracts import classes
from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.measurement.energy import (
    INTEGRATED,
    REGISTER,
    UNMEASURED,
    Energy,
    Metering,
    energies,
)
from wattle_gateway.contracts.measurement.interval import Intervals
from wattle_gateway.contracts.state import key
from wattle_gateway.contracts.usage import rows
from wattle_gateway.ledger.market import Market, Weights
from wattle_testkit.alliance import epoch_of, reading
from wattle_testkit.metered_point import MeteredPoint, market_epoch
from wattle_wire import cbor
from wattle_wire.sample import Reading

DAY_MS = 86_400_000
MINUTE_MS = 60_000
LENGTH_MS = 900_000
BEGIN_MS = 1_700_006_400_000  # 00:00 UTC
assert BEGIN_MS % DAY_MS == 0
EPOCH = market_epoch()
FINE_MS = EPOCH.constants.market.fine_ms
SETTLED_MS = FINE_MS + 3_600_000  # every meter has settled its day by then


def days(point: MeteredPoint, count: int, *, every_ms: int = 5 * MINUTE_MS) -> None:
    """So many days at 600 W from BEGIN_MS on, each reading committed a second later."""
    for at_ms in range(BEGIN_MS, BEGIN_MS + count * DAY_MS, every_ms):
        imported_wh = (at_ms - BEGIN_MS) // 6_000  # 600 W: 1 Wh in 6 s
        point.take([reading(at_ms, ei=imported_wh, p=6_000)], at_ms + 1_000)


def test_an_interval_is_in_the_state_and_read_off_the_register() -> None:
    point = MeteredPoint(EPOCH)
    for minute in range(16):
        at_ms = BEGIN_MS + minute * MINUTE_MS
        point.take([reading(at_ms, ei=1_000 + 10 * minute, p=6_000)], at_ms + 500)
    assert point.tables() == {"usage": 2, "day": 0, "span": 1}
    row = point.rows[key("usage", point.meter.kid, 1, BEGIN_MS // 1000)]
    first, last = [0, 1_000, None], [14 * MINUTE_MS, 1_140, None]
    assert cbor.decode(row) == [first, last, 15, 90_000, 6_000, 6_000, 0, None]
    (one,) = point.measured(BEGIN_MS, BEGIN_MS + LENGTH_MS)
    assert (one.begin_ms, one.energy) == (BEGIN_MS, Energy(REGISTER, 150_000, 1_000))
    assert one.classes == frozenset()
    assert point.series(BEGIN_MS, BEGIN_MS + LENGTH_MS).energies_mj == {
        BEGIN_MS // 1000: 150 * 3_600_000
    }


def test_only_whole_intervals_are_told_and_what_nothing_is_known_of_is_unmeasured() -> None:
    found = MeteredPoint(EPOCH).measured(BEGIN_MS - 1, BEGIN_MS + 2 * LENGTH_MS + 1)
    assert [one.begin_ms for one in found] == [BEGIN_MS, BEGIN_MS + LENGTH_MS]
    assert {one.energy for one in found} == {Energy(UNMEASURED)}
    assert {one.classes for one in found} == {frozenset({"gap", "unmeasured"})}


def test_a_point_that_cannot_be_called_has_no_rows() -> None:
    point = MeteredPoint(EPOCH, capacity_w=0)
    point.take([reading(BEGIN_MS, ei=1)], BEGIN_MS)
    assert not point.rows


def test_rules_2_keep_nothing() -> None:
    point = MeteredPoint(EPOCH)
    point.epoch = epoch_of(rules=2)
    point.take([reading(BEGIN_MS, ei=1)], BEGIN_MS)
    assert not point.rows


def test_of_an_implausible_sample_only_the_class_stays() -> None:
    point = MeteredPoint(EPOCH)
    point.take([reading(BEGIN_MS, ei=1, p=10)], BEGIN_MS, classes.FORKED)
    (one,) = point.measured(BEGIN_MS, BEGIN_MS + LENGTH_MS)
    assert (one.energy, one.classes) == (
        Energy(UNMEASURED),
        {"forked", "gap", "unmeasured"},
    )


def test_a_reading_from_beyond_the_commit_makes_no_row() -> None:
    point = MeteredPoint(EPOCH)
    future_ms = EPOCH.constants.future_ms
    point.take([reading(BEGIN_MS + future_ms + 1, ei=1)], BEGIN_MS, classes.FUTURE)
    assert point.tables()["usage"] == 0
    point.take([reading(BEGIN_MS + future_ms, ei=1)], BEGIN_MS)
    assert point.tables()["usage"] == 1


def test_an_interval_of_a_class_without_weight_makes_no_baseline() -> None:
    weights = tuple(
        (name, Weights(0, 1, 1, 1) if name == "late" else row) for name, row in Market().weights
    )
    epoch = market_epoch(weights=weights)  # type: ignore[arg-type]
    point = MeteredPoint(epoch)
    for minute in range(31):
        at_ms = BEGIN_MS + minute * MINUTE_MS
        verdict = classes.LATE if minute == 20 else 0
        point.take([reading(at_ms, ei=10 * minute, p=6_000)], at_ms, verdict)
    found = point.series(BEGIN_MS, BEGIN_MS + 2 * LENGTH_MS)
    assert len(found.energies_mj) == 2
    assert found.substituted == {(BEGIN_MS + LENGTH_MS) // 1000}
    assert (
        not MeteredPoint(EPOCH, rows=point.rows)
        .series(BEGIN_MS, BEGIN_MS + 2 * LENGTH_MS)
        .substituted
    )


def samples(count: int) -> st.SearchStrategy[list[tuple[list[Reading], int]]]:
    """Readings of a few intervals around midnight, in samples of some verdict."""
    one = st.builds(
        lambda at, status, values: reading(BEGIN_MS + at, status=status, **values),
        st.integers(-8, 8).map(lambda step: step * LENGTH_MS // 4),
        st.sampled_from("GGGX"),
        st.dictionaries(
            st.sampled_from(["ei", "ee", "p"]), st.integers(-9, 900) | st.just("F"), min_size=1
        ),
    )
    verdicts = st.sampled_from([0, 0, classes.LATE, classes.GAP, classes.DECREASING])
    return st.lists(st.tuples(st.lists(one, min_size=1, max_size=3), verdicts), max_size=count)


@settings(deadline=None)
@given(samples(7), st.randoms(use_true_random=False))
def test_the_order_of_samples_does_not_matter(
    arrivals: list[tuple[list[Reading], int]], random: object
) -> None:
    """Whatever arrives while a day is fine makes the same rows, and the same days later."""
    in_order, shuffled = MeteredPoint(EPOCH), MeteredPoint(EPOCH)
    for arrived, verdict in arrivals:
        in_order.take(arrived, BEGIN_MS + DAY_MS, verdict)
    random.shuffle(arrivals)  # type: ignore[attr-defined]
    for place, (arrived, verdict) in enumerate(arrivals):
        shuffled.take(arrived, BEGIN_MS + FINE_MS - len(arrivals) + place, verdict)
    # All are in: the first commit after midnight that settles a day settles the same.
    for point in (in_order, shuffled):
        for later in range(2):
            at_ms = BEGIN_MS + SETTLED_MS
            point.take([reading(at_ms, ei=7)], at_ms + later)
    assert in_order.rows == shuffled.rows


def test_a_late_sample_within_the_time_changes_its_interval_and_a_later_one_does_not() -> None:
    point = MeteredPoint(EPOCH)
    point.take([reading(BEGIN_MS, p=10)], BEGIN_MS)
    end_ms = BEGIN_MS + DAY_MS
    point.take([reading(BEGIN_MS + 1, p=20)], end_ms + FINE_MS - 1)
    row = rows.interval(point.rows, point.meter.kid, 1, BEGIN_MS, LENGTH_MS)
    assert (row.count, row.sum_dw) == (2, 30)
    point.take([reading(BEGIN_MS + 2, p=30)], end_ms + FINE_MS)
    assert rows.interval(point.rows, point.meter.kid, 1, BEGIN_MS, LENGTH_MS) == row
    # And some time later the day is settled: of its fine rows none is left.
    point.take([reading(BEGIN_MS + 2, p=30)], end_ms + SETTLED_MS)
    assert point.tables() == {"usage": 0, "day": 1, "span": 1}


def test_days_are_settled_one_at_a_time_and_say_what_their_intervals_said() -> None:
    point = MeteredPoint(EPOCH)
    days(point, 3)
    told = Metering(point.metering.ratio, 5 * MINUTE_MS)
    fine = point.measured(BEGIN_MS, BEGIN_MS + 3 * DAY_MS, told)
    assert {one.energy.how for one in fine[:-1]} == {REGISTER}
    # Silent for a week: each sample then settles one day.
    late_ms = BEGIN_MS + 10 * DAY_MS
    for settled in range(1, 4):
        point.take([reading(late_ms, ei=1, p=1)], late_ms)
        assert point.tables()["day"] == settled
    # The last interval of the last day stays, for the opening of the next; and the new reading's.
    assert point.tables()["usage"] == 2
    # Settled with the period that the ledger knows: 60 s, so boundary readings are as near as ever.
    assert point.measured(BEGIN_MS, BEGIN_MS + 3 * DAY_MS) == tuple(
        replace(one, classes=one.classes | {"gap"}) for one in fine[:-1]
    ) + (point.measured(BEGIN_MS + 3 * DAY_MS - LENGTH_MS, BEGIN_MS + 3 * DAY_MS))
    # What was silent: nothing, and no row that said so.
    assert {one.energy for one in point.measured(late_ms - DAY_MS, late_ms)} == {Energy(UNMEASURED)}


def test_a_stretch_with_a_day_behind_it_goes_on_to_know_what_opened_it() -> None:
    """The register exchanged in the last interval of a settled day does not count as use."""
    point = MeteredPoint(EPOCH)
    midnight_ms = BEGIN_MS + DAY_MS
    point.take([reading(midnight_ms - 20_000, ei=9_000)], midnight_ms)
    point.take([reading(midnight_ms - 10_000, status="X", ei=500)], midnight_ms)
    point.take([reading(midnight_ms + LENGTH_MS, ei=800)], midnight_ms + LENGTH_MS)
    asked = (midnight_ms, midnight_ms + LENGTH_MS)
    (before,) = point.measured(*asked)
    assert before.energy == Energy(REGISTER, 300_000, 1_000 + 300_000 * 10 // 910)
    point.take([reading(midnight_ms + DAY_MS, ei=900)], midnight_ms + SETTLED_MS)
    assert point.tables()["day"] == 1
    assert point.measured(*asked) == (before,)


def test_registers_on_both_sides_measure_an_interval_without_readings() -> None:
    point = MeteredPoint(market_epoch(interval_s=60))
    begin_ms = BEGIN_MS + 7 * MINUTE_MS
    for at_ms, imported_wh in ((begin_ms - 1_000, 1_000), (begin_ms + 61_000, 1_200)):
        point.take([reading(at_ms, ei=imported_wh)], at_ms)
    asked = (begin_ms - MINUTE_MS, begin_ms + 3 * MINUTE_MS)
    before = point.measured(*asked)
    assert [one.energy.how for one in before] == [UNMEASURED, REGISTER, UNMEASURED, UNMEASURED]
    assert before[1].energy == Energy(REGISTER, 200_000, 1_000 + 200_000 * 2 // 62)
    later_ms = BEGIN_MS + DAY_MS + SETTLED_MS
    point.take([reading(later_ms, p=1)], later_ms)
    assert point.tables()["day"] == 1
    assert point.measured(*asked) == before


def test_days_beyond_the_look_back_are_forgotten() -> None:
    epoch = market_epoch(keep_days=5)
    point = MeteredPoint(epoch)
    days(point, 14, every_ms=LENGTH_MS)
    # A day is fine until three days after its end, and one interval stays of the last settled one.
    assert point.tables() == {"usage": 4 * 96 + 1, "day": 5, "span": 1}
    assert not point.series(BEGIN_MS, BEGIN_MS + 5 * DAY_MS).energies_mj
    assert len(point.series(BEGIN_MS + 5 * DAY_MS, BEGIN_MS + 10 * DAY_MS).energies_mj) == 480


@pytest.mark.parametrize("interval_s", [5, 60, 300, 3600])
def test_the_state_measures_what_its_samples_say(interval_s: int) -> None:
    """Fine or settled: the energies of all readings at once, whatever the interval is."""
    length_ms = interval_s * 1000
    point = MeteredPoint(
        market_epoch(interval_s=interval_s, fine_ms=120_000, settle_ms=1_000, dispute_ms=1_000)
    )
    every_ms = length_ms // 5
    told = Metering(point.metering.ratio, 60_000)
    whole = Intervals(length_ms)
    stretch_ms = rows.stretch_ms(point.market)
    begin_ms = BEGIN_MS - 40 * length_ms
    for step in range(400):
        at_ms = begin_ms + step * every_ms
        one = reading(at_ms, ei=step * 7 * every_ms // 4_000, p=(step % 11) * 1_000)
        point.take([one], at_ms)
        whole.add(one, 0)
    end_ms = begin_ms + 80 * length_ms
    expected = energies(whole, range(begin_ms, end_ms, length_ms), told, stretch_ms)
    before = point.measured(begin_ms, end_ms)
    assert [one.energy for one in before] == expected
    assert {energy.how for energy in expected[:-1]} <= {REGISTER, INTEGRATED}
    later_ms = end_ms + 2 * stretch_ms
    for _ in range(5):
        point.take([reading(later_ms, p=1)], later_ms)
    stretches = 2 * -(-40 * length_ms // stretch_ms)
    assert point.tables() == {"usage": 1, "day": stretches, "span": 1}
    assert point.measured(begin_ms, end_ms) == before


def test_meters_settle_their_days_one_after_the_other() -> None:
    """Each at its own time of an hour, so that no commit has them all."""
    settled_ms = set()
    for number in range(8):
        point = MeteredPoint(EPOCH)
        point.meter = replace(point.meter, kid=(number * 1_000_003).to_bytes(8, "big"))
        point.take([reading(BEGIN_MS, p=1)], BEGIN_MS)
        for minute in range(61):
            at_ms = BEGIN_MS + DAY_MS + FINE_MS + minute * MINUTE_MS
            point.take([reading(at_ms, p=1)], at_ms)
            if point.tables()["day"]:
                settled_ms.add(at_ms)
                break
    assert len(settled_ms) == 8


def test_another_interval_begins_another_measurement() -> None:
    point = MeteredPoint(EPOCH)
    days(point, 5, every_ms=LENGTH_MS)
    assert point.tables()["day"] == 1
    shorter = MeteredPoint(market_epoch(interval_s=300), rows=point.rows)
    assert shorter.measured(BEGIN_MS + 4 * DAY_MS, BEGIN_MS + 4 * DAY_MS + 300_000)[0].energy == (
        Energy(UNMEASURED)
    )
    now_ms = BEGIN_MS + 5 * DAY_MS
    shorter.take([reading(now_ms, ei=1)], now_ms)
    assert shorter.tables() == {"usage": 1, "day": 0, "span": 1}


HUGE = st.sampled_from([-(2**63), -(10**13), -1, 0, 1, 10**13, 2**63 - 1])


@given(
    st.lists(st.tuples(HUGE, HUGE, HUGE, st.integers(0, 9)), min_size=1, max_size=12),
    st.sampled_from([(1, 1), (2**32 - 1, 1), (1, 2**32 - 1)]),
)
def test_no_reading_is_too_large_for_the_state(
    numbers: list[tuple[int, int, int, int]], ratio: tuple[int, int]
) -> None:
    """Whatever a meter without a clock says: its classes are those that no rating is held
    against."""
    point = MeteredPoint(EPOCH)
    (one,) = point.meter.points
    point.meter = replace(point.meter, points=(replace(one, ct=ratio, vt=ratio),))
    for imported_wh, exported_wh, power_dw, place in numbers:
        at_ms = BEGIN_MS + place * LENGTH_MS // 3
        values = {"ei": imported_wh, "ee": exported_wh, "p": power_dw}
        point.take([reading(at_ms, **values)], BEGIN_MS + DAY_MS, classes.CLOCK_UNSURE)
    point.take([reading(BEGIN_MS + 9 * DAY_MS, p=1)], BEGIN_MS + 9 * DAY_MS)
    point.take([reading(BEGIN_MS + 9 * DAY_MS, p=1)], BEGIN_MS + 9 * DAY_MS)
    assert point.tables()["day"] == 1
    for found in point.measured(BEGIN_MS, BEGIN_MS + DAY_MS):
        for number in (found.energy.energy_mwh, found.energy.uncertainty_mwh):
            assert abs(number or 0) <= 10**15


@pytest.mark.parametrize(
    "value",
    [
        [],
        [[0] * 96] * 3,
        [[0] * 95] * 4,
        [[4] * 96, *[[0] * 96] * 3],
        [[0] * 96, [None] * 96, *[[0] * 96] * 2],
    ],
)
def test_a_damaged_day_is_told(value: object) -> None:
    damaged = {key("day", b"m" * 8, 1, 7): cbor.encode(value)}
    with pytest.raises(StateError, match="day 7 of 6d6d6d6d6d6d6d6d/1"):
        rows.stretch(damaged, b"m" * 8, 1, 7, 96)


@pytest.mark.parametrize("value", [[None] * 7, [[1], None, 0, 0, 0, 0, 0, None], [1, 2, 3]])
def test_other_damaged_rows_are_told(value: object) -> None:
    kid = b"m" * 8
    damaged = dict.fromkeys([key("usage", kid, 1, 0), key("span", kid, 1)], cbor.encode(value))
    with pytest.raises(StateError, match="usage from 0"):
        rows.interval(damaged, kid, 1, 0, LENGTH_MS)
    with pytest.raises(StateError, match="span of 6d6d6d6d6d6d6d6d/1"):
        rows.span(damaged, kid, 1)
