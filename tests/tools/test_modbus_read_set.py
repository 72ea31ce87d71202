"""read and set: a device at the laptop's own adapter, by pymodbus."""

import json
import struct
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from wattle_hil.clock import host_ms
from wattle_hil.devices.adjustable_load import SETPOINT_10W, SETPOINT_W, AdjustableLoad
from wattle_hil.devices.faults import FaultRule, FaultScript, NoReply
from wattle_hil.devices.line import Line
from wattle_testkit.meter_site import emulated_sdm120
from wattle_tools.cli import main
from wattle_tools.device import firmware_folder
from wattle_tools.errors import SettingsError
from wattle_tools.modbus import registers
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
    assert "is 3000, would be set to 1500" in capsys.readouterr().out
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
    assert [row["facts"]["before"] for row in noted] == ["3000", "150"]


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
        (["read"], 7, "give --profile or --register"),
        (["read", "--profile", "sdm999"], 7, "'sdm999' is no profile"),
        (["read", "--profile", "sunspec-203"], 7, "is SunSpec"),
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
    line: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wattle_tools.modbus.command._ANSWER_S", 0.05)
    line.inject(FaultScript([FaultRule(NoReply())]))
    assert main(["read", str(line.link), "--register", "0"]) == 4
    assert "unit 1 does not answer; check A and B" in capsys.readouterr().err
    assert main(["read", str(tmp_path / "nowhere"), "--register", "0"]) == 4
    assert "cannot be opened" in capsys.readouterr().err


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


def test_every_profile_but_sunspec_can_be_read_so() -> None:
    for path in (firmware_folder() / "profiles").glob("*.json"):
        if path.stem.startswith("sunspec"):
            continue
        assert registers.profile(firmware_folder(), path.stem).registers
