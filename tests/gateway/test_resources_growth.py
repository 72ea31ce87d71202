"""The forecast of a full disk: days of a simulated disk, and a database that keeps them."""

import random
from functools import partial
from pathlib import Path

from wattle_gateway.resources.growth import (
    DAY_MS,
    HOUR_MS,
    DiskPoint,
    Forecast,
    forecast,
)
from wattle_gateway.store import connection, disk_rows, schema
from wattle_gateway.store.operation_file import OperationFile

NOW_MS = 1_790_000_000_000
MIB = 1 << 20
SIZE = 10_000 * MIB


def days(count: float, daily: int, size: int = SIZE, used: int = 100 * MIB) -> list[DiskPoint]:
    """An hourly history up to now of a folder that grows by `daily` bytes a day."""
    hours = int(count * 24)
    begin_ms = NOW_MS - hours * HOUR_MS
    return [
        DiskPoint(
            begin_ms + hour * HOUR_MS,
            used + daily * hour // 24,
            size - used - daily * hour // 24,
        )
        for hour in range(hours + 1)
    ]


def near(found: int | None, expected: int, permille: int) -> bool:
    return found is not None and abs(found - expected) * 1000 <= expected * permille


def test_before_there_is_a_day_of_history_nothing_is_known() -> None:
    assert forecast([], 0, NOW_MS) == Forecast(None, None, NOW_MS + DAY_MS)
    short = days(0.9, 100 * MIB)
    assert forecast(short, 0, NOW_MS) == Forecast(None, None, short[0].at_ms + DAY_MS)
    assert forecast(days(1, 100 * MIB), 0, NOW_MS).growth is not None


def test_two_points_a_day_apart_are_not_enough() -> None:
    history = days(1, 100 * MIB)
    found = forecast([history[0], history[-1]], 0, NOW_MS)
    assert (found.growth, found.full_ms) == (None, None)


def test_an_even_growth_leads_to_a_day() -> None:
    found = forecast(days(3, 100 * MIB), 0, NOW_MS)
    left = SIZE - 100 * MIB - 300 * MIB
    assert near(found.growth, 100 * MIB, 1)
    assert near(found.full_ms and found.full_ms - NOW_MS, left * DAY_MS // (100 * MIB), 1)
    assert found.known_from_ms is None


def test_a_budget_is_full_earlier_than_the_disk() -> None:
    found = forecast(days(3, 100 * MIB), 1_000 * MIB, NOW_MS)
    assert near(found.full_ms and found.full_ms - NOW_MS, 6 * DAY_MS, 1)


def test_a_budget_that_is_used_up_is_full_now() -> None:
    found = forecast(days(3, 100 * MIB), 50 * MIB, NOW_MS)
    assert found.full_ms == NOW_MS


def test_others_fill_the_disk_too() -> None:
    """Our folder does not grow, a neighbour eats the file system."""
    history = [
        DiskPoint(NOW_MS - (48 - hour) * HOUR_MS, 100 * MIB, SIZE - hour * 50 * MIB)
        for hour in range(49)
    ]
    found = forecast(history, 0, NOW_MS)
    assert found.growth == 0
    assert near(
        found.full_ms and found.full_ms - NOW_MS, (SIZE - 2400 * MIB) * HOUR_MS // (50 * MIB), 1
    )
    assert forecast(history, 200 * MIB, NOW_MS).full_ms is None


def test_what_does_not_grow_is_never_full() -> None:
    assert forecast(days(3, 0), 0, NOW_MS) == Forecast(0, None, None)
    shrinking = forecast(days(3, -10 * MIB, used=1000 * MIB), 0, NOW_MS)
    assert shrinking.growth is not None
    assert shrinking.growth < 0
    assert shrinking.full_ms is None


def test_centuries_are_no_forecast() -> None:
    assert forecast(days(3, 24), 0, NOW_MS).full_ms is None


def test_a_backup_that_comes_and_goes_changes_little() -> None:
    history = days(7, 100 * MIB)
    for place in range(60, 66):
        point = history[place]
        history[place] = DiskPoint(point.at_ms, point.used, point.free - 2_000 * MIB)
    found = forecast(history, 0, NOW_MS)
    assert near(found.full_ms and found.full_ms - NOW_MS, 92 * DAY_MS, 20)


def test_archive_runs_change_little_while_the_rest_grows_on() -> None:
    """Once, on the third of ten days, a fifth of the folder leaves."""
    history = [
        DiskPoint(point.at_ms, point.used - (80 * MIB if place > 72 else 0), point.free)
        for place, point in enumerate(days(10, 100 * MIB))
    ]
    assert near(forecast(history, 0, NOW_MS).growth, 100 * MIB, 80)


def test_hours_of_a_day_differ() -> None:
    rng = random.Random(7)
    history, used = [], 100 * MIB
    for hour in range(14 * 24):
        used += (8 if 6 <= hour % 24 < 18 else 0) * MIB + rng.randrange(MIB // 8)
        history.append(DiskPoint(NOW_MS - (14 * 24 - hour) * HOUR_MS, used, SIZE - used))
    assert near(forecast(history, 0, NOW_MS).growth, 97 * MIB + MIB // 2, 30)


def test_a_gateway_that_was_off_for_days_knows_as_much_as_before() -> None:
    history = [point for point in days(12, 100 * MIB) if not 3 * 24 < hour_of(point) < 9 * 24]
    assert near(forecast(history, 0, NOW_MS).growth, 100 * MIB, 5)


def hour_of(point: DiskPoint) -> int:
    return (point.at_ms - (NOW_MS - 12 * DAY_MS)) // HOUR_MS


def test_points_of_the_future_and_of_long_ago_do_not_count() -> None:
    history = days(3, 100 * MIB)
    future = [DiskPoint(NOW_MS + hour * HOUR_MS, hour, 0) for hour in range(1, 100)]
    ago = [DiskPoint(NOW_MS - 31 * DAY_MS - hour, 0, hour) for hour in range(100)]
    assert forecast([*future, *history, *ago], 0, NOW_MS) == forecast(history, 0, NOW_MS)


def test_the_order_of_points_does_not_matter() -> None:
    history = days(5, 100 * MIB)
    mixed = random.Random(1).sample(history, len(history))
    assert forecast(mixed, 0, NOW_MS) == forecast(history, 0, NOW_MS)


def test_the_history_survives_a_restart_and_old_points_go(tmp_path: Path) -> None:
    path, ledger_id = tmp_path / "operation.db", bytes(16)
    connection.create_operation(path, ledger_id)
    history = days(3, 100 * MIB)
    first = OperationFile(path, ledger_id)
    for point in history[:40]:
        first.write(partial(disk_rows.add, point=point))
    first.close()
    second = OperationFile(path, ledger_id)
    try:
        for point in [*history[40:], history[-1]]:
            second.write(partial(disk_rows.add, point=point))
        assert second.read(disk_rows.load) == history
        late = DiskPoint(history[0].at_ms + 30 * DAY_MS + HOUR_MS, 1, 1)
        second.write(lambda database: disk_rows.add(database, late))
        assert second.read(disk_rows.load) == [*history[1:], late]
    finally:
        second.close()
    assert schema.OPERATION.version >= 4
