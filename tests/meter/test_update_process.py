"""A meter's process is updated, and goes back by itself from what does not work; real parts."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_hil.children.processes import ProcessGroup
from wattle_hil.clock import BenchClock, host_ms
from wattle_hil.devices.line import Line
from wattle_testkit import waiting
from wattle_testkit.meter_site import FIRMWARE, LEDGER_ID, Board, MeterSite, emulated_sdm120
from wattle_testkit.update_sender import UpdateSender, program_image, signed
from wattle_tools import update_bundle
from wattle_tools.board_folder import Firmware
from wattle_wire import topics, update

START_S = 30.0
UPDATE_S = 90.0
STOP_S = 10.0
PORT_OF_NOBODY = 9  # "discard": nothing listens there
SPEED = 100  # ten minutes of trial are six seconds

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def new_firmware(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The firmware of this checkout as version 9.9.9."""
    folder = tmp_path_factory.mktemp("sources")
    shutil.copytree(FIRMWARE, folder / "firmware")
    (folder / "protocol").symlink_to(FIRMWARE.parent / "protocol")
    app = folder / "firmware" / "wattle_meter" / "app.py"
    text = app.read_text()
    app.write_text(text.replace('VERSION = "0.1.0"', 'VERSION = "9.9.9"'))
    assert app.read_text() != text
    return update_bundle.firmware_file(folder / "firmware", "linux")


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with Line(tmp_path / "line", [emulated_sdm120(host_ms() - 1_000)], host_ms) as line:
        yield line


@pytest.fixture
def board(site: MeterSite, group: ProcessGroup, line: Line) -> Board:
    """A board that runs what it was made with, and has had a sample acknowledged."""
    board = site.board("meter", "64", line.link)
    site.start_broker()
    group.start(board.process)
    samples_since(board, 0)
    return board


def samples_since(board: Board, seq: int) -> int:
    """Waits for a sample above `seq`; the newest one then."""
    waiting.until(lambda: max(board.meter.samples, default=0) > seq, START_S, "a new sample")
    return max(board.meter.samples)


def sender(
    site: MeterSite, board: Board, version: int, files: list[tuple[str, bytes]]
) -> UpdateSender:
    kind = "linux" if files[0][0] == update.FIRMWARE else ""
    made = signed(LEDGER_ID, version, kind, files, site.members)
    sending = UpdateSender(site.gateway, board.meter, made)
    sending.offer()
    return sending


def births(board: Board) -> list[tuple[object, object]]:
    """(fw, version) of each birth so far."""
    return [(birth["fw"], birth["version"]) for birth in board.meter.births]


def test_a_new_version_shows_in_its_birth_and_stays(
    site: MeterSite, board: Board, group: ProcessGroup, new_firmware: bytes
) -> None:
    files = [(update.FIRMWARE, new_firmware)]
    sender(site, board, 7, files).until(7, update.CONFIRMED, UPDATE_S)
    assert births(board)[0] == ("0.1.0", 0)
    assert births(board)[-1] == ("9.9.9", 7)
    assert (7, update.TRIAL, 0) in board.meter.news
    # After a kill the new one starts, and it refuses what is older.
    board.process.kill()
    seen = len(board.meter.births)
    group.start(board.process)
    waiting.until(lambda: len(board.meter.births) > seen, START_S, "a birth")
    assert births(board)[-1] == ("9.9.9", 7)
    for version in (6, 7):
        sender(site, board, version, files).until(version, update.OLDER, START_S)
    samples_since(board, max(board.meter.samples))
    assert board.meter.broken == []
    assert board.meter.broken_links() == []
    board.process.stop(STOP_S)
    # Flash that has lost it: what was installed runs, and does not pretend.
    (board.folder / "slot1" / update.FIRMWARE).write_bytes(bytes(1_000))
    group.start(board.process)
    waiting.until(lambda: births(board)[-1] == ("0.1.0", 0), START_S, "what was installed")
    board.process.stop(STOP_S)


def test_a_version_that_does_not_start_gives_way(
    site: MeterSite, board: Board, tmp_path: Path
) -> None:
    image = program_image(tmp_path, "def main(arguments):\n    raise ValueError('broken')\n")
    sending = sender(site, board, 8, [(update.FIRMWARE, image)])
    sending.until(8, update.ROLLED_BACK, UPDATE_S)
    assert births(board)[-1] == ("0.1.0", 0)
    assert board.process.log.read_text().count("ValueError: broken") == 3
    samples_since(board, max(board.meter.samples))
    assert board.meter.broken_links() == []
    board.process.stop(STOP_S)


