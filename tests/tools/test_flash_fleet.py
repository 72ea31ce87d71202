"""Many boards at once, some of them faulty, and Ctrl-C in the middle."""

import hashlib
import json
import re
from io import StringIO
from pathlib import Path

import pytest
from wattle_hil.serial_board.bench import BoardBench
from wattle_hil.serial_board.emulated import Faults
from wattle_hil.serial_board.program_image import NVS_AT, interpreter_image
from wattle_testkit.serial_boards import files, flash_content, found, mac, saved, small_application
from wattle_tools.boards import identity
from wattle_tools.boards.identity import FoundBoard
from wattle_tools.cli import main
from wattle_tools.errors import BOARD_FAILED, DONE, IMAGE_REFUSED, INTERRUPTED, READ_BACK_DIFFERS
from wattle_tools.flash import command, fleet
from wattle_tools.flash.job import THERE, WRITTEN, JobResult, Order
from wattle_tools.flash.table import TableView

OLD = flash_content(interpreter_image("1.25.0"))
IMAGE = interpreter_image("1.26.1")
BOARDS = 8
WORN, LOOSE = 3, 6


def test_eight_boards_two_of_them_faulty_and_a_second_run(
    bench: BoardBench, tmp_path: Path
) -> None:
    faults = {WORN: Faults(stuck_at=0x12345), LOOSE: Faults(unplug_after=60_000)}
    for number in range(BOARDS):
        bench.add(mac(number), OLD, faults.get(number))
    order = Order(small_application(), saved(tmp_path, IMAGE))
    output = StringIO()
    boards = fleet.find(list(bench.ports().values()))
    with TableView(boards, output) as view:
        results = fleet.run(boards, order, view)
    failed = {result.name: result for result in results if result.failed}
    assert set(failed) == {mac(WORN).hex(":"), mac(LOOSE).hex(":")}
    assert failed[mac(WORN).hex(":")].code == READ_BACK_DIFFERS
    assert failed[mac(LOOSE).hex(":")].code == BOARD_FAILED
    assert "the line broke" in failed[mac(LOOSE).hex(":")].reason
    lines = output.getvalue().splitlines()
    assert len(lines) == BOARDS
    assert sum("  done  " in line for line in lines) == BOARDS - 2
    for result in failed.values():
        assert any(line.startswith(result.name) and result.reason in line for line in lines)

    # The worn one is exchanged, the loose one plugged in again; the others are there already.
    bench.pull_out(mac(WORN))
    bench.add(mac(BOARDS))
    bench.plug_in(mac(LOOSE), Faults())
    boards = fleet.find(list(bench.ports().values()))
    again = {result.name: result for result in fleet.run(boards, order, NoView())}
    assert len(again) == BOARDS
    assert {result.code for result in again.values()} == {DONE}
    fresh = {mac(LOOSE).hex(":"), mac(BOARDS).hex(":")}
    for name, result in again.items():
        assert result.done["application"] == (WRITTEN if name in fresh else THERE)


class NoView:
    """Shows nothing."""

    def step(self, board: FoundBoard, step: str, share: float) -> None:
        pass

    def end(self, result: JobResult) -> None:
        pass

    def refresh(self) -> None:
        pass


class InterruptingView(NoView):
    """Somebody presses Ctrl-C when the first file is under way."""

    def __init__(self) -> None:
        self.under_way = False
        self.pressed = 0

    def step(self, board: FoundBoard, step: str, share: float) -> None:
        self.under_way = self.under_way or (step == "files" and share > 0.1)

    def refresh(self) -> None:
        if self.under_way and not self.pressed:
            self.pressed += 1
            raise KeyboardInterrupt


def test_ctrl_c_leaves_boards_half_done_and_a_second_run_finishes_them(bench: BoardBench) -> None:
    ports = [bench.add(mac(number), flash_content(IMAGE)) for number in range(2)]
    order = Order(small_application(400_000))
    view = InterruptingView()
    results = fleet.run(fleet.find(ports), order, view)
    assert view.pressed == 1
    assert [result.code for result in results] == [INTERRUPTED] * 2
    assert {board.state for board in fleet.find(ports)} == {identity.HALF_DONE}
    for port in ports:
        assert "/main.py" not in files(port)
    again = Order(small_application())
    assert [result.code for result in fleet.run(fleet.find(ports), again, NoView())] == [DONE] * 2
    assert {board.state for board in fleet.find(ports)} == {identity.INSTALLED}


class ImpatientView(InterruptingView):
    """Ctrl-C once more, before the boards have come to their ends."""

    def __init__(self, *_: object) -> None:
        super().__init__()

    def __enter__(self) -> "ImpatientView":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def refresh(self) -> None:
        if self.under_way and self.pressed < 2:
            self.pressed += 1
            raise KeyboardInterrupt


def test_what_was_broken_off_is_recorded_all_the_same(
    bench: BoardBench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = bench.add(mac(1), flash_content(IMAGE))
    monkeypatch.setattr(command, "TableView", ImpatientView)
    assert main(["flash", "--port", port]) == INTERRUPTED
    assert main(["audit", "--action", "flash", "--json"]) == 0
    noted = json.loads(capsys.readouterr().out)
    begun, entry = noted["entries"]
    assert (begun["mac"], begun["result"]) == (mac(1).hex(":"), "begun")
    assert begun["facts"]["application_sha256"] == entry["facts"]["application_sha256"]
    assert (entry["facts"]["begun"], noted["unended"]) == (begun["n"], [])
    assert (entry["mac"], entry["result"]) == (mac(1).hex(":"), "failed")
    assert entry["facts"]["reason"] == "interrupted"


def test_the_command_from_bare_chip_to_installed_firmware(
    bench: BoardBench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "interpreter.bin"
    image.write_bytes(IMAGE)
    port = bench.add(mac(1))
    bench.flash(mac(1)).write(NVS_AT, b"keys")
    line = ["flash", "--port", port, "--image", str(image)]
    assert main(line) == IMAGE_REFUSED
    said = capsys.readouterr().err
    accept = re.findall(r"--accept-image (\w+)", said)
    assert hashlib.sha256(IMAGE).hexdigest().startswith(accept[0])
    named = ["--board", mac(1).hex(":"), "--accept-image", accept[0]]
    assert main([*line, *named, "--json"]) == DONE
    told = json.loads(capsys.readouterr().out)
    [row] = told["boards"]
    assert (row["mac"], row["result"], row["code"]) == (mac(1).hex(":"), "done", DONE)
    assert (row["interpreter"], row["application"]) == (WRITTEN, WRITTEN)
    assert told["image"]["sha256"] == hashlib.sha256(IMAGE).hexdigest()
    board = found(port)
    assert board.state == identity.INSTALLED
    assert board.contents is not None
    assert board.contents.mark is not None
    assert told["application"]["digest"] == board.contents.mark.digest
    assert bench.flash(mac(1)).read(NVS_AT, 4) == b"keys"
    assert main(["flash", "--port", port, "--erase-files"]) == IMAGE_REFUSED
    with pytest.raises(SystemExit) as ended:
        main(["flash", "--board", "24:0a"])
    assert ended.value.code == 2
