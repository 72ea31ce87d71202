"""Levels of disk, memory and CPU: where each is entered and left, and what it asks for."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.resources import levels, steps
from wattle_gateway.resources.usage import (
    CPU,
    DISK,
    MACHINE,
    MEMORY,
    MIB,
    MILLION,
    CpuUse,
    DiskUse,
    MemoryUse,
    Usage,
    disk_use,
)

GIB = 1 << 30
WELL = {DISK: 0, MEMORY: 0, CPU: 0}


def usage(
    room: int = 10 * GIB,
    capacity: int = 20 * GIB,
    memory_ppm: int = 0,
    stalled: int | None = None,
    cpu_ppm: int | None = 0,
) -> Usage:
    return Usage(
        DiskUse(capacity - room, room, room, 0),
        MemoryUse(memory_ppm, MILLION, memory_ppm, MACHINE, stalled),
        None if cpu_ppm is None else CpuUse(cpu_ppm, MILLION, MACHINE, None),
    )


def after(*looks: Usage) -> dict[str, int]:
    found: dict[str, int] = {}
    for look in looks:
        found = levels.follow(found, look)
    return found


@pytest.mark.parametrize(
    ("capacity", "room", "level"),
    [
        (20 * GIB, 7 * GIB, 0),
        (20 * GIB, 5 * GIB, 1),
        (20 * GIB, 3 * GIB, 2),
        (20 * GIB, 3 * GIB // 2, 3),
        (20 * GIB, GIB // 2, 4),
        (20 * GIB, GIB // 8, 5),
        # A large disk has room for long where a small one has none.
        (4096 * GIB, 70 * GIB, 0),
        (4096 * GIB, 7 * GIB, 2),
        (4096 * GIB, GIB, 4),
        (4096 * GIB, 200 * MIB, 5),
        # A small one keeps enough for the ledger to go on.
        (48 * MIB, 16 * MIB, 0),
        (48 * MIB, 9 * MIB, 2),
        (48 * MIB, 7 * MIB, 5),
        (0, 0, 5),
    ],
)
def test_the_disk_s_level(capacity: int, room: int, level: int) -> None:
    assert after(usage(room, capacity))[DISK] == level


def test_a_budget_counts_as_a_full_disk_does() -> None:
    assert disk_use(used=90 * MIB, free=10 * GIB, budget=100 * MIB).room == 10 * MIB
    assert disk_use(used=90 * MIB, free=5 * MIB, budget=100 * MIB).room == 5 * MIB
    assert disk_use(used=120 * MIB, free=5 * MIB, budget=100 * MIB).room == 0
    assert disk_use(used=120 * MIB, free=5 * MIB, budget=0).room == 5 * MIB


def test_a_level_is_left_only_with_some_room_to_spare() -> None:
    mark = 20 * GIB * 3 // 10
    low, between, well = usage(mark - 1), usage(mark * 5 // 4 - GIB // 10), usage(mark * 5 // 4)
    assert after(low)[DISK] == 1
    assert after(between)[DISK] == 0
    assert after(low, between)[DISK] == 1
    assert after(low, between, well)[DISK] == 0
    assert after(low, between, well, between)[DISK] == 0


@pytest.mark.parametrize(
    ("resource", "marks"),
    [
        (MEMORY, (750_000, 850_000, 900_000, 950_000, 980_000)),
        (CPU, (800_000, 900_000, 950_000, 980_000)),
    ],
)
def test_shares_of_memory_and_cpu(resource: str, marks: tuple[int, ...]) -> None:
    def at(ppm: int) -> Usage:
        return usage(memory_ppm=ppm) if resource == MEMORY else usage(cpu_ppm=ppm)

    for level, mark in enumerate(marks):
        assert after(at(mark - 1))[resource] == level
        assert after(at(mark))[resource] == level + 1
        assert after(at(mark), at(mark - 29_999))[resource] == level + 1
        assert after(at(mark), at(mark - 30_001))[resource] <= level
    assert after(at(MILLION))[resource] == len(marks)


def test_what_waits_for_memory_is_short_of_it_whatever_the_figures_say() -> None:
    assert after(usage(memory_ppm=500_000, stalled=99_999))[MEMORY] == 0
    assert after(usage(memory_ppm=500_000, stalled=100_000))[MEMORY] == 3
    assert after(usage(memory_ppm=960_000, stalled=100_000))[MEMORY] == 4
    assert after(usage(memory_ppm=499_999, stalled=900_000))[MEMORY] == 0


def test_cpu_keeps_its_level_while_there_is_no_figure() -> None:
    assert after(usage(cpu_ppm=None))[CPU] == 0
    assert after(usage(cpu_ppm=960_000), usage(cpu_ppm=None))[CPU] == 3


@given(st.lists(st.integers(0, 20 * GIB), min_size=1, max_size=30))
def test_no_level_is_below_what_the_room_says(rooms: list[int]) -> None:
    found: dict[str, int] = {}
    for room in rooms:
        fresh = after(usage(room))[DISK]
        found = levels.follow(found, usage(room))
        assert fresh <= found[DISK] <= levels.LEVEL_MAX


def test_each_step_is_taken_at_its_level_and_all_below_hold() -> None:
    assert steps.active(WELL) == {}
    assert steps.active(WELL | {DISK: 1}) == {"archive": [DISK]}
    assert set(steps.active(WELL | {DISK: 3})) == {"archive", "shed_observers", "slow_pace"}
    assert set(steps.active(WELL | {DISK: 5})) == {
        "archive",
        "shed_observers",
        "slow_pace",
        "refuse_meters",
        "refuse_samples",
    }
    assert steps.active({DISK: 2, MEMORY: 2, CPU: 2})["shed_observers"] == [DISK, MEMORY, CPU]


def test_cpu_alone_never_refuses_a_sample() -> None:
    busiest = after(usage(cpu_ppm=10 * MILLION))
    assert "refuse_samples" not in steps.active(busiest)
    assert "refuse_meters" in steps.active(busiest)


def test_the_table_for_people_says_what_the_code_does() -> None:
    text = (Path(__file__).resolve().parents[2] / "gateway/RESOURCES.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (\d?) \| (\d?) \| (\d?) \|", text, re.MULTILINE)
    listed = {
        name: {
            resource: int(level)
            for resource, level in zip((DISK, MEMORY, CPU), found, strict=True)
            if level
        }
        for name, *found in rows
    }
    assert listed == {step.name: dict(step.levels) for step in steps.STEPS}
    marks = re.findall(r"^\| (\d) \| (\d+) %, (\d+) ([GM])iB", text, re.MULTILINE)
    assert [int(level) for level, *_ in marks] == list(range(1, levels.LEVEL_MAX + 1))
    unit = {"G": GIB, "M": MIB}
    for capacity in (GIB, 4096 * GIB):
        shown = [
            min(capacity * int(share) // 100, int(most) * unit[name])
            for _, share, most, name in marks
        ]
        assert list(levels.disk_marks(capacity)) == shown