def test_gateways_that_acknowledge_nothing_are_left_again(
    site: MeterSite, group: ProcessGroup, line: Line, tmp_path: Path
) -> None:
    """Settings alone, to a gateway that is not there: ten minutes later the old ones hold."""
    clock = tmp_path / "clock"
    BenchClock(host_ms(), host_ms(), SPEED).save(clock)
    board = site.board(
        "meter", "64", line.link, "--bench-clock", str(clock), interval_ms=1_000 * SPEED
    )
    site.start_broker()
    group.start(board.process)
    before = samples_since(board, 0)
    config = json.loads((board.folder / "config.json").read_bytes())
    row = config["gateways"][0] | {"port": PORT_OF_NOBODY}
    alliance = {"gateways": [row], "members": config["members"]}
    files = [
        (update.ALLIANCE, json.dumps(alliance).encode()),
        (row["ca"], (board.folder / row["ca"]).read_bytes()),
    ]
    sender(site, board, 9, files).until(9, update.ROLLED_BACK, UPDATE_S)
    assert "update: 9 gets no sample through" in board.process.log.read_text()
    samples_since(board, before)
    board.process.stop(STOP_S)


def test_a_kill_in_the_middle_leaves_the_old_one_running(
    site: MeterSite, board: Board, group: ProcessGroup, new_firmware: bytes
) -> None:
    files = [(update.FIRMWARE, new_firmware)]
    sending = sender(site, board, 7, files)

    def half() -> bool:
        sending.serve()
        return any(
            code == update.RECEIVING and offset > 20_000 for _, code, offset in board.meter.news
        )

    waiting.until(half, UPDATE_S, "some chunks")
    board.process.kill()
    births_before = len(board.meter.births)
    group.start(board.process)
    waiting.until(lambda: len(board.meter.births) > births_before, START_S, "a birth")
    assert births(board)[-1] == ("0.1.0", 0)
    # Nothing is left of it that would hinder the next try.
    sender(site, board, 7, files).until(7, update.CONFIRMED, UPDATE_S)
    assert births(board)[-1] == ("9.9.9", 7)
    board.process.stop(STOP_S)
    # A technician who sets it up again is not overruled by what came by wire.
    program = (str(parts.micropython(64)), str(Firmware(Path(), FIRMWARE).main))
    subprocess.run((*program, str(board.folder), "--installed", "--identity"), check=True)
    group.start(board.process)
    waiting.until(lambda: births(board)[-1] == ("0.1.0", 0), START_S, "what was installed")
    board.process.stop(STOP_S)


def test_strangers_change_nothing(site: MeterSite, board: Board, new_firmware: bytes) -> None:
    files = [(update.FIRMWARE, new_firmware)]
    one = signed(LEDGER_ID, 7, "linux", files, site.members[:1])
    raw = one.signatures[0].raw
    for message in (b"\x82" + raw + raw, b"\x82" + raw, b"\x83", b"\x82"):
        site.gateway.send_raw(board.meter, topics.CMD, message)
    waiting.until(lambda: (0, update.MALFORMED, 0) in board.meter.news, START_S, "a refusal")
    samples_since(board, max(board.meter.samples))
    assert not (board.folder / "slot1").exists()
    board.process.stop(STOP_S)


def test_a_board_s_heap_is_enough_for_it(
    site: MeterSite, group: ProcessGroup, line: Line, new_firmware: bytes
) -> None:
    """On the 32-bit interpreter with 110 kB of heap, the firmware in ROM, a device and a link."""
    try:
        parts.micropython(32)
    except parts.PartMissingError as error:
        pytest.skip(str(error))
    board = site.board("meter", "rom", line.link)
    site.start_broker()
    group.start(board.process)
    samples_since(board, 0)
    sending = sender(site, board, 7, [(update.FIRMWARE, new_firmware)])

    def ended() -> bool:
        sending.serve()
        return not board.process.alive

    waiting.until(ended, UPDATE_S, "the board starts anew")
    assert (board.folder / "slot1" / update.FIRMWARE).read_bytes() == new_firmware
    assert "failed" not in board.process.log.read_text()
