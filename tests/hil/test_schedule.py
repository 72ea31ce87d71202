"""A replay's times come from curve, speed and devices."""

import pytest
from wattle_hil.curves.curve import UW_PER_W, Curve, StepSeries
from wattle_hil.errors import ScheduleError
from wattle_hil.runs.schedule import schedule

T0_MS = 1_170_288_000_000 + 3_000
LENGTH_MS = 620_500


def curve() -> Curve:
    series = StepSeries([T0_MS], [1_000 * UW_PER_W], T0_MS + LENGTH_MS)
    return Curve("load.csv", 1_000, series)


@pytest.mark.parametrize(
    ("speed", "devices", "interval_s"),
    [(1, 1, 1), (10, 1, 10), (60, 1, 60), (66, 1, 120), (600, 1, 600), (10, 4, 20)],
)
def test_the_grid_is_the_shortest_round_one_that_the_devices_allow(
    speed: int, devices: int, interval_s: int
) -> None:
    assert schedule(curve(), speed, devices, 5.0).interval_ms == interval_s * 1_000


@pytest.mark.parametrize("speed", [1, 10, 60, 600, 3_600])
def test_the_curve_lies_between_slots_whatever_their_lateness(speed: int) -> None:
    plan = schedule(curve(), speed, 1, 5.0)
    assert plan.first_slot_ms % plan.interval_ms == plan.last_slot_ms % plan.interval_ms == 0
    assert plan.first_slot_ms + 3 * plan.interval_ms + plan.lateness_ms <= T0_MS
    assert plan.last_slot_ms - plan.interval_ms >= T0_MS + LENGTH_MS
    assert plan.begin_ms == plan.first_slot_ms - 5_000 * speed
    assert plan.end_ms > plan.last_slot_ms


def test_a_chosen_interval_is_kept_or_refused() -> None:
    assert schedule(curve(), 10, 1, 5.0, interval_s=15).interval_ms == 15_000
    with pytest.raises(ScheduleError, match=r"5 s at speed 10 is 500 ms of real time"):
        schedule(curve(), 10, 1, 5.0, interval_s=5)
    with pytest.raises(ScheduleError, match="longer than the longest"):
        schedule(curve(), 86_400, 1, 5.0)


def test_the_length_in_real_time_follows_from_the_speed() -> None:
    plan = schedule(curve(), 10, 1, 5.0)
    assert plan.real_s == pytest.approx((plan.end_ms - plan.begin_ms) / 10_000)
    assert 65 < plan.real_s < 85
