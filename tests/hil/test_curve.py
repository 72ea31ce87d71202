"""The integral of a load curve, against a slow twin that adds up fractions."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_hil.curves.curve import NJ_PER_WH, NOMINAL_VOLTAGE_MV, Curve, StepSeries, iso_utc
from wattle_hil.errors import CurveError

T0_MS = 1_170_288_000_000

Steps = list[tuple[int, int]]
# (length in ms, power in uW): from 1 ms to an hour, up to 100 kW both ways.
STEPS = st.lists(
    st.tuples(st.integers(1, 3_600_000), st.integers(-(10**11), 10**11)), min_size=1, max_size=40
)


def series_of(steps: Steps) -> StepSeries:
    times_ms = [T0_MS]
    for length_ms, _ in steps:
        times_ms.append(times_ms[-1] + length_ms)
    return StepSeries(times_ms[:-1], [value for _, value in steps], times_ms[-1])


def twin_energy_wh(steps: Steps, from_ms: int, to_ms: int, sign: int) -> Fraction:
    """Adds watts times hours, step by step, of the steps whose power has this sign."""
    at_ms, total = T0_MS, Fraction(0)
    for length_ms, power_uw in steps:
        overlap_ms = min(to_ms, at_ms + length_ms) - max(from_ms, at_ms)
        if overlap_ms > 0 and power_uw * sign > 0:
            total += Fraction(abs(power_uw), 10**6) * Fraction(overlap_ms, 3_600_000)
        at_ms += length_ms
    return total


@given(STEPS, st.data())
def test_integral_is_exact_for_import_and_export_in_any_interval(
    steps: Steps, data: st.DataObject
) -> None:
    span_ms = sum(length_ms for length_ms, _ in steps)
    # Also intervals that begin before the curve and end after it.
    moment = st.integers(T0_MS - 1_000, T0_MS + span_ms + 1_000)
    from_ms, to_ms = sorted([data.draw(moment), data.draw(moment)])
    energy = Curve("twin", 1_000, series_of(steps)).energy(from_ms, to_ms)
    assert Fraction(energy.import_nj, NJ_PER_WH) == twin_energy_wh(steps, from_ms, to_ms, 1)
    assert Fraction(energy.export_nj, NJ_PER_WH) == twin_energy_wh(steps, from_ms, to_ms, -1)


@given(STEPS, st.data())
def test_energies_of_adjoining_intervals_add_up(steps: Steps, data: st.DataObject) -> None:
    series = series_of(steps)
    marks = sorted(
        data.draw(st.lists(st.integers(T0_MS, series.end_ms), min_size=3, max_size=3), "marks")
    )
    first, second = series.integral(marks[0], marks[1]), series.integral(marks[1], marks[2])
    whole = series.integral(marks[0], marks[2])
    assert (first[0] + second[0], first[1] + second[1]) == whole


def test_a_value_holds_from_its_time_until_the_next_and_ends_with_the_series() -> None:
    series = StepSeries([T0_MS, T0_MS + 10], [5, -7], T0_MS + 30)
    at = [T0_MS - 1, T0_MS, T0_MS + 9, T0_MS + 10, T0_MS + 29, T0_MS + 30]
    assert [series.value_at(moment_ms) for moment_ms in at] == [0, 5, 5, -7, -7, 0]


def test_a_year_of_ten_kilowatts_is_exact_beyond_64_bits() -> None:
    year_ms = 365 * 86_400_000
    curve = Curve("year", 1_000, StepSeries([T0_MS], [10**10], T0_MS + year_ms))
    assert curve.energy(T0_MS, T0_MS + year_ms).import_nj == 87_600_000 * NJ_PER_WH


def test_reactive_power_and_voltage_have_defaults_where_the_source_has_none() -> None:
    active = StepSeries([T0_MS], [10**9], T0_MS + 1_000)
    bare = Curve("bare", 1_000, active)
    assert bare.reactive_power_uvar(T0_MS) == 0
    assert bare.reactive_energy(T0_MS, T0_MS + 1_000).import_nj == 0
    assert bare.phase_voltage_mv(T0_MS) == NOMINAL_VOLTAGE_MV
    volts = StepSeries([T0_MS], [241_060], T0_MS + 1_000)
    full = Curve("full", 1_000, active, StepSeries([T0_MS], [-3], T0_MS + 1_000), volts)
    assert full.reactive_power_uvar(T0_MS) == -3
    assert full.reactive_energy(T0_MS, T0_MS + 1_000).export_nj == 3_000
    assert full.phase_voltage_mv(T0_MS) == 241_060
    assert full.phase_voltage_mv(T0_MS + 1_000) == NOMINAL_VOLTAGE_MV


@pytest.mark.parametrize(
    ("times_ms", "values", "end_ms", "complaint"),
    [
        ([], [], 5, "0 times for 0 values"),
        ([1, 2], [1], 5, "2 times for 1 values"),
        ([1_000, 1_000], [1, 1], 5_000, "must rise"),
        ([2_000, 1_000], [1, 1], 5_000, "must rise"),
        ([1_000], [1], 1_000, "must rise"),
    ],
)
def test_steps_that_do_not_fit_together_are_refused(
    times_ms: list[int], values: list[int], end_ms: int, complaint: str
) -> None:
    with pytest.raises(CurveError, match=complaint):
        StepSeries(times_ms, values, end_ms)


def test_an_interval_turned_round_is_refused() -> None:
    with pytest.raises(CurveError, match="expected to >= from"):
        StepSeries([T0_MS], [1], T0_MS + 5).integral(T0_MS + 2, T0_MS + 1)


def test_times_are_named_in_utc() -> None:
    assert iso_utc(T0_MS) == "2007-02-01T00:00:00Z"
    assert iso_utc(T0_MS + 7) == "2007-02-01T00:00:00.007Z"
