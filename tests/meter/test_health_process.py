"""What a meter on real MicroPython says of itself, over lives that end in different ways."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_hil.children.processes import ProcessGroup
from wattle_hil.clock import host_ms
from wattle_hil.devices.line import Line
from wattle_testkit import waiting
from wattle_testkit.meter_site import Board, MeterSite, emulated_sdm120
from wattle_wire.health import RESET_CAUSES, Health

SAMPLES_S = 30.0
STOP_S = 10.0

pytestmark = pytest.mark.slow


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with Line(tmp_path / "line", [emulated_sdm120(host_ms() - 1_000)], host_ms) as line:
        yield line


@pytest.fixture(params=["64", "rom"])
def board(
    request: pytest.FixtureRequest, tmp_path: Path, group: ProcessGroup, line: Line
) -> Iterator[Board]:
    try:
        parts.micropython(64 if request.param == "64" else 32)
    except parts.PartMissingError as error:
        pytest.skip(str(error))
    site = MeterSite(tmp_path, group)
    board = site.board("meter", str(request.param), line.link)
    site.start_broker()
    yield board
    site.gateway.disconnect()


def health_of_a_life(board: Board, group: ProcessGroup) -> Health:
    """Starts the meter; gives the first record of that life, once samples have followed it."""
    board.meter.health = None
    before = max(board.meter.samples, default=0)
    group.start(board.process)
    waiting.until(lambda: max(board.meter.samples, default=0) > before, SAMPLES_S, "a sample")
    health = waiting.until(lambda: board.meter.health, SAMPLES_S, "a health record")
    assert isinstance(health, Health)
    return health


def test_starts_are_told_with_their_cause(board: Board, group: ProcessGroup) -> None:
    first = health_of_a_life(board, group)
    assert RESET_CAUSES[first.reset_cause] == "unknown"  # a process cannot tell
    assert sum(first.resets) == 1
    board.process.stop(STOP_S)
    second = health_of_a_life(board, group)
    assert RESET_CAUSES[second.reset_cause] == "asked"
    board.process.kill()
    third = health_of_a_life(board, group)
    assert RESET_CAUSES[third.reset_cause] == "unknown"
    counted = dict(zip(RESET_CAUSES, third.resets, strict=True))
    assert (counted["unknown"], counted["asked"], sum(third.resets)) == (2, 1, 3)
    assert third.uptime_s < SAMPLES_S
    assert third.heap_free > 8_192
    assert third.rssi_dbm is None
    assert (third.write_failed, third.dropped, third.unsaved, third.restarts) == (0, 0, 0, 0)
    assert third.connections == 1
    board.process.stop(STOP_S)
