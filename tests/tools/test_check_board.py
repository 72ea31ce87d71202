"""check, probe and log of a provisioned board whose UART has an emulated metering device."""

import json
import shutil
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_hil.children.processes import ProcessGroup
from wattle_hil.devices.faults import FaultRule, FaultScript, NoReply
from wattle_hil.devices.line import Line
from wattle_hil.serial_board.bench import BoardBench
from wattle_hil.serial_board.interpreter import connected_interpreter
from wattle_testkit.meter_site import MeterSite
from wattle_testkit.serial_boards import (
    files,
    found,
    mac,
    put,
    small_application,
)
from wattle_testkit.technician import PASSWORD, WIFI, Technician
from wattle_tools.check import trial
from wattle_tools.cli import main
from wattle_tools.image.linker.readable import Readable

IN_LIB = [path for path in small_application().as_files if path.endswith(".mpy")]
# Says what a board may say: news, what would clear a terminal, a traceback.
TALKS = b"""import time
while True:
 print('I tock\\x1b[2J')
 print('  File "wattle.py", line 1, in a')
 time.sleep_ms(200)
"""
SETS_CLOCK = b"print('I clock: set by 5 ms')\n"
# A board's, as the firmware's tests model it.
HEAP_BYTES = 110 * 1_024
# Slots long enough for a busy host.
METER = ("--profile", "sdm120", "--interval-ms", "3000")


@pytest.fixture(scope="module", autouse=True)
def micropython32() -> None:
    """Its objects have the size that they have on a board."""
    try:
        parts.micropython(32)
    except parts.PartMissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def port(line: Line, bench: BoardBench, installed: bytes) -> str:
    return bench.add(mac(1), installed, interpreter=connected_interpreter(line.link))


def provision(port: str, folder: Path, *options: str) -> None:
    words = ["--port", port, "--output", str(folder), *WIFI, *METER, *options]
    assert main(["provision", *words]) == 0


def check(port: str, *options: str) -> int:
    return main(["check", "--port", port, "--rounds", "1", *options])


