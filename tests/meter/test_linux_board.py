"""The Linux board's program says what is wrong with arguments, folder and store, and ends."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_hil.children.processes import ProcessGroup
from wattle_testkit import waiting
from wattle_testkit.meter_site import FIRMWARE, Board, MeterSite

MAIN = FIRMWARE / "boards" / "linux" / "main.py"
DEADLINE_S = 20.0


@pytest.fixture
def site(tmp_path: Path, group: ProcessGroup) -> MeterSite:
    return MeterSite(tmp_path, group)


@pytest.fixture
def board(site: MeterSite) -> Board:
    return site.board("meter", "64", Path("/dev/null"))


def ended(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [parts.micropython(64), MAIN, *arguments],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "expected the folder of the board"),
        (("--no-such",), "argument --no-such is not known"),
        (("one", "two"), "argument two is not known"),
        (("one", "--status"), "argument --status is not known or lacks its value"),
        (("one", "--log", "9"), "argument --log is not known or lacks its value"),
    ],
)
def test_wrong_arguments(arguments: tuple[str, ...], complaint: str) -> None:
    done = ended(*arguments)
    assert done.returncode == 2
    assert complaint in done.stderr


def test_a_folder_that_is_no_board(tmp_path: Path) -> None:
    done = ended(str(tmp_path / "none"))
    assert done.returncode == 1
    assert "OSError" in done.stderr
    done = ended(str(tmp_path))
    assert done.returncode == 1
    assert f"{tmp_path}/config.json" in done.stderr


def test_a_bench_clock_that_is_none(tmp_path: Path, board: Board) -> None:
    clock = tmp_path / "clock.json"
    for text, complaint in (
        ("no clock", "clock.json: not JSON"),
        ('{"base_ms": 1}', "clock.json: base_ms: 1, expected an integer 946684800000"),
    ):
        clock.write_text(text)
        done = ended(str(board.folder), "--bench-clock", str(clock))
        assert done.returncode == 1
        assert complaint in done.stderr


def test_the_identity_stays_the_same(board: Board) -> None:
    first, second = (ended(str(board.folder), "--identity") for _ in range(2))
    assert first.returncode == 0
    assert first.stdout == second.stdout
    said = json.loads(first.stdout)
    assert said["meter"] == board.meter.meter
    mac = bytes.fromhex(said["eui64"])
    assert mac[3:5] == b"\xff\xfe"
    assert mac[0] & 3 == 2  # locally administered, unicast


@pytest.mark.parametrize("name", ["keys", "eui64"])
def test_a_damaged_store_is_named_and_left_alone(board: Board, name: str) -> None:
    path = board.folder / "nvs" / name
    content = path.read_bytes()
    for damaged in (b"", content[:-1], bytes([content[0] ^ 1]) + content[1:]):
        path.write_bytes(damaged)
        done = ended(str(board.folder))
        assert done.returncode == 1
        assert f"nvs/{name} is damaged" in done.stderr
        assert path.read_bytes() == damaged


def test_keys_that_vanished_are_not_replaced(board: Board, group: ProcessGroup) -> None:
    group.start(board.process)
    waiting.until(lambda: board.status().get("samples"), DEADLINE_S, "samples")
    board.process.stop(DEADLINE_S)
    (board.folder / "nvs" / "keys").unlink()
    done = ended(str(board.folder), "--identity")
    assert done.returncode == 1
    assert "its keys were lost" in done.stderr
    assert not (board.folder / "nvs" / "keys").exists()


def test_seqs_are_not_begun_again_when_their_record_is_lost(board: Board) -> None:
    for path in (board.folder / "nvs").glob("seq_*"):
        path.unlink()
    done = ended(str(board.folder))
    assert done.returncode == 1
    assert "no record of the sequence numbers used" in done.stderr


def test_another_keys_outbox_is_refused(site: MeterSite, board: Board, group: ProcessGroup) -> None:
    group.start(board.process)
    waiting.until(lambda: board.status().get("samples"), DEADLINE_S, "samples")
    board.process.stop(DEADLINE_S)
    other = site.board("other", "64", Path("/dev/null"))
    shutil.copytree(board.folder / "outbox", other.folder / "outbox")
    done = ended(str(other.folder))
    assert done.returncode == 1
    assert "another key's outbox?" in done.stderr


def test_two_processes_cannot_be_one_board(board: Board, group: ProcessGroup) -> None:
    group.start(board.process)
    waiting.until(lambda: board.status().get("samples"), DEADLINE_S, "samples")
    done = ended(str(board.folder))
    assert done.returncode == 1
    assert "in use by another process" in done.stderr
    assert board.process.alive


def test_without_certificate_and_broker_samples_are_kept(
    board: Board, group: ProcessGroup, tmp_path: Path
) -> None:
    (board.folder / "tls.crt.der").unlink()
    group.start(board.process)
    waiting.until(lambda: board.status().get("outbox_flash_bytes"), DEADLINE_S, "an outbox")
    log = tmp_path / "meter.log"
    waiting.until(lambda: "tls.crt.der" in log.read_text(), DEADLINE_S, "what is missing")
    board.process.stop(DEADLINE_S)
    assert [path.name for path in (board.folder / "outbox").iterdir()] == ["00000001.seg"]


def test_the_firmware_knows_its_own_version() -> None:
    text = (FIRMWARE.parent / "pyproject.toml").read_text()
    source = (FIRMWARE / "wattle_meter" / "app.py").read_text()
    version = next(line for line in text.splitlines() if line.startswith("version = "))
    assert version.partition(" = ")[2] in source
