"""From a bare board to a meter whose first sample is final: flash, provision, enrol, by commands.

The real esptool and mpremote, the whole firmware as it is linked for an ESP32, on the emulated
board; a real gateway with its broker.
"""

import hashlib
import json
import sys
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_hil.clock import host_ms
from wattle_hil.devices.line import Line
from wattle_hil.serial_board.bench import BoardBench
from wattle_hil.serial_board.interpreter import connected_interpreter
from wattle_hil.serial_board.program_image import interpreter_image
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.meter_site import emulated_sdm120
from wattle_testkit.serial_boards import mac
from wattle_testkit.technician import PASSWORD, WIFI
from wattle_testkit.waiting import until
from wattle_tools.cli import main

pytestmark = pytest.mark.slow
THROUGH = f"{sys.executable} -m wattle_gateway"
FINAL_S = 60.0


def row_of(gateway: GatewayProcess) -> dict[str, object] | None:
    """The only meter of a gateway, once it has one."""
    done = command("meters", "list", gateway.folder, "--format", "json")
    rows = json.loads(done.stdout)
    return dict(rows[0]) if rows else None


def final_row(gateway: GatewayProcess) -> dict[str, object] | None:
    """It, once a sample is final."""
    row = row_of(gateway)
    return row if row is not None and int(str(row["final"])) >= 1 else None


def test_a_bare_board_becomes_a_meter_whose_first_sample_is_final(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        parts.micropython(64)
    except parts.PartMissingError as error:
        pytest.skip(str(error))
    monkeypatch.setenv("WATTLE_WIFI_PASSWORD", PASSWORD)
    image = tmp_path / "interpreter.bin"
    image.write_bytes(interpreter_image())
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    gateway = GatewayProcess(tmp_path / "gateway", "--site", "substation-7")
    gateway.start()
    (tmp_path / "boards").mkdir()
    try:
        with (
            Line(tmp_path / "line", [emulated_sdm120(host_ms() - 1_000)], host_ms) as line,
            BoardBench(tmp_path / "boards") as bench,
        ):
            port = bench.add(mac(1), interpreter=connected_interpreter(line.link))
            flash = ["flash", "--port", port, "--image", str(image), "--accept-image", digest]
            assert main(flash) == 0
            words = ["--port", port, "--output", str(tmp_path), *WIFI, "--profile", "sdm120"]
            words += ["--site-file", str(gateway.home.bundle), "--enrol-through", THROUGH]
            assert main(["provision", *words, "--gateway-folder", str(gateway.folder)]) == 0
            row = until(lambda: final_row(gateway), FINAL_S, "a final sample on the ledger")
            assert row["protection"] == "file"
            assert str(row["firmware"])
    finally:
        gateway.stop()
    assert command("audit", gateway.folder).returncode == 0
