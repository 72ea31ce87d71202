"""`wattle-hil device` as a technician uses it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pymodbus.client import ModbusSerialClient
from wattle_testkit.waiting import until

DEADLINE_S = 15.0
CURVE = "t,p\n2007-02-01T00:00:00,1500\n2007-02-01T00:01:00,1500\n"


def device(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "wattle_hil", "device", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_device_is_served_until_it_is_told_to_end(tmp_path: Path, number: int) -> None:
    (tmp_path / "load.csv").write_text(CURVE, encoding="utf-8")
    port = tmp_path / "port"
    columns = ("--curve", str(tmp_path / "load.csv"), "--time", "t", "--power", "p", "--unit", "W")
    served = device("sdm120", "--port", str(port), *columns, "--unit-id", "7")
    try:
        until(port.is_symlink, DEADLINE_S, "the port is there")
        client = ModbusSerialClient(str(port), baudrate=9_600, timeout=2)
        assert client.connect()
        watts = client.read_input_registers(0x0C, count=2, device_id=7)
        client.close()
        assert client.convert_from_registers(watts.registers, client.DATATYPE.FLOAT32) == 1_500
        os.kill(served.pid, number)
        said, errors = served.communicate(timeout=DEADLINE_S)
    finally:
        served.kill()
    assert (served.returncode, errors) == (0, "")
    assert "SDM120, unit 7, 9600 baud 8N1" in said
    assert not port.is_symlink()


def test_a_made_load_needs_no_file(tmp_path: Path) -> None:
    served = device("sdm630", "--port", str(tmp_path / "port"), "--shape", "office")
    try:
        until((tmp_path / "port").is_symlink, DEADLINE_S, "the port is there")
        served.terminate()
        said, _ = served.communicate(timeout=DEADLINE_S)
    finally:
        served.kill()
    assert served.returncode == 0
    assert said.startswith("office: ")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--curve", "absent.csv", "--time", "t", "--power", "p", "--unit", "W"), "absent.csv"),
        (("--curve", "absent.csv"), "--curve needs --time, --power and --unit"),
        (("--shape", "office", "--baud", "1234"), "1234 baud"),
        (("--adjustable", "1"), "expected all different"),
        (("--adjustable", "9", "--load-start", "10001"), "10001 W, expected 0 to 10000"),
    ],
)
def test_what_cannot_be_served_is_said_with_exit_code_2(
    tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    served = device("sdm120", "--port", str(tmp_path / "port"), *arguments)
    said, errors = served.communicate(timeout=DEADLINE_S)
    assert (served.returncode, said) == (2, "")
    assert errors.startswith("wattle-hil: ")
    assert problem in errors
