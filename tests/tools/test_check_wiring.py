"""check of a board with three-phase devices that are connected as installers get it wrong."""

import json
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_hil.clock import host_ms
from wattle_hil.devices.device import EmulatedDevice
from wattle_hil.devices.em340 import EM340
from wattle_hil.devices.line import Line
from wattle_hil.devices.sdm import SDM630
from wattle_hil.devices.wiring import Wiring
from wattle_hil.serial_board.bench import BoardBench
from wattle_hil.serial_board.interpreter import connected_interpreter
from wattle_hil.serial_board.program_image import interpreter_image
from wattle_testkit.meter_site import constant_curve
from wattle_testkit.serial_boards import flashed_content, mac, small_application
from wattle_testkit.technician import PASSWORD, WIFI, technician
from wattle_tools.cli import main

LOAD_W = 24_000
RATIO = 40  # of transformers 200/5
WIRINGS = [
    Wiring(ratio=RATIO),
    Wiring(ratio=RATIO, currents=(2, 1, 3)),
    Wiring(ratio=RATIO, currents=(2, 3, 1)),
    Wiring(ratio=RATIO, turned=(2,)),
    # All right but for what stands on the transformers: 400/5.
    Wiring(ratio=2 * RATIO),
]


def on_line() -> list[EmulatedDevice]:
    """Units 1 to 5 under the same load, each connected in its own way; the last is an EM340."""
    curve = constant_curve(host_ms() - 1_000, LOAD_W)
    models = [SDM630] * 4 + [EM340]
    return [
        # One speed and parity is the line's; the emulated line does not look at either.
        EmulatedDevice(unit, model, curve, wiring=wiring)
        for unit, (model, wiring) in enumerate(zip(models, WIRINGS, strict=True), 1)
    ]


def test_each_way_to_connect_it_wrongly_is_named(
    tmp_path: Path,
    tool_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    try:
        parts.micropython(64)
    except parts.PartMissingError as error:
        pytest.skip(str(error))
    monkeypatch.setenv("WATTLE_WIFI_PASSWORD", PASSWORD)
    ada = technician(tmp_path, tool_home)
    site = json.loads(ada.site_json.read_bytes())
    site["gateways"][0]["host"] = "localhost"  # refuses at once: no name is looked up in vain
    ada.site_json.write_text(json.dumps(site))
    ada.add_site()
    content = flashed_content(tmp_path, interpreter_image(), small_application())
    provision = ["--output", str(tmp_path), "--interval-ms", "5000", "--baud", "9600"]
    loads = []
    for number in range(1, len(WIRINGS) + 1):
        profile = "em340" if number == len(WIRINGS) else "sdm630"
        provision += ["--device", f"{number}:{profile}:{number}", "--ct", f"{number}:200/5"]
        loads += ["--load-w", f"{number}:{LOAD_W}"]
    (tmp_path / "boards").mkdir()
    with (
        Line(tmp_path / "line", on_line(), host_ms) as line,
        BoardBench(tmp_path / "boards") as bench,
    ):
        port = bench.add(mac(1), content, interpreter=connected_interpreter(line.link))
        assert main(["provision", "--port", port, *WIFI, *provision]) == 0
        capsys.readouterr()
        words = ["check", "--port", port, "--rounds", "1", "--offline", "--json", *loads]
        assert main(words) == 1
    row = json.loads(capsys.readouterr().out)
    said = [
        [one for one in row["findings"] if one["about"] == f"device {number}"]
        for number in range(1, len(WIRINGS) + 1)
    ]
    told = [[f"{one['level']}: {one['what']}" for one in findings] for findings in said]
    half = "power factor -0.50"
    assert told == [
        ["ok: it sees 24000 W of 24000 W"],
        [
            f"fault: currents of phases 1, 2 belong to other voltages: {half}, {half}",
            "look: it sees -12 W of 24000 W",
        ],
        [
            f"fault: currents of phases 1, 2, 3 belong to other voltages: {half}, {half}, {half}",
            "look: it sees -12000 W of 24000 W",
        ],
        [
            "fault: phase 2 counts the other way round than the others",
            "look: it sees 8016 W of 24000 W",
        ],
        ["fault: it sees 12000 W of 24000 W"],
    ]
    # A wrong sum is not taken for a wrong ratio while its phases are wrong.
    advice = [findings[-1]["advice"] for findings in said]
    assert advice[1:4] == ["mend its phases first, then check again"] * 3
    assert "the ratio is 80 and not 40" in advice[4]
