"""The technician's probe on real MicroPython, over a pty with every family that we know."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_hil.curves.curve import UW_PER_W, Curve, StepSeries
from wattle_hil.devices.device import EmulatedDevice
from wattle_hil.devices.families import FAMILIES
from wattle_hil.devices.line import Line

FIRMWARE = Path(__file__).parents[2] / "firmware"
T0_MS = 1_170_288_000_000
UNITS = {name: number for number, name in enumerate(sorted(FAMILIES), 2)}
DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A board's folder; its line has all families."""
    folder = tmp_path_factory.mktemp("board")
    shutil.copytree(FIRMWARE / "profiles", folder / "profiles")
    (folder / "profiles" / "spoilt.json").write_text("{}")
    for name in ("nvs", "outbox"):
        (folder / name).mkdir()
    config = {
        "format": 1,
        "site": "bench",
        "ledger_id": "00" * 16,
        "interval_ms": 1_000,
        "gateways": [{"host": "gw", "port": 8883, "ca": "ca.der", "link_public": "04" + "ab" * 64}],
        "devices": [{"d": 1, "profile": "unknown-yet", "unit": 1}],
        "board": {"port": str(folder / "line")},
    }
    (folder / "config.json").write_text(json.dumps(config))
    hour_ms = 3_600_000
    steady = StepSeries([T0_MS], [2_300 * UW_PER_W], T0_MS + hour_ms)
    curve = Curve("steady", hour_ms, steady)
    devices = [EmulatedDevice(unit, FAMILIES[name], curve) for name, unit in UNITS.items()]
    with Line(folder / "line", devices, lambda: T0_MS + hour_ms // 2):
        yield folder


def probed(folder: Path, bits: int, units: str) -> tuple[int, list[str]]:
    try:
        interpreter = parts.micropython(bits)
    except parts.PartMissingError as error:
        if bits == 32:
            pytest.skip(str(error))
        raise
    main = FIRMWARE / "boards" / "linux" / "main.py"
    done = subprocess.run(
        [interpreter, "-X", "heapsize=600k", main, folder, "--probe", units],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize("bits", [64, 32])
def test_every_family_is_recognised_among_the_plausible(folder: Path, bits: int) -> None:
    code, lines = probed(folder, bits, "1-9")
    assert code == 0
    assert lines[0].startswith("left out: spoilt.json: format: nothing, expected")
    assert lines[1] == f"9600 Bd 8N1: units {sorted(UNITS.values())} answer, 0 damaged answers"
    orders = {"em340": "low", "pzem-004t": "low"}
    for name, unit in UNITS.items():
        said = [line for line in lines if line.startswith(f"unit {unit}: ")]
        own = f"unit {unit}: {name}, {orders.get(name, 'high')} word first: "
        assert any(line.startswith(own) for line in said), (name, said)
        assert "230.0 V" in "".join(said)
        foreign = {line.split()[2].rstrip(",") for line in said} - {name, "sdm120", "sdm630"}
        assert not foreign, f"{name} passes for {foreign}"


def test_nobody_at_home(folder: Path) -> None:
    code, lines = probed(folder, 64, "20")
    assert code == 1
    assert lines[-1] == "nobody answers"


def test_units_that_are_none(folder: Path) -> None:
    for text in ("0", "5-300", "x", "7-3"):
        done = subprocess.run(
            [
                parts.micropython(64),
                FIRMWARE / "boards" / "linux" / "main.py",
                folder,
                "--probe",
                text,
            ],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == 2, text


def test_a_device_that_swaps_its_words_is_told_by_its_other_order(
    folder: Path, tmp_path: Path
) -> None:
    """A profile of the wrong order reads nonsense; the probe shows which order makes sense."""
    (tmp_path / "profiles").mkdir()
    for name in ("nvs", "outbox"):
        (tmp_path / name).mkdir()
    shutil.copy(folder / "config.json", tmp_path)
    profile = json.loads((folder / "profiles" / "sdm120.json").read_text())
    profile["word_order"] = "low_first"
    (tmp_path / "profiles" / "sdm120.json").write_text(json.dumps(profile))
    code, lines = probed(tmp_path, 64, str(UNITS["sdm120"]))
    assert code == 0
    said = [line for line in lines if line.startswith("unit ")]
    assert said
    assert all("sdm120, high word first: " in line for line in said), said
    assert "230.0 V" in said[0]
