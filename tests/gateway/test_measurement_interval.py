"""What is kept of an interval's readings (DEMAND_RESPONSE.md, D6, D7)."""

from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.contracts import classes
from wattle_gateway.contracts.measurement.interval import Interval, Intervals, RegisterReading
from wattle_testkit.alliance import reading
from wattle_wire.sample import Reading

LENGTH_MS = 900_000
BEGIN_MS = 1_700_000_100_000
assert BEGIN_MS % LENGTH_MS == 0


def intervals(*readings: Reading, verdict: int = 0) -> Intervals:
    found = Intervals(LENGTH_MS)
    for one in readings:
        found.add(one, verdict)
    return found


def opening(*readings: Reading) -> RegisterReading | None:
    return intervals(*readings).opening(BEGIN_MS)


def test_the_registers_nearest_to_the_beginning_open_an_interval() -> None:
    before, after = reading(BEGIN_MS - 4_000, ei=7), reading(BEGIN_MS + 3_000, ei=8)
    assert opening(before, after) == RegisterReading(BEGIN_MS + 3_000, 8, None)
    assert opening(before) == RegisterReading(BEGIN_MS - 4_000, 7, None)


def test_of_two_equally_near_the_earlier_opens() -> None:
    before, after = reading(BEGIN_MS - 4_000, ei=7), reading(BEGIN_MS + 4_000, ei=8)
    assert opening(before, after) == opening(after, before)
    assert opening(after, before) == RegisterReading(BEGIN_MS - 4_000, 7, None)


def test_a_reading_further_than_half_an_interval_opens_nothing() -> None:
    assert opening(reading(BEGIN_MS + LENGTH_MS // 2, ei=7)) is not None
    assert opening(reading(BEGIN_MS + LENGTH_MS // 2 + 1, ei=7)) is None


def test_a_reading_with_a_failed_register_opens_nothing() -> None:
    assert opening(reading(BEGIN_MS, status="E", ei=7, ee="F")) is None
    assert opening(reading(BEGIN_MS, p=5)) is None


def test_the_end_belongs_to_the_next_interval() -> None:
    found = intervals(
        reading(BEGIN_MS, p=10),
        reading(BEGIN_MS + LENGTH_MS - 1, p=-30),
        reading(BEGIN_MS + LENGTH_MS, p=99),
    )
    row = found.get(BEGIN_MS)
    assert (row.count, row.sum_dw, row.low_dw, row.high_dw) == (2, -20, -30, 10)
    assert found.get(row.end_ms).count == 1


def test_of_an_implausible_sample_only_the_classes_stay() -> None:
    found = intervals(reading(BEGIN_MS, ei=7, p=5), verdict=classes.DECREASING | classes.LATE)
    assert found.get(BEGIN_MS) == Interval(
        BEGIN_MS, LENGTH_MS, verdict=classes.DECREASING | classes.LATE
    )
    assert found.rows() == [found.get(BEGIN_MS)]


def test_a_mark_of_another_counter_is_kept_with_its_time() -> None:
    times = (BEGIN_MS + 5, BEGIN_MS + 2, BEGIN_MS + 9)
    found = intervals(*(reading(at_ms, status="X", ei=1) for at_ms in times))
    assert found.get(BEGIN_MS).restarts == (BEGIN_MS + 2, BEGIN_MS + 9)


READINGS = st.lists(
    st.builds(
        lambda at, status, values: reading(BEGIN_MS + at, status=status, **values),
        st.integers(-3, 3).map(lambda step: step * LENGTH_MS // 4),
        st.sampled_from("GXOE"),
        st.dictionaries(
            st.sampled_from(["ei", "ee", "p"]), st.integers(-5, 5) | st.just("F"), min_size=1
        ),
    ),
    max_size=8,
)


@given(READINGS, st.randoms())
def test_the_order_of_arrival_does_not_matter(readings: list[Reading], random: object) -> None:
    verdicts = [classes.LATE, classes.FORKED, 0, classes.FAILED]
    arrivals = [(one, verdicts[at % 4]) for at, one in enumerate(readings)]
    in_order = Intervals(LENGTH_MS)
    for one, verdict in arrivals:
        in_order.add(one, verdict)
    random.shuffle(arrivals)  # type: ignore[attr-defined]
    shuffled = Intervals(LENGTH_MS, in_order.rows()[:0])
    for one, verdict in arrivals:
        shuffled.add(one, verdict)
    assert shuffled.rows() == in_order.rows()
    assert Intervals(LENGTH_MS, in_order.rows()).rows() == in_order.rows()
