"""A rehearsal on a board that is a meter: it says what would be done, and leaves the board so."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from wattle_gateway.pki import authority
from wattle_hil.devices.line import Line
from wattle_hil.serial_board.bench import BoardBench
from wattle_hil.serial_board.interpreter import connected_interpreter
from wattle_testkit.serial_boards import found, hashes, mac, put
from wattle_testkit.technician import WIFI, Technician
from wattle_tools.cli import main
from wattle_tools.image.linker.readable import Readable

MAC = mac(1).hex(":")
TALKS = b"""import time
while True:
 print('I tock')
 time.sleep_ms(200)
"""


@pytest.fixture
def port(line: Line, bench: BoardBench, ada: Technician, installed: bytes, tmp_path: Path) -> str:
    """A provisioned board behind which a device hangs."""
    port = bench.add(mac(1), installed, interpreter=connected_interpreter(line.link))
    words = ["--port", port, "--output", str(tmp_path), *WIFI, "--profile", "sdm120"]
    assert main(["provision", *words]) == 0
    return port


def contents(port: str) -> Mapping[str, str]:
    """The hash of every file on the board, but for that by which its program shows that it ran."""
    return {path: digest for path, digest in hashes(port).items() if path != "/started"}


def here(*folders: Path) -> Mapping[Path, bytes]:
    return {
        path: path.read_bytes() for folder in folders for path in folder.iterdir() if path.is_file()
    }


def test_a_board_stays_as_it_is(
    port: str, tmp_path: Path, tool_home: Path, ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    board = found(port).contents
    assert board is not None
    assert board.record is not None
    meter = board.record.meter
    # Of another key than the board's, which only the board can tell.
    issued = ada.root.issue_client(ec.generate_private_key(ec.SECP256R1()).public_key(), meter)
    pem = tmp_path / "tls.pem"
    pem.write_bytes(authority.pem(issued))
    output = ["--output", str(tmp_path / "out")]
    steps = {
        ("check",): "sign one sample, which stays in its outbox",
        ("probe", "1-2"): "ask the units 1-2 on its line, at every line setting; write to none",
        ("replace", "read", *output): f"write {tmp_path}/out/{meter}.reading.json",
        ("replace", "complete", "00" * 8, "--typed", "1:ei=1", *output): (
            f"write {tmp_path}/out/{'00' * 8}-{meter}.exchange.json"
        ),
        ("label", *output): f"write {tmp_path}/out/{meter}.png",
        ("seal", *output): "burn nothing: that is left to whoever reads the steps",
        ("certificate", str(pem)): f"put it in the place of what meter {meter} has",
    }
    before, files = contents(port), here(tmp_path, tool_home)
    capsys.readouterr()
    for words, expected in steps.items():
        assert main([*words, "--port", port, "--dry-run", "--json"]) == 0, words
        row = json.loads(capsys.readouterr().out)
        assert row["dry_run"] is True
        assert any(expected in one for one in row["would"]), (words, row)
    assert contents(port) == before
    assert here(tmp_path, tool_home) == files
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_done_is_refused_in_a_rehearsal_too(
    port: str, tmp_path: Path, ada: Technician, capsys: pytest.CaptureFixture[str]
) -> None:
    pem = tmp_path / "tls.pem"
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem.write_bytes(authority.pem(ada.root.issue_client(public, "00" * 8)))
    where = ["--port", port, "--dry-run"]
    assert main(["certificate", str(pem), *where]) == 1
    assert "names another meter than" in capsys.readouterr().err
    assert main(["check", "--mac", mac(9).hex(), *where]) == 3
    assert f"no board {mac(9).hex(':')}; there are: {MAC}" in capsys.readouterr().err
    assert main(["replace", "complete", "no", "--typed", "1:ei=1", *where]) == 1
    (tmp_path / "out").mkdir()
    assert main(["seal", "--output", str(tmp_path / "out"), *where]) == 7
    assert "name a new folder" in capsys.readouterr().err


def test_a_probe_says_it_for_programs(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["probe", "--port", port, "1", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["mac"], row["units"]) == (MAC, "1")
    assert any("units [1] answer" in line for line in row["said"])


def test_what_a_board_says_is_an_object_a_line(
    port: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = tmp_path / "wattle.names.json"
    names.write_text(Readable({}, {}, {}, {}, {}, {}).text())
    put(port, "/main.py", TALKS)
    capsys.readouterr()
    assert main(["log", "--port", port, "--seconds", "1", "--names", str(names), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"line": "I tock"} in rows
