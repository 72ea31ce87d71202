"""A meter is exchanged: its last and its successor's first registers, signed by both."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_hil.clock import host_ms
from wattle_hil.devices.line import Line
from wattle_hil.serial_board.bench import BoardBench
from wattle_hil.serial_board.interpreter import connected_interpreter
from wattle_hil.serial_board.program_image import interpreter_image
from wattle_testkit.alliance import Board, epoch_of, reading
from wattle_testkit.meter_site import emulated_sdm120
from wattle_testkit.serial_boards import flashed_content, mac, small_application
from wattle_testkit.technician import PASSWORD, WIFI, technician
from wattle_tools.cli import main
from wattle_tools.errors import ExchangeError
from wattle_tools.exchange import readings
from wattle_tools.exchange.readings import SignedReading

EPOCH = epoch_of()
AT_MS = 1_790_000_000_000


def signed(name: str, site: str = "desk-3", **energies: int) -> SignedReading:
    board = Board(name, EPOCH)
    sample = board.sample(1, [reading(AT_MS, **energies)])
    return readings.verified(EPOCH.ledger_id, site, board.proof(), sample.raw, name)


def saved(folder: Path, one: SignedReading) -> Path:
    path = folder / f"{one.meter}.reading.json"
    path.write_text(json.dumps(one.row()))
    return path


def test_registers_that_go_on_are_told_from_those_that_begin_anew() -> None:
    old, new = signed("old", ei=5_000, ee=3), signed("new", ei=5_001, ee=3)
    row = json.loads(readings.exchange(old.meter, old, old.energies, new))
    assert row["registers"] == [
        {
            "d": 1,
            "final": {"ei": 5_000, "ee": 3},
            "first": {"ei": 5_001, "ee": 3},
            "continues": True,
        }
    ]
    anew = signed("new", ei=2, ee=0)
    [register] = json.loads(readings.exchange(old.meter, old, old.energies, anew))["registers"]
    assert register["continues"] is False


def test_a_reading_that_was_changed_is_none(tmp_path: Path) -> None:
    one = signed("old", ei=5_000)
    path = saved(tmp_path, one)
    assert readings.load(path) == one
    row = one.row()
    other = signed("other", ei=5_000)
    for change in (
        {"sample": other.sample.hex()},
        {"proof": other.proof.hex()},
        {"sample": (one.sample[:-1] + bytes([one.sample[-1] ^ 1])).hex()},
        {"ledger_id": "00" * 16},
        {"sample": "zz"},
        {"site": "No"},
        {"format": 2},
    ):
        path.write_text(json.dumps({**row, **change}))
        with pytest.raises(ExchangeError):
            readings.load(path)
    for text in ("", "[]", "{"):
        path.write_text(text)
        with pytest.raises(ExchangeError, match="not a meter's reading"):
            readings.load(path)


def test_what_does_not_belong_together_is_no_exchange() -> None:
    old = signed("old", ei=5_000)
    with pytest.raises(ExchangeError, match="take the readings of one place"):
        readings.exchange(old.meter, old, old.energies, signed("new", "desk-4", ei=1))
    with pytest.raises(ExchangeError, match="the old has devices 2, the new 1"):
        readings.exchange(old.meter, None, {2: {"ei": 1}}, signed("new", ei=1))


@pytest.mark.parametrize(
    "text", ["", "1", "1:", "x:ei=1", "0:ei=1", "33:ei=1", "1:p=1", "1:ei=1,ei=2", "1:ei=-1"]
)
def test_what_is_typed_has_a_form(text: str) -> None:
    with pytest.raises(ValueError, match="expected D:ei=WH"):
        readings.typed(text)


@pytest.fixture
def ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tool_home: Path) -> Iterator[list[str]]:
    """Two provisioned boards, each behind its own adapter to the same kind of device."""
    try:
        parts.micropython(64)
    except parts.PartMissingError as error:
        pytest.skip(str(error))
    monkeypatch.setenv("WATTLE_WIFI_PASSWORD", PASSWORD)
    (tmp_path / "flashed").mkdir()
    content = flashed_content(tmp_path / "flashed", interpreter_image(), small_application())
    technician(tmp_path, tool_home).add_site()
    lines = [
        Line(tmp_path / f"line{number}", [emulated_sdm120(host_ms() - 1_000)], host_ms)
        for number in range(2)
    ]
    with lines[0], lines[1], BoardBench(tmp_path) as bench:
        found = []
        for number, line in enumerate(lines, 1):
            interpreter = connected_interpreter(line.link)
            found.append(bench.add(mac(number), content, interpreter=interpreter))
            words = ["--port", found[-1], "--output", str(tmp_path), *WIFI]
            assert main(["provision", *words, "--profile", "sdm120"]) == 0
        yield found


def test_a_board_is_exchanged_for_another(
    ports: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = ports
    where = ["--output", str(tmp_path)]
    capsys.readouterr()
    assert main(["replace", "read", "--port", old, *where, "--json"]) == 0
    kept = Path(json.loads(capsys.readouterr().out)["file"])
    assert main(["replace", "complete", str(kept), "--port", new, *where]) == 0
    [file] = tmp_path.glob("*.exchange.json")
    row = json.loads(file.read_text())
    meters = [row["old"]["meter"], row["new"]["meter"]]
    assert file.name == f"{meters[0]}-{meters[1]}.exchange.json"
    [register] = row["registers"]
    assert min(register["final"]["ei"], register["first"]["ei"]) >= 1_000
    assert f"wattle-tool retire {meters[0]}" in capsys.readouterr().out
    # A dead one has only what its device's display shows.
    typed = ["replace", "complete", "00" * 8, "--typed", "1:ei=900,ee=0", "--port", new, *where]
    assert main(typed) == 0
    assert main(["audit", "--action", "replace", "--json"]) == 0
    out = capsys.readouterr().out
    noted = json.loads(out[out.index('{\n "entries"') :])["entries"]
    assert [entry["result"] for entry in noted] == ["begun", "done"] * 2
    assert [entry["facts"]["typed"] for entry in noted[1::2]] == [False, True]
