"""The energy of an interval (DEMAND_RESPONSE.md, D3, D9 to D11)."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.contracts.measurement.energy import (
    INTEGRATED,
    REGISTER,
    UNMEASURED,
    Energy,
    Metering,
    energy,
)
from wattle_gateway.contracts.measurement.interval import Intervals
from wattle_gateway.contracts.measurement.primary import Ratio, divided
from wattle_testkit.alliance import reading

LENGTH_MS = 900_000
BEGIN_MS = 1_700_006_400_000  # 00:00 UTC
PERIOD_MS = 10_000
DAY_MS = 86_400_000
STEP_MWH = 25  # 0.1 W over an interval
assert BEGIN_MS % DAY_MS == 0


def metering(ratio: Ratio | None = None, resolution_wh: int = 1) -> Metering:
    return Metering(ratio or Ratio(), PERIOD_MS, resolution_wh)


def counted(*registers: tuple[int, int]) -> Intervals:
    """(offset from BEGIN_MS, `ei`) of readings."""
    found = Intervals(LENGTH_MS)
    for offset_ms, imported_wh in registers:
        found.add(reading(BEGIN_MS + offset_ms, ei=imported_wh), 0)
    return found


def powered(intervals: Intervals, number: int, power_dw: int, count: int = 90) -> None:
    """Powers without registers, every sampling period of interval `number`."""
    for step in range(count):
        at_ms = BEGIN_MS + number * LENGTH_MS + step * PERIOD_MS
        intervals.add(reading(at_ms, p=power_dw), 0)


def test_a_register_that_resolves_the_interval_is_its_energy() -> None:
    found = energy(counted((0, 1_000), (LENGTH_MS, 1_150)), BEGIN_MS, metering())
    assert found == Energy(REGISTER, 150_000, 1_000)


def test_what_flowed_between_reading_and_boundary_is_uncertainty() -> None:
    found = energy(counted((-9_000, 1_000), (LENGTH_MS + 9_000, 1_150)), BEGIN_MS, metering())
    assert found == Energy(REGISTER, 150_000, 1_000 + 150_000 * 18 // 918)


def test_a_boundary_more_than_a_sampling_period_off_is_none() -> None:
    for registers in (((-10_001, 0), (LENGTH_MS, 150)), ((0, 0), (LENGTH_MS + 10_001, 150))):
        assert energy(counted(*registers), BEGIN_MS, metering()) == Energy(UNMEASURED)
    assert energy(counted((-10_000, 0), (LENGTH_MS, 150)), BEGIN_MS, metering()).how == REGISTER


@pytest.mark.parametrize("lacking", [0, LENGTH_MS])
def test_without_a_boundary_reading_powers_do_not_measure_either(lacking: int) -> None:
    """All powers are there, and what flowed at the boundary nobody has read off the register."""
    near = {0: 10_001, LENGTH_MS: LENGTH_MS - 10_001}
    at_ms = [near[lacking], LENGTH_MS - lacking]
    found = counted(*((offset_ms, 0) for offset_ms in at_ms))
    powered(found, 0, 4_000)
    assert energy(found, BEGIN_MS, metering()) == Energy(UNMEASURED)
    found.add(reading(BEGIN_MS + lacking + (10_000 if lacking == 0 else -10_000), ei=0), 0)
    assert energy(found, BEGIN_MS, metering()) == Energy(INTEGRATED, 100_000, STEP_MWH)


def test_export_counts_against_import_and_the_ratio_is_applied() -> None:
    found = Intervals(LENGTH_MS)
    found.add(reading(BEGIN_MS, ei=10, ee=700), 0)
    found.add(reading(BEGIN_MS + LENGTH_MS, ei=30, ee=1_000), 0)
    ratio = Ratio.of((200, 5), (1, 1), 1)
    assert energy(found, BEGIN_MS, metering(ratio)).energy_mwh == -280 * 40 * 1_000
    assert energy(found, BEGIN_MS, metering(Ratio(1, 1, -1))).energy_mwh == 280_000


def test_registers_that_come_and_go_are_not_compared() -> None:
    found = Intervals(LENGTH_MS)
    found.add(reading(BEGIN_MS, ei=10, ee=700), 0)
    found.add(reading(BEGIN_MS + LENGTH_MS, ei=300), 0)
    assert energy(found, BEGIN_MS, metering()).how == UNMEASURED


@pytest.mark.parametrize("at_ms", [1, LENGTH_MS, LENGTH_MS + 5_000])
def test_another_counter_between_the_boundaries_is_no_difference(at_ms: int) -> None:
    found = Intervals(LENGTH_MS)
    found.add(reading(BEGIN_MS, ei=10), 0)
    found.add(reading(BEGIN_MS + at_ms, status="X", ei=500), 0)
    found.add(reading(BEGIN_MS + LENGTH_MS + 5_000, status="X" if at_ms > 1 else "G", ei=500), 0)
    assert energy(found, BEGIN_MS, metering()).how == UNMEASURED


def test_a_counter_exchanged_before_the_opening_reading_is_no_matter() -> None:
    found = Intervals(LENGTH_MS)
    found.add(reading(BEGIN_MS, status="X", ei=10), 0)
    found.add(reading(BEGIN_MS + LENGTH_MS, ei=500), 0)
    assert energy(found, BEGIN_MS, metering()).how == REGISTER


def test_what_is_less_than_a_milliwatt_hour_divides_nothing() -> None:
    """Steps of the register that vanish on the primary side: nothing, not an error."""
    found = counted((0, 0), (LENGTH_MS, 0), (2 * LENGTH_MS, 0))
    powered(found, 0, 0)
    powered(found, 1, 0)
    tiny = metering(Ratio(1, 10**9, 1))
    assert energy(found, BEGIN_MS, tiny) == Energy(INTEGRATED, 0, 0)
    assert tiny.resolution_mwh == 1


def test_a_coarse_register_gives_way_to_the_integral() -> None:
    found = counted((0, 0), (LENGTH_MS, 90))
    powered(found, 0, 4_000)  # 400 W: 100 Wh
    assert energy(found, BEGIN_MS, metering()) == Energy(INTEGRATED, 100_000, STEP_MWH)


def test_the_integral_is_scaled_to_the_shortest_period_that_the_register_resolves() -> None:
    # 60 Wh and 120 Wh by power, 200 Wh by the register over both.
    found = counted((0, 0), (LENGTH_MS, 66), (2 * LENGTH_MS, 200))
    powered(found, 0, 2_400)
    powered(found, 1, 4_800)
    first = energy(found, BEGIN_MS, metering())
    assert (first.how, first.energy_mwh) == (INTEGRATED, 66_666)
    # off by the correction and by its share of a register's step
    assert first.uncertainty_mwh == STEP_MWH + 6_666 + 333
    second = energy(found, BEGIN_MS + LENGTH_MS, metering())
    # the second is 134 Wh by its own register, which resolves it
    assert second == Energy(REGISTER, 134_000, 1_000)


def test_a_period_does_not_cross_midnight() -> None:
    last = DAY_MS // LENGTH_MS - 1
    found = counted((last * LENGTH_MS, 0), (DAY_MS, 90), (DAY_MS + LENGTH_MS, 300))
    powered(found, last, 4_000)
    powered(found, last + 1, 9_000)
    measured = energy(found, BEGIN_MS + last * LENGTH_MS, metering())
    assert measured == Energy(INTEGRATED, 100_000, STEP_MWH)


def test_too_few_powers_are_unmeasured_never_zero() -> None:
    found = Intervals(LENGTH_MS)
    powered(found, 0, 0, count=80)
    assert energy(found, BEGIN_MS, metering()) == Energy(UNMEASURED)
    powered(found, 1, 0, count=81)
    measured = energy(found, BEGIN_MS + LENGTH_MS, metering())
    assert measured == Energy(INTEGRATED, 0, STEP_MWH)
    assert energy(found, BEGIN_MS + 2 * LENGTH_MS, metering()) == Energy(UNMEASURED)


@given(
    st.lists(st.integers(100, 10**9), min_size=2, max_size=12),
    st.integers(1, 10**4),
    st.integers(1, 10**4),
    st.sampled_from([1, -1]),
)
def test_intervals_telescope(
    steps: list[int], numerator: int, denominator: int, orient: int
) -> None:
    ratio = Ratio(numerator, denominator, orient)
    registers, total = [(0, 5)], 5
    for number, step in enumerate(steps, 1):
        total += step * (denominator // numerator + 1)
        registers.append((number * LENGTH_MS, total))
    found = counted(*registers)
    measured = [
        energy(found, BEGIN_MS + number * LENGTH_MS, metering(ratio))
        for number in range(len(steps))
    ]
    parts = [one.energy_mwh for one in measured if one.how == REGISTER]
    assert len(parts) == len(steps)
    assert sum(part or 0 for part in parts) == ratio.energy_mwh(total) - ratio.energy_mwh(5)


@given(
    st.integers(0, 20_000),
    st.integers(0, 20_000),
    st.integers(1, LENGTH_MS - PERIOD_MS),
    st.integers(PERIOD_MS, LENGTH_MS),
    st.sampled_from([1, 10, 100]),
)
def test_what_really_flowed_lies_within_the_uncertainty(
    low_w: int, high_w: int, rise_ms: int, for_ms: int, resolution_wh: int
) -> None:
    """A load that goes up and down once and stays where it is for a sampling period at least; its
    register shows whole steps."""
    fall_ms = min(rise_ms + for_ms, LENGTH_MS)

    def power_w(at_ms: int) -> int:
        return high_w if rise_ms <= at_ms < fall_ms else low_w

    def used_wh(at_ms: int) -> Fraction:
        high_ms = max(0, min(at_ms, fall_ms) - rise_ms)
        return Fraction(low_w * (at_ms - high_ms) + high_w * high_ms, 3_600_000)

    found = Intervals(LENGTH_MS)
    for at_ms in range(0, LENGTH_MS + 1, PERIOD_MS):
        shown = int(used_wh(at_ms)) // resolution_wh * resolution_wh
        found.add(reading(BEGIN_MS + at_ms, ei=shown, p=power_w(at_ms) * 10), 0)
    measured = energy(found, BEGIN_MS, metering(resolution_wh=resolution_wh))
    assert measured.energy_mwh is not None
    assert measured.uncertainty_mwh is not None
    off_mwh = abs(measured.energy_mwh - used_wh(LENGTH_MS) * 1_000)
    assert off_mwh <= measured.uncertainty_mwh + 1  # rounding toward zero


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**12))
def test_division_rounds_toward_zero(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    assert divided(numerator, denominator) == int(exact)
