"""Six families on one line, read by a meter process, signed, and checked where they arrive."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_hil.children.processes import ProcessGroup
from wattle_hil.clock import host_ms
from wattle_hil.devices.device import EmulatedDevice
from wattle_hil.devices.families import FAMILIES
from wattle_hil.devices.line import Line
from wattle_testkit import waiting
from wattle_testkit.meter_site import MeterSite, constant_curve
from wattle_tools.board_folder import DeviceChoice

DEADLINE_S = 40.0
INTERVAL_MS = 4_000
QUANTITIES = {
    "em340": ("ei", "p", "u1"),
    "iem3155": ("ei", "p", "u1"),
    "pzem-004t": ("ei", "p", "u"),
    "sdm120": ("ei", "p", "u"),
    "sdm630": ("ei", "p", "u1"),
    "sunspec-201": ("ei", "p", "u"),
    "sunspec-203": ("ei", "p", "u1"),
}
NUMBERS = {name: number for number, name in enumerate(QUANTITIES, 1)}

pytestmark = pytest.mark.slow


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    # Far behind us, so that energy has whole steps of every family.
    began_ms = host_ms() - 3_600_000
    devices = [
        EmulatedDevice(10 + number, FAMILIES[name], constant_curve(began_ms, 2_300))
        for name, number in NUMBERS.items()
    ]
    with Line(tmp_path / "line", devices, host_ms) as line:
        yield line


# Not in the heap of a board as we model it, which also pays for names that lie in flash on a real
# one (firmware/DECISIONS.md): seven devices and a TLS connection do not fit there.
@pytest.mark.parametrize("kind", ["64", "32"])
def test_every_family_is_read_and_signed(
    site: MeterSite, group: ProcessGroup, line: Line, kind: str
) -> None:
    choices = [
        DeviceChoice(number, name, 10 + number, QUANTITIES[name])
        for name, number in NUMBERS.items()
    ]
    board = site.board(
        "meter", kind, line.link, interval_ms=INTERVAL_MS, devices=choices, baud=9_600
    )
    config = board.folder / "config.json"
    content = json.loads(config.read_bytes())
    content["devices"][0] |= {"ct": [200, 5], "vt": [20_000, 100], "orient": -1}
    config.write_text(json.dumps(content))
    site.start_broker()
    group.start(board.process)

    def newest_is_good() -> bool:
        samples = board.meter.samples
        if not samples:
            return False
        readings = samples[max(samples)][0].readings
        return len(readings) == len(NUMBERS) and all(row.status == "G" for row in readings)

    waiting.until(newest_is_good, DEADLINE_S, "a sample in which every device is good")
    readings = board.meter.samples[max(board.meter.samples)][0].readings
    assert {reading.time_ms % INTERVAL_MS for reading in readings} == {0}
    for reading, (name, quantities) in zip(readings, QUANTITIES.items(), strict=True):
        assert set(reading.values) == set(quantities)
        assert reading.values["p"] == 23_000, name
        assert reading.values[quantities[-1]] == 2_300, name
        energy_wh = reading.values["ei"]
        assert isinstance(energy_wh, int)
        # An hour and a little of 2.3 kW, less one step of the coarsest counter.
        assert 2_200 <= energy_wh <= 2_400, name
    [birth] = board.meter.births[-1:]
    devices = birth["devices"]
    assert isinstance(devices, list)
    assert [row["profile"] for row in devices] == list(QUANTITIES)
    assert (devices[0]["ct"], devices[0]["vt"], devices[0]["orient"]) == (
        [200, 5],
        [20_000, 100],
        -1,
    )
    assert (devices[1]["ct"], devices[1]["orient"]) == ([1, 1], 1)
    status = waiting.until(lambda: board.status().get("devices"), DEADLINE_S, "status")
    assert isinstance(status, dict)
    assert set(status) == {str(number) for number in NUMBERS.values()}
    board.process.stop(10.0)
