"""Counters, their split over phases, and what a float32 register can show of them."""

import math
import struct
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_hil.curves.curve import NJ_PER_WH
from wattle_hil.devices.energy_counter import (
    MAX_COUNTER_WH,
    EnergyCounter,
    PhaseSplit,
    effective_resolution_mwh,
    kwh_float32,
    tolerance_wh,
)
from wattle_hil.errors import DeviceError

SHARES = st.tuples(st.integers(0, 1_000), st.integers(0, 1_000)).map(
    lambda cut: (min(cut), max(cut) - min(cut), 1_000 - max(cut))
)
COUNTS_WH = st.integers(0, MAX_COUNTER_WH)


def shown_kwh(energy_wh: int) -> Fraction:
    (value,) = struct.unpack(">f", kwh_float32(energy_wh))
    return Fraction(value)


def test_a_counter_counts_whole_steps_and_keeps_the_rest() -> None:
    counter = EnergyCounter(initial_wh=15, resolution_wh=10)
    # 15 Wh at the start are one step and a half.
    assert [counter.steps(wh * NJ_PER_WH) for wh in (0, 4, 5, 14, 15, 1_000)] == [
        1,
        1,
        2,
        2,
        3,
        101,
    ]
    assert counter.steps(5 * NJ_PER_WH - 1) == 1


@given(SHARES, st.integers(0, 5_000))
def test_phase_steps_add_up_and_stay_within_a_step_of_their_share(
    shares: tuple[int, ...], total: int
) -> None:
    parts = PhaseSplit(shares).steps(total)
    assert sum(parts) == total
    for share, part in zip(shares, parts, strict=True):
        assert abs(Fraction(total * share, 1_000) - part) <= 1


@given(SHARES)
def test_no_phase_counter_ever_falls(shares: tuple[int, ...]) -> None:
    split = PhaseSplit(shares)
    history = [split.steps(total) for total in range(2_100)]
    for earlier, later in pairwise(history):
        assert all(after >= before for before, after in zip(earlier, later, strict=True))


@given(SHARES, st.integers(-(10**12), 10**12))
def test_phase_powers_add_up(shares: tuple[int, ...], total_uw: int) -> None:
    assert sum(PhaseSplit(shares).power(total_uw)) == total_uw


@given(COUNTS_WH, st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from([1, 10, 100]))
def test_readings_differ_from_the_true_energy_by_less_than_the_tolerance(
    initial_wh: int, flowed_mwh: int, more_mwh: int, resolution_wh: int
) -> None:
    counter = EnergyCounter(initial_wh, resolution_wh)
    nj_per_mwh = NJ_PER_WH // 1_000

    def reading_wh(energy_mwh: int) -> int:
        counted_wh = counter.steps(energy_mwh * nj_per_mwh) * resolution_wh
        return round(shown_kwh(counted_wh) * 1_000)

    difference_wh = reading_wh(flowed_mwh + more_mwh) - reading_wh(flowed_mwh)
    highest_wh = initial_wh + (flowed_mwh + more_mwh) // 1_000 + 1
    error_wh = abs(difference_wh - Fraction(more_mwh, 1_000))
    assert error_wh < tolerance_wh(highest_wh, resolution_wh)


@given(COUNTS_WH)
def test_effective_resolution_is_the_distance_of_neighbouring_singles(energy_wh: int) -> None:
    (bits,) = struct.unpack(">I", kwh_float32(max(energy_wh // 1_000, 1) * 1_000))
    here, above = (
        Fraction(struct.unpack(">f", struct.pack(">I", each))[0]) for each in (bits, bits + 1)
    )
    spacing_mwh = (above - here) * 1_000_000
    resolution_mwh = effective_resolution_mwh(energy_wh, 1)
    assert resolution_mwh == max(math.ceil(spacing_mwh), 1_000)


@pytest.mark.parametrize(
    ("energy_wh", "resolution_mwh", "tolerated_wh"),
    [
        (0, 1_000, 1),
        (16_383_999, 1_000, 1),
        (16_384_000, 1_954, 3),
        (32_768_000, 3_907, 5),
        (MAX_COUNTER_WH, 62_500, 63),
    ],
)
def test_a_single_loses_watt_hours_from_16384_kwh_on(
    energy_wh: int, resolution_mwh: int, tolerated_wh: int
) -> None:
    assert effective_resolution_mwh(energy_wh, 1) == resolution_mwh
    assert tolerance_wh(energy_wh, 1) == tolerated_wh


def test_a_coarse_counter_hides_the_coarseness_of_the_single() -> None:
    assert effective_resolution_mwh(16_384_000, 10) == 10_000
    assert tolerance_wh(1_000, 10) == 10


@pytest.mark.parametrize(
    ("initial_wh", "resolution_wh"), [(-1, 1), (MAX_COUNTER_WH + 1, 1), (0, 0)]
)
def test_a_counter_no_device_has_is_refused(initial_wh: int, resolution_wh: int) -> None:
    with pytest.raises(DeviceError, match="Wh, expected"):
        EnergyCounter(initial_wh, resolution_wh)


@pytest.mark.parametrize("shares", [(999,), (500, 501), (1_500, -500, 0)])
def test_shares_that_are_not_the_whole_are_refused(shares: tuple[int, ...]) -> None:
    with pytest.raises(DeviceError, match="expected 1000 per mille"):
        PhaseSplit(shares)
