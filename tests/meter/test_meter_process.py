"""A meter as a process of real MicroPython, between a real serial line and a real broker."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_hil.clock import host_ms
from wattle_hil.line import Line
from wattle_hil.processes import ProcessGroup
from wattle_testkit import waiting
from wattle_testkit.meter_site import Board, MeterSite, emulated_sdm120
from wattle_wire import downlink, topics

SAMPLES_S = 20.0


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with Line(tmp_path / "line", [emulated_sdm120(host_ms() - 1_000)], host_ms) as line:
        yield line


@pytest.fixture
def group() -> Iterator[ProcessGroup]:
    with ProcessGroup() as group:
        yield group


@pytest.fixture
def site(tmp_path: Path, group: ProcessGroup) -> Iterator[MeterSite]:
    site = MeterSite(tmp_path, group)
    yield site
    site.gateway.disconnect()


def samples_reach(board: Board, seq: int) -> None:
    waiting.until(lambda: seq in board.meter.samples, SAMPLES_S, f"sample {seq}")


@pytest.mark.parametrize("bits", [64, 32])
def test_samples_of_a_first_boot_form_a_chain(
    site: MeterSite, group: ProcessGroup, line: Line, bits: int
) -> None:
    board = site.board("meter", bits, line.link)
    site.start_broker()
    group.start(board.process)
    samples_reach(board, 4)
    meter = board.meter
    assert meter.broken == []
    first = meter.samples[1][0]
    assert (first.seq, first.boot, first.prev, first.clock) == (1, 1, None, "I")
    for seq in range(2, 5):
        sample = meter.samples[seq][0]
        assert sample.prev == meter.samples[seq - 1][1]
        [reading] = sample.readings
        assert (reading.device, reading.status) == (1, "G")
        assert reading.time_ms % 1_000 == 0
        assert reading.values["p"] == 23_000
        assert 0 <= host_ms() - reading.time_ms < 60_000
    times = [meter.samples[seq][0].readings[0].time_ms for seq in range(1, 5)]
    assert [after - before for before, after in zip(times, times[1:], strict=False)] == [1_000] * 3
    [birth] = meter.births
    assert birth["site"] == "substation-7"
    assert birth["interval_ms"] == 1_000
