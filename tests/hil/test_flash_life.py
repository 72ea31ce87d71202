"""What `make bench` says of the outbox: how long it holds, how long flash stands it."""

import pytest
from wattle_hil.bench.flash import (
    ERASE_CYCLES,
    YEAR_H,
    Duty,
    FlashCost,
    capacity,
    flash_cost,
    outage_hours_a_year,
)
from wattle_hil.bench.text import LIFE_YEARS
from wattle_meter.sampling import GATHER_READINGS

# What firmware/DECISIONS.md states.
HELD_S_MIN = 2 * 3_600
OUTAGE_H_A_YEAR = 1_000


def test_two_hours_at_one_hertz_fit_into_a_megabyte() -> None:
    held = capacity(GATHER_READINGS)
    assert held.seconds == held.samples * GATHER_READINGS
    assert held.seconds >= HELD_S_MIN
    assert held.sample_bytes > 1_600  # with all that a one-phase device gives
    assert held.samples * held.flash_bytes_each <= 1 << 20


def test_samples_that_are_final_in_time_never_reach_the_flash() -> None:
    cost = flash_cost(Duty(1, 1, 1, 8))
    assert (cost.appends, cost.programs, cost.erases, cost.dropped) == (0, 0, 0, 0)


def test_flash_outlives_the_meter_whatever_the_link_does() -> None:
    hours = 6
    late, none = flash_cost(Duty(hours, 1, 1, 20)), flash_cost(Duty(hours, 1, 10, None))
    assert late.dropped == 0
    # At 4 kB what waits is written: eleven samples of 0.4 kB at once.
    assert hours * 3_600 / 12 <= late.appends <= hours * 3_600 / 10
    assert none.appends == hours * 3_600 / 10
    assert none.erases > none.appends
    # Wear levelling: the worst block bears little more than its share of 512.
    assert none.erases_of_one_block_max < 8 * none.erases / 512
    assert outage_hours_a_year(none, hours, LIFE_YEARS) >= OUTAGE_H_A_YEAR
    assert outage_hours_a_year(late, hours, LIFE_YEARS) >= OUTAGE_H_A_YEAR


@pytest.mark.parametrize(
    ("erases", "hours", "hours_a_year"),
    [(0, 1, YEAR_H), (1, 1, YEAR_H), (10, 1, 1_000), (49, 24, 4_897), (ERASE_CYCLES, 10, 1)],
)
def test_the_worst_block_says_how_long_flash_lasts(
    erases: int, hours: int, hours_a_year: int
) -> None:
    cost = FlashCost(0, 0, 10 * erases, erases, 0)
    assert outage_hours_a_year(cost, hours, 10) == hours_a_year
