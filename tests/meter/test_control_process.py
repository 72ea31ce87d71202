"""Setpoints from publish to the register of a load, and back in the sample, with real parts."""

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_hil.children.processes import ProcessGroup
from wattle_hil.clock import host_ms
from wattle_hil.devices.adjustable_load import DEVICE_FAILURE, AdjustableLoad, LoadTraits
from wattle_hil.devices.device import Device, EmulatedDevice
from wattle_hil.devices.line import Line
from wattle_hil.devices.rtu_slave import LineTiming
from wattle_hil.devices.sdm import SDM120
from wattle_testkit import waiting
from wattle_testkit.meter_site import Board, MeterSite
from wattle_tools.board_folder import LoadChoice
from wattle_wire import downlink
from wattle_wire.sample import Sample

SAMPLES_S = 30.0
LOAD_UNIT = 9
REST_W = 3_000
ONE, TWO = bytes(31) + b"\x01", bytes(31) + b"\x02"
HOUR_MS = 3_600_000

pytestmark = pytest.mark.slow


class Traffic:
    """Stands before the devices of a line and remembers who was asked what, in order."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int]] = []  # (unit, function)
        self._lock = threading.Lock()

    def note(self, unit: int, function: int) -> None:
        with self._lock:
            self.rows.append((unit, function))

    def mark(self) -> int:
        """The number of requests so far."""
        with self._lock:
            return len(self.rows)


class Watched:
    """A device whose requests are noted."""

    def __init__(self, device: Device, traffic: Traffic) -> None:
        self.unit = device.unit
        self._device = device
        self._traffic = traffic

    def answer(self, pdu: bytes, now_ms: int) -> bytes:
        self._traffic.note(self.unit, pdu[0])
        return self._device.answer(pdu, now_ms)


class Plant:
    """An adjustable load, the metering device that measures it, and the line of both."""

    def __init__(self, folder: Path, traits: LoadTraits | None = None) -> None:
        self.load = AdjustableLoad(LOAD_UNIT, host_ms() - 1_000, 500, traits)
        meter = EmulatedDevice(1, SDM120, self.load.power, initial_import_wh=1_000)
        self.traffic = Traffic()
        devices = [Watched(device, self.traffic) for device in (meter, self.load)]
        self.line = Line(folder / "line", devices, host_ms, LineTiming(paced=True))


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    plant = Plant(tmp_path)
    with plant.line:
        yield plant


@pytest.fixture(params=["64", "32", "rom"])
def kind(request: pytest.FixtureRequest) -> str:
    try:
        parts.micropython(64 if request.param == "64" else 32)
    except parts.PartMissingError as error:
        pytest.skip(str(error))
    return str(request.param)


def started(
    site: MeterSite,
    group: ProcessGroup,
    plant: Plant,
    kind: str = "64",
    *options: str,
    hold_s: int | None = None,
    interval_ms: int = 1_000,
    relays: Sequence[str] = (),
    load: LoadChoice | None = None,
) -> Board:
    """A meter that runs, with its load at rest."""
    chosen = load or LoadChoice(1, "bench-load", {"unit": LOAD_UNIT, "rest_w": REST_W})
    board = site.board(
        "meter",
        kind,
        plant.line.link,
        *options,
        interval_ms=interval_ms,
        loads=[chosen],
        relays=relays,
        hold_s=hold_s,
    )
    site.start_broker()
    group.start(board.process)
    waiting.until(lambda: board.meter.samples, SAMPLES_S, "a sample")
    return board


def setpoint(
    site: MeterSite, board: Board, digest: bytes, watts: int, valid_ms: int = HOUR_MS
) -> bytes:
    body: list[object] = [digest, 1, watts, host_ms() + valid_ms]
    return site.gateway.send_command(board.meter, downlink.SETPOINT, body)


def sample_that(board: Board, says: Callable[[Sample], bool], what: str) -> Sample:
    """The first sample that fits."""

    def found() -> Sample | None:
        for _, (sample, _, _) in sorted(board.meter.samples.items()):
            if says(sample):
                return sample
        return None

    sample = waiting.until(found, SAMPLES_S, what)
    assert sample is not None
    return sample


def confirmed(board: Board, digest: bytes, watts: int) -> Sample:
    return sample_that(board, lambda sample: sample.command == (digest, watts), f"{watts} W")


def shows(board: Board, after: int, watts: int) -> None:
    """Waits until the metering device shows `watts` in a sample after `after`."""
    sample_that(
        board,
        lambda sample: sample.seq >= after and sample.readings[-1].values.get("p") == 10 * watts,
        f"a reading of {watts} W",
    )


def test_a_setpoint_reaches_the_load_and_the_next_sample_says_so(
    site: MeterSite, group: ProcessGroup, plant: Plant, kind: str
) -> None:
    board = started(site, group, plant, kind)
    waiting.until(lambda: plant.load.setpoint_w == REST_W, SAMPLES_S, "rest")
    shows(board, 1, REST_W)
    assert all(sample.command is None for sample, _, _ in list(board.meter.samples.values()))
    setpoint(site, board, ONE, 1_500)
    first = confirmed(board, ONE, 1_500)
    commands = [sample.command for sample, _, _ in list(board.meter.samples.values())]
    assert [command for command in commands if command] == [(ONE, 1_500)]
    shows(board, first.seq, 1_500)
    setpoint(site, board, TWO, 99_999)
    confirmed(board, TWO, 10_000)  # the load's own limit
    site.gateway.send_command(board.meter, downlink.RELEASE, [ONE, 1])
    confirmed(board, ONE, REST_W)
    assert [watts for _, watts in plant.load.writes] == [REST_W, 1_500, 10_000, REST_W]
    assert board.meter.broken == []


def test_from_publish_to_the_register_there_is_at_most_a_round_of_reads(
    site: MeterSite, group: ProcessGroup, plant: Plant
) -> None:
    board = started(site, group, plant)
    waiting.until(lambda: plant.load.setpoint_w == REST_W, SAMPLES_S, "rest")
    reads_between = []
    for turn in range(10):
        seen = plant.traffic.mark()
        setpoint(site, board, ONE, 1_000 + 10 * turn)
        waiting.until(
            lambda wanted=1_000 + 10 * turn: plant.load.setpoint_w == wanted, SAMPLES_S, "a write"
        )
        rows = plant.traffic.rows[seen:]
        reads_between.append(rows.index((LOAD_UNIT, 6)))
    # an SDM120 costs two reads a round: one round is a second
    assert max(reads_between) <= 2
    statuses = {
        reading.status
        for sample, _, _ in list(board.meter.samples.values())
        for reading in sample.readings
    }
    assert statuses == {"G"}


def test_replayed_expired_and_foreign_commands_move_nothing(
    site: MeterSite, group: ProcessGroup, plant: Plant
) -> None:
    board = started(site, group, plant)
    raw = setpoint(site, board, ONE, 1_500)
    confirmed(board, ONE, 1_500)
    setpoint(site, board, TWO, 2_000)
    confirmed(board, TWO, 2_000)
    site.gateway.send_raw(board.meter, "cmd", raw)
    setpoint(site, board, ONE, 1_000, valid_ms=-1)
    body: list[object] = [ONE, 2, 1_000, host_ms() + HOUR_MS]
    site.gateway.send_command(board.meter, downlink.SETPOINT, body)
    setpoint(site, board, ONE, 2_500)
    confirmed(board, ONE, 2_500)
    assert [watts for _, watts in plant.load.writes] == [REST_W, 1_500, 2_000, 2_500]
    board.process.kill()
    group.start(board.process)
    waiting.until(lambda: plant.load.setpoint_w == REST_W, SAMPLES_S, "rest after a restart")
    sample_that(board, lambda sample: sample.boot == 2, "a sample of the new life")
    site.gateway.send_raw(board.meter, "cmd", raw)
    setpoint(site, board, TWO, 700)
    confirmed(board, TWO, 700)
    assert [watts for _, watts in plant.load.writes][-2:] == [REST_W, 700]


def test_a_board_without_time_obeys_nobody(
    site: MeterSite, group: ProcessGroup, plant: Plant
) -> None:
    board = started(site, group, plant, "64", "--no-rtc")
    setpoint(site, board, ONE, 1_500)

    def refused() -> bool:
        table = board.status().get("link")
        return isinstance(table, dict) and table["commands"]["refused"] == 1

    waiting.until(refused, SAMPLES_S, "a refusal")
    assert plant.load.setpoint_w == REST_W
    site.gateway.clock_ms = host_ms
    sample_that(board, lambda sample: sample.clock == "S", "the time")
    setpoint(site, board, ONE, 1_500)
    confirmed(board, ONE, 1_500)


def test_an_expired_setpoint_and_a_lost_gateway_let_the_load_rest(
    site: MeterSite, group: ProcessGroup, plant: Plant
) -> None:
    board = started(site, group, plant, hold_s=3)
    setpoint(site, board, ONE, 1_500, valid_ms=3_000)
    confirmed(board, ONE, 1_500)
    rested = confirmed(board, ONE, REST_W)
    setpoint(site, board, TWO, 1_200)
    confirmed(board, TWO, 1_200)
    shows(board, rested.seq, 1_200)
    assert site.broker is not None
    site.broker.kill()
    waiting.until(lambda: plant.load.setpoint_w == REST_W, SAMPLES_S, "rest without a gateway")
    site.start_broker()
    confirmed(board, TWO, REST_W)


def test_a_load_that_refuses_is_confirmed_with_what_it_has(
    site: MeterSite, group: ProcessGroup, plant: Plant
) -> None:
    board = started(site, group, plant)
    waiting.until(lambda: plant.load.setpoint_w == REST_W, SAMPLES_S, "rest")
    plant.load.refusal = DEVICE_FAILURE
    setpoint(site, board, ONE, 1_500)
    confirmed(board, ONE, REST_W)
    plant.load.refusal = None
    confirmed(board, ONE, 1_500)


def test_a_stuck_contactor_shows_in_the_readings(
    site: MeterSite, group: ProcessGroup, plant: Plant
) -> None:
    board = started(site, group, plant)
    shows(board, 1, REST_W)
    plant.load.stuck = True
    setpoint(site, board, ONE, 0)
    after = confirmed(board, ONE, 0)
    shows(board, after.seq, REST_W)


def test_a_slow_load_is_led_up_its_ramp_in_a_register_of_two_words(
    site: MeterSite, group: ProcessGroup, plant: Plant
) -> None:
    settings = {"unit": LOAD_UNIT, "rest_w": 0, "max_w": 1_500}
    choice = LoadChoice(1, "bench-load-wide", settings)
    board = started(site, group, plant, load=choice)
    waiting.until(lambda: plant.load.writes, SAMPLES_S, "rest")
    setpoint(site, board, ONE, 5_000)
    confirmed(board, ONE, 1_500)
    written = list(plant.load.writes)
    assert written[0][1] == 0
    for (before_ms, before_w), (at_ms, watts) in pairwise(written[1:]):
        assert 0 < watts - before_w <= 0.5 * (at_ms - before_ms) + 50
    told = [sample.command for sample, _, _ in list(board.meter.samples.values()) if sample.command]
    assert [watts for _, watts in told] == sorted({watts for _, watts in told})
    assert len(told) >= 2


def test_a_relay_is_switched(
    site: MeterSite, group: ProcessGroup, plant: Plant, tmp_path: Path
) -> None:
    contact = tmp_path / "relay"
    contact.write_text("1")
    choice = LoadChoice(1, "relay-2kw", {"relay": 0, "rest_w": 0})
    board = site.board("meter", "64", plant.line.link, loads=[choice], relays=[str(contact)])
    # The example waits a minute before it switches.
    kept = board.folder / "loads" / "relay-2kw.json"
    kept.write_text('{"format": 1, "name": "relay-2kw", "relay_w": 2000}')
    site.start_broker()
    group.start(board.process)
    waiting.until(lambda: contact.read_text() == "0", SAMPLES_S, "an open contact")
    waiting.until(lambda: board.meter.samples, SAMPLES_S, "a sample")
    setpoint(site, board, ONE, 2_500)
    confirmed(board, ONE, 2_000)
    assert contact.read_text() == "1"
    site.gateway.send_command(board.meter, downlink.RELEASE, [TWO, 1])
    confirmed(board, TWO, 0)
    assert contact.read_text() == "0"
