"""The bench clock: one virtual time for every process of a run."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_hil.clock import MAX_SPEED, BenchClock, load_clock
from wattle_hil.errors import ClockError

BASE_MS = 1_170_288_000_000
ANCHOR_MS = 1_700_000_000_000


def test_virtual_time_runs_at_its_speed_from_the_anchor() -> None:
    host = [ANCHOR_MS]
    clock = BenchClock(BASE_MS, ANCHOR_MS, 60, real_ms=lambda: host[0])
    assert clock.now_ms() == BASE_MS
    host[0] += 1_000
    assert clock.now_ms() == BASE_MS + 60_000
    host[0] -= 1_500
    assert clock.now_ms() == BASE_MS - 30_000


@given(st.integers(-(10**9), 10**9), st.integers(1, MAX_SPEED))
def test_real_ms_at_is_the_first_host_ms_that_has_reached_the_virtual_time(
    ahead_ms: int, speed: int
) -> None:
    clock = BenchClock(BASE_MS, ANCHOR_MS, speed)
    real_ms = clock.real_ms_at(BASE_MS + ahead_ms)
    assert BenchClock(BASE_MS, ANCHOR_MS, speed, lambda: real_ms).now_ms() >= BASE_MS + ahead_ms
    before = BenchClock(BASE_MS, ANCHOR_MS, speed, lambda: real_ms - 1)
    assert before.now_ms() < BASE_MS + ahead_ms


def test_a_saved_clock_is_read_back_the_same_by_another_process(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    BenchClock(BASE_MS, ANCHOR_MS, 10).save(path)
    assert json.loads(path.read_text()) == {
        "base_ms": BASE_MS,
        "anchor_ms": ANCHOR_MS,
        "speed": 10,
    }
    loaded = load_clock(path, real_ms=lambda: ANCHOR_MS + 7)
    assert loaded.now_ms() == BASE_MS + 70
    assert [entry.name for entry in tmp_path.iterdir()] == ["clock.json"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "longer than"),
        ("[1, 2, 3]", "exactly"),
        ('{"base_ms": 1, "anchor_ms": 2}', "exactly"),
        ('{"base_ms": 1170288000, "anchor_ms": 1700000000000, "speed": 1}', "base_ms"),
        ('{"base_ms": 1170288000000, "anchor_ms": 1.7e12, "speed": 1}', "anchor_ms"),
        ('{"base_ms": 1170288000000, "anchor_ms": 1700000000000, "speed": 0}', "speed"),
        ('{"base_ms": 1170288000000, "anchor_ms": 1700000000000, "speed": true}', "speed"),
        ('{"base_ms": 1170288000000, "anchor_ms": 1700000000000, "speed": 2.5}', "speed"),
    ],
)
def test_a_clock_file_that_makes_no_clock_is_refused(
    tmp_path: Path, text: str, complaint: str
) -> None:
    path = tmp_path / "clock.json"
    path.write_text(text)
    with pytest.raises(ClockError, match=complaint) as caught:
        load_clock(path)
    assert str(path) in str(caught.value)


def test_a_missing_clock_file_and_an_unwritable_place_are_named(tmp_path: Path) -> None:
    with pytest.raises(ClockError, match="cannot read"):
        load_clock(tmp_path / "none.json")
    with pytest.raises(ClockError, match="cannot write"):
        BenchClock(BASE_MS, ANCHOR_MS, 1).save(tmp_path / "missing" / "clock.json")
