"""The clock that stamps: a jump of the wall clock does not reach the ledger."""

import json
from pathlib import Path

import pytest
from wattle_gateway.errors import ConfigError
from wattle_gateway.runtime.clock import WALL_JUMP_MS, BenchClock, WallClock, open_clock

START_MS = 1_700_000_000_000


class Host:
    """Both clocks of a host, set by hand."""

    def __init__(self) -> None:
        self.wall_ms = START_MS
        self.steady_ms = 5_000

    def pass_ms(self, duration_ms: int) -> None:
        self.wall_ms += duration_ms
        self.steady_ms += duration_ms

    def clock(self) -> WallClock:
        return WallClock(lambda: self.wall_ms, lambda: self.steady_ms)


@pytest.fixture
def host() -> Host:
    return Host()


def test_it_shows_the_wall_clock(host: Host) -> None:
    clock = host.clock()
    host.pass_ms(12_345)
    assert clock.now_ms() == START_MS + 12_345


@pytest.mark.parametrize("jump_ms", [WALL_JUMP_MS + 1, -WALL_JUMP_MS - 1, 86_400_000, -START_MS])
def test_a_jump_is_not_followed_and_alarms_once(host: Host, jump_ms: int) -> None:
    clock = host.clock()
    host.wall_ms += jump_ms
    for _ in range(3):
        host.pass_ms(1_000)
        clock.now_ms()
    assert clock.now_ms() == START_MS + 3_000
    assert clock.alarmed
    assert clock.jumps == 1


def test_it_follows_again_when_the_wall_clock_is_back(host: Host) -> None:
    clock = host.clock()
    host.wall_ms += 60_000
    clock.now_ms()
    host.wall_ms -= 60_000
    host.pass_ms(500)
    assert clock.now_ms() == START_MS + 500
    assert not clock.alarmed
    host.wall_ms += 60_000
    clock.now_ms()
    assert clock.jumps == 2


def test_slewing_is_followed_however_far_it_goes(host: Host) -> None:
    clock = host.clock()
    for _ in range(100):
        host.pass_ms(1_000)
        host.wall_ms += WALL_JUMP_MS
        assert clock.now_ms() == host.wall_ms
    assert clock.jumps == 0


def test_bench_time_runs_at_its_speed() -> None:
    wall = [START_MS]
    clock = BenchClock(1_170_000_000_000, START_MS, 60, lambda: wall[0])
    wall[0] += 1_000
    assert clock.now_ms() == 1_170_000_060_000


def write(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


GOOD = {"base_ms": 1_170_000_000_000, "anchor_ms": START_MS, "speed": 60}


def test_a_bench_file_is_read(tmp_path: Path) -> None:
    clock = open_clock(write(tmp_path / "clock.json", GOOD))
    assert isinstance(clock, BenchClock)
    assert clock.now_ms() > GOOD["base_ms"]


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("no json", "not the JSON"),
        ([], "expected an object"),
        ({**GOOD, "more": 1}, "expected an object"),
        ({**GOOD, "speed": 0}, "speed is 0"),
        ({**GOOD, "speed": True}, "speed is True"),
        ({**GOOD, "speed": 1.5}, "speed is 1.5"),
        ({**GOOD, "base_ms": 1_170_000_000}, "base_ms is 1170000000"),
    ],
)
def test_a_bench_file_that_is_none_is_refused(tmp_path: Path, content: object, names: str) -> None:
    path = write(tmp_path / "clock.json", content)
    with pytest.raises(ConfigError, match=names) as caught:
        open_clock(path)
    assert str(path) in str(caught.value)


def test_a_missing_bench_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        open_clock(tmp_path / "none.json")
