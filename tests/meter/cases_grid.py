"""The sampling grid: no drift, no burst, each slot read or reported exactly once."""

from wattle_meter.grid import MISSED_MAX, Grid

T = 1700000000000  # a multiple of every interval used here


def test_first_slot_is_the_one_that_has_just_begun_or_the_next():
    assert Grid(1000).next(T + 10) == (T, 0, [], 0)
    assert Grid(1000).next(T + 500) == (T, 0, [], 0)
    assert Grid(1000).next(T + 501) == (None, 499, [], 0)


def test_a_slot_is_handed_out_once():
    grid = Grid(1000)
    assert grid.next(T) == (T, 0, [], 0)
    assert grid.next(T) == (None, 1000, [], 0)
    assert grid.next(T + 400) == (None, 600, [], 0)
    assert grid.next(T + 1000) == (T + 1000, 0, [], 0)


def test_late_starts_do_not_move_the_grid():
    grid = Grid(1000)
    slots = []
    now_ms = T
    for lateness_ms in (0, 3, 450, 500, 1, 499):
        slots.append(grid.next(now_ms + lateness_ms)[0])
        now_ms += 1000
    assert slots == [T + at * 1000 for at in range(6)]


def test_a_start_later_than_half_an_interval_leaves_the_slot_unread():
    grid = Grid(1000)
    grid.next(T)
    assert grid.next(T + 1501) == (None, 499, [T + 1000], 0)
    assert grid.next(T + 1900) == (None, 100, [], 0)
    assert grid.next(T + 2000) == (T + 2000, 0, [], 0)


def test_slots_passed_over_are_reported_once():
    grid = Grid(1000)
    grid.next(T)
    assert grid.next(T + 4200) == (T + 4000, 0, [T + 1000, T + 2000, T + 3000], 0)
    assert grid.next(T + 5000) == (T + 5000, 0, [], 0)


def test_a_long_outage_is_listed_up_to_a_limit_and_counted():
    grid = Grid(1000)
    grid.next(T)
    slot, _, missed, more = grid.next(T + 1000 * 1000)
    assert slot == T + 1000 * 1000
    assert missed == [T + at * 1000 for at in range(1, MISSED_MAX + 1)]
    assert more == 999 - MISSED_MAX


def test_a_set_clock_makes_no_burst_and_no_missed_slots():
    grid = Grid(1000)
    grid.next(946684800000)
    grid.clock_was_set()
    assert grid.next(T + 20) == (T, 0, [], 0)
    grid.clock_was_set()
    assert grid.next(T - 7199990) == (T - 7200000, 0, [], 0)
    assert grid.next(T - 7199000) == (T - 7199000, 0, [], 0)


def test_a_clock_set_back_unannounced_does_not_silence_the_meter():
    grid = Grid(1000)
    grid.next(T)
    assert grid.next(T - 3600000) == (T - 3600000, 0, [], 0)


def test_a_clock_set_back_a_little_repeats_no_slot():
    grid = Grid(1000)
    grid.next(T)
    assert grid.next(T - 100) == (None, 100, [], 0)
    assert grid.next(T + 50) == (None, 950, [], 0)
    assert grid.next(T + 1050) == (T + 1000, 0, [], 0)


def test_every_slot_is_read_or_reported_exactly_once():
    grid = Grid(250)
    now_ms, seen = T + 13, []
    for step_ms in (1, 240, 260, 130, 600, 90, 1800, 5, 251, 249, 1000, 125, 126, 124) * 5:
        slot, wait_ms, missed, more = grid.next(now_ms)
        seen += missed
        assert more == 0
        if slot is None:
            assert wait_ms > 0
        else:
            seen.append(slot)
            assert 0 <= now_ms - slot <= 125
        now_ms += step_ms
    assert seen == [T + at * 250 for at in range(len(seen))]
    assert len(seen) > 50