def test_a_board_reads_and_signs_and_its_faults_have_names(
    port: str, line: Line, ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    ada.take_authority()
    provision(port, ada.folder)
    capsys.readouterr()
    assert check(port, "--load-w", "2300", "--offline") == 0
    out = capsys.readouterr().out
    assert "i 10.000 A, p 2300.0 W" in out
    assert "ok    device 1: it sees 2300 W of 2300 W" in out
    assert "ok    meter: sample 1 verifies under the key of meter" in out
    assert "look  gateway.example: OSError" in out
    assert "look  clock: it is not set; its gateway sets it once it is reached" in out
    # The meter goes on behind that sample, which is kept for its gateway.
    assert any(path.startswith("/outbox/") for path in files(port))
    assert check(port, "--load-w", "-2300", "--json") == 1
    row = json.loads(capsys.readouterr().out)
    faults = [one for one in row["findings"] if one["level"] == "fault"]
    assert [one["about"] for one in faults] == ["device 1", "gateway.example"]
    assert "the other way round" in faults[0]["what"]
    assert any(one["what"].startswith("sample 2 verifies") for one in row["findings"])
    line.inject(FaultScript([FaultRule(NoReply())]))
    assert check(port, "--offline") == 1
    assert "fault device 1: it does not answer; check cable" in capsys.readouterr().out
    assert main(["audit", "--action", "check"]) == 0
    assert "device 1: it does not answer" in capsys.readouterr().out
    assert sorted(path for path in files(port) if path.endswith(".mpy")) == sorted(IN_LIB)


def test_all_that_is_brought_fits_the_heap_of_a_board(
    tmp_path: Path,
    line: Line,
    installed: bytes,
    ada: Technician,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ada.take_authority()
    (tmp_path / "small").mkdir()
    with BoardBench(tmp_path / "small") as bench:
        interpreter = connected_interpreter(line.link, HEAP_BYTES)
        port = bench.add(mac(2), installed, interpreter=interpreter)
        provision(port, ada.folder)
        capsys.readouterr()
        check(port, "--offline")
    out = capsys.readouterr().out
    assert "ok    meter: sample 1 verifies under the key of meter" in out
    assert "look  gateway.example: OSError" in out


def test_a_broker_that_knows_the_meter_lets_it_in(
    port: str,
    tmp_path: Path,
    tool_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WATTLE_WIFI_PASSWORD", PASSWORD)
    with ProcessGroup() as group:
        site = MeterSite(tmp_path, group)
        site.site_file()
        ada = Technician(tmp_path / "ada", tool_home, site.authority)
        ada.folder.mkdir()
        shutil.copyfile(tmp_path / "site.json", ada.folder / "site.json")
        ada.add_site()
        ada.take_authority()
        provision(port, tmp_path)
        site.admit_guest("00" * 8)  # a meter of somebody else
        site.start_broker()
        assert check(port) == 1
        assert (
            "fault localhost: MqttError: connection refused: 5, not authorised"
            in capsys.readouterr().out
        )
        assert site.broker is not None
        site.broker.stop(10.0)
        record = found(port).contents
        assert record is not None
        assert record.record is not None
        site.admit_guest(record.record.meter)
        site.start_broker()
        # A meter says so when its gateway has given it the time; this board has none to say it.
        put(port, "/main.py", SETS_CLOCK)
        assert check(port) == 0
        out = capsys.readouterr().out
        assert "ok    localhost: its broker lets the meter in" in out
        assert "ok    network: joined, -61 dBm" in out
        assert "ok    clock: it is set" in out
        assert ", key: file, certificate until" in out
        put(port, "/main.py", b"")
        monkeypatch.setattr(trial, "CLOCK_S", 0.5)
        assert check(port) == 0
        assert "look  clock: no gateway has set it; a gateway gives" in capsys.readouterr().out


def test_a_probe_says_who_answers(
    port: str, ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    provision(port, ada.folder)
    capsys.readouterr()
    assert main(["probe", "--port", port, "1-2"]) == 0
    assert main(["audit", "--action", "probe"]) == 0
    out = capsys.readouterr().out
    assert "probe  24:0a:c4:00:00:01  done  units 1-2" in out
    assert "9600 Bd 8N1: units [1] answer" in out
    assert "unit 1: " in out
    assert "u 230.0 V" in out


@pytest.mark.parametrize("units", ["", "0", "248", "1-", "3-x", "1,,2", "-5"])
def test_units_are_checked_before_a_board_is_stopped(units: str) -> None:
    with pytest.raises(SystemExit):
        main(["probe", "--port", "/dev/nowhere", "--", units])


def test_a_meter_without_a_certificate_calls_on_nobody(
    port: str, ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    provision(port, ada.folder)
    assert check(port) == 1
    out = capsys.readouterr().out
    assert "fault meter: it has no certificate, so no broker lets it in; bring it with" in out


def test_a_board_that_is_no_meter_yet_is_sent_back(
    port: str, ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(port) == 4
    assert "it is no meter yet; provision it first" in capsys.readouterr().err
    assert main(["audit", "--action", "check", "--json"]) == 0
    _, entry = json.loads(capsys.readouterr().out)["entries"]
    assert (entry["mac"], entry["result"]) == (mac(1).hex(":"), "failed")
    assert entry["facts"]["reason"] == "it is no meter yet; provision it first"


def test_what_a_board_says_is_printed(
    port: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = tmp_path / "wattle.names.json"
    functions = {"a": ["wattle_meter.journal:Journal.record"]}
    names.write_text(Readable(functions, {}, {}, {}, {}, {}).text())
    put(port, "/main.py", TALKS)
    assert main(["log", "--port", port, "--seconds", "1", "--names", str(names)]) == 0
    out = capsys.readouterr().out
    assert "I tock?[2J" in out
    assert "\x1b" not in out
    assert "wattle_meter.journal:Journal.record" in out
