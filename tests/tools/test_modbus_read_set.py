"""read and set: a device at the laptop's own adapter, by pymodbus."""

import json
import struct
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from wattle_hil.clock import host_ms
from wattle_hil.devices.adjustable_load import SETPOINT_10W, SETPOINT_W, AdjustableLoad
from wattle_hil.devices.device import EmulatedDevice
from wattle_hil.devices.families import FAMILIES
from wattle_hil.devices.faults import FaultRule, FaultScript, NoReply
from wattle_hil.devices.line import Line
from wattle_hil.devices.model import Model
from wattle_hil.devices.sunspec import sunspec_meter
from wattle_testkit.meter_site import constant_curve, emulated_sdm120
from wattle_tools.cli import main
from wattle_tools.device import firmware_folder
from wattle_tools.errors import SettingsError
from wattle_tools.modbus.registers import Register


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    """Unit 1: an SDM120 under 2300 W; unit 9: an adjustable load at 3000 W."""
    devices = [emulated_sdm120(host_ms() - 1_000), AdjustableLoad(9, host_ms() - 1_000, 3_000)]
    with Line(tmp_path / "line", devices, host_ms) as line:
        yield line


def test_a_profile_reads_all_that_it_has(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", str(line.link), "--profile", "sdm120"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert {"u 230 V", "p 2300 W", "i 10 A", "f 50 Hz"} <= set(out)
    assert main(["read", str(line.link), "--profile", "sdm120", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["unit"], row["values"]["p"]) == (1, "2300")


def test_a_register_is_set_and_read_back(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    where = [str(line.link), "--unit", "9", "--register", hex(SETPOINT_W), "--type", "int32"]
    assert main(["set", *where, "--value", "1500", "--dry-run"]) == 0
    assert f"would set {SETPOINT_W:#06x} to 1500, which is 3000 now" in capsys.readouterr().out
    assert main(["set", *where, "--value", "1500", "--dry-run", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["dry_run"], row["before"], row["value"]) == (True, "3000", "1500")
    assert main(["set", *where, "--value", "1500"]) == 0
    assert "was 3000, is 1500" in capsys.readouterr().out
    assert main(["read", *where]) == 0
    assert f"{SETPOINT_W:#06x} 1500 (0000 05dc)" in capsys.readouterr().out
    single = [str(line.link), "--unit", "9", "--register", str(SETPOINT_10W), "--single"]
    assert main(["set", *single, "--value", "200", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["value"] == "200"
    assert main(["audit", "--action", "set", "--json"]) == 0
    out = capsys.readouterr().out
    noted = json.loads(out[out.index("{") :])["entries"]
    assert [row["facts"].get("before") for row in noted] == [None, "3000", None, "150"]


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (["set", "--unit", "9", "--register", "0x7777", "--value", "1"], 4, "no such register"),
        (
            ["set", "--unit", "9", "--register", str(SETPOINT_10W), "--value", "1001"],
            4,
            "it refuses this number",
        ),
        (["set", "--value", "1"], 7, "no register"),
        (["set", "--register", "1", "--value", "70000"], 7, "70000 is no uint16"),
        (["set", "--register", "1", "--value", "1.5"], 7, "1.5 is no uint16"),
        (
            ["set", "--register", "1", "--type", "float32", "--value", "1", "--single"],
            7,
            "has 2 words",
        ),
        (["read"], 7, "neither of --profile and --register; give one"),
        (["read", "--profile", "sdm120", "--register", "1"], 7, "both of --profile and"),
        (["read", "--register", "0xffff", "--type", "int32"], 7, "the last one is 0xffff"),
        (["read", "--profile", "sdm120", "--firmware", "/none"], 7, "no profiles in /none/prof"),
        (["read", "--profile", "sdm999"], 7, "'sdm999' is no profile"),
        (["read", "--profile", "sunspec-203"], 4, "no SunSpec map begins at register 40000, 0, 5"),
        (
            ["read", "--profile", "em340", "--unit", "9"],
            4,
            "nothing of this profile can be read; see that",
        ),
        (
            ["set", "--profile", "sunspec-203", "--register", "1", "--value", "1"],
            7,
            "have no register that can be written; for one of the maker's own name its --register",
        ),
    ],
)
def test_what_cannot_be_done_is_told(
    line: Line,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    expected: str,
) -> None:
    command, *options = words
    assert main([command, str(line.link), *options]) == code
    assert expected in capsys.readouterr().err


def test_silence_is_told_with_what_to_look_at(
    line: Line,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wattle_tools.modbus.command._ANSWER_S", 0.05)
    line.inject(FaultScript([FaultRule(NoReply())]))
    assert main(["read", str(line.link), "--register", "0"]) == 4
    assert "unit 1 does not answer; check A and B" in capsys.readouterr().err
    assert main(["read", str(tmp_path / "nowhere"), "--register", "0"]) == 4
    words = ["read", str(tmp_path / "nowhere"), "--register", "0", "--parity", "E"]
    capsys.readouterr()
    assert main([*words, "--baud", "19200"]) == 4
    assert "cannot be opened at 19200 Bd 8E1; check its name" in capsys.readouterr().err
    # What pymodbus says of it stays with pymodbus.
    assert caplog.records == []


@pytest.mark.parametrize(
    ("kind", "words", "number"),
    [
        ("float32", [0x4366, 0x8000], "230.5"),
        ("int16", [0xFFFF], "-1"),
        ("uint16", [0xFFFF], "65535"),
        ("int32", [0xFFFF, 0xFFFE], "-2"),
        ("uint32", [0x0001, 0x0000], "65536"),
        ("int64", [0, 0, 1, 0], "65536"),
    ],
)
def test_words_are_numbers_in_both_orders(kind: str, words: list[int], number: str) -> None:
    register = Register(0, kind)
    assert register.value(words, False) == Decimal(number)
    assert register.value(words[::-1], True) == Decimal(number)
    assert register.encoded(Decimal(number), False) == words
    assert register.encoded(Decimal(number), True) == words[::-1]


def test_a_number_that_does_not_fit_is_refused() -> None:
    with pytest.raises(SettingsError, match="is no int16"):
        Register(0, "int16").encoded(Decimal(40_000), False)
    with pytest.raises(SettingsError, match="is no float32"):
        Register(0, "float32").encoded(Decimal("1e60"), False)
    largest = struct.unpack(">f", b"\x7f\x7f\xff\xff")[0]
    assert Register(0, "float32").encoded(Decimal(largest), False) == [0x7F7F, 0xFFFF]


# What the firmware's own test of profiles has worked out by hand, in the units of the wire.
READINGS = {
    "u": "230",
    "i": "10",
    "p": "2300",
    "q": "0",
    "f": "50",
}


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_profile_is_read_as_the_meter_reads_it(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profile = json.loads((firmware_folder() / "profiles" / f"{name}.json").read_bytes())
    model = FAMILIES[name]
    phases = {1: (1_000,), 3: (500, 300, 200)}[model.phases]
    curve = constant_curve(host_ms() - 1_000, 2_300)
    device = EmulatedDevice(5, model, curve, shares_permille=phases, initial_import_wh=1_000)
    with Line(tmp_path / "line", [device], host_ms) as line:
        # A pty takes no parity, which the profile of an iEM3155 asks for.
        words = [str(line.link), "--profile", name, "--unit", "5", "--parity", "N"]
        assert main(["read", *words, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["missing"] == {}
    assert sorted(row["values"]) == sorted(profile["registers"])
    total = {key: value for key, value in READINGS.items() if key in row["values"]}
    assert total.items() <= row["values"].items()
    if model.phases == 3:
        assert {"u1": "230", "i1": "5", "i3": "2"}.items() <= row["values"].items()
    assert ("sunspec" in row) == name.startswith("sunspec")


def sunspec_line(folder: Path, model: Model) -> Line:
    curve = constant_curve(host_ms() - 1_000, 2_300)
    shares = {2: (500, 500), 3: (500, 300, 200)}[model.phases]
    return Line(folder / "line", [EmulatedDevice(1, model, curve, shares_permille=shares)], host_ms)


@pytest.mark.parametrize("base", [40_000, 0, 50_000])
def test_a_sunspec_model_is_found_behind_other_models(
    base: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = sunspec_meter(203, base, {103: 50, 64_001: 7})
    with sunspec_line(tmp_path, model) as line:
        assert main(["read", str(line.link), "--profile", "sunspec-203"]) == 0
    out = capsys.readouterr().out.splitlines()
    # SunS, then the models 1, 103 and 64001, each with a head of two registers.
    assert out[0] == f"SunSpec model 203 at {base + 2 + 68 + 52 + 9}"
    assert {"p 2300 W", "i2 3 A", "u3 230 V", "f 50 Hz"} <= set(out)


def test_what_a_sunspec_device_lacks_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with sunspec_line(tmp_path, sunspec_meter(202)) as line:
        read = ["read", str(line.link), "--profile", "sunspec-203"]
        assert main(read) == 0
        out = capsys.readouterr().out.splitlines()
        assert {"u1 230 V", "u3 -  (N: the device has no such quantity)"} <= set(out)
        assert main([*read, "--json"]) == 0
        row = json.loads(capsys.readouterr().out)
        assert row["missing"] == {"i3": "N", "p3": "N", "u3": "N"}
        assert row["sunspec"] == {"model": 202, "base": 40_070}
        # Another model than that of the profile is named.
        assert main(["read", str(line.link), "--profile", "sunspec-201"]) == 4
        err = capsys.readouterr().err
        assert "no whole model 201; it has 1 (66 words), 202 (105 words)" in err
        assert "sunspec-203 for more" in err


@pytest.mark.parametrize(("has_scale", "raw"), [(True, "5000 (1388)"), (False, "50 (0032)")])
def test_a_scale_factor_moves_the_point(
    has_scale: bool, raw: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with sunspec_line(tmp_path, sunspec_meter(203, has_hz_sf=has_scale)) as line:
        assert main(["read", str(line.link), "--register", str(40_070 + 16)]) == 0
        assert f"0x9c96 {raw}" in capsys.readouterr().out
        assert main(["read", str(line.link), "--profile", "sunspec-203"]) == 0
        assert "f 50 Hz" in capsys.readouterr().out


def test_a_firmware_without_its_reading_is_told(
    tmp_path: Path, line: Line, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "sdm120.json").write_text("{")
    words = ["read", str(line.link), "--profile", "sdm120", "--firmware"]
    assert main([*words, str(tmp_path)]) == 7
    assert "No module named 'adapter_read'" in capsys.readouterr().err
    for name in ("adapter_read.py", "wattle_meter"):
        (tmp_path / name).symlink_to(firmware_folder() / name)
    (tmp_path.parent / "protocol").symlink_to(firmware_folder().parent / "protocol")
    assert main([*words, str(tmp_path)]) == 7
    assert "refuses the profile: sdm120.json: not JSON" in capsys.readouterr().err
