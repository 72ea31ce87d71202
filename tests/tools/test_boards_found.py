"""Who is found on a line: by MAC, whatever runs on the board, and why not when nobody is."""

import json

import pytest
from wattle_hil.serial_board.bench import BoardBench
from wattle_hil.serial_board.emulated import Faults
from wattle_hil.serial_board.program_image import interpreter_image
from wattle_testkit.serial_boards import flash_content, found, mac, put
from wattle_testkit.waiting import until
from wattle_tools.boards import identity
from wattle_tools.boards.identity import FoundBoard
from wattle_tools.cli import main
from wattle_tools.errors import NoBoardError
from wattle_tools.flash import fleet

DEADLINE_S = 20.0
IMAGE = flash_content(interpreter_image())
HANGS = b"""import time
while True:
 try:
  while True: time.sleep_ms(50)
 except BaseException: pass
"""
RUNS = b"import time\nopen('/ran', 'w').close()\nwhile True: time.sleep_ms(10)\n"


def has_run(board: FoundBoard) -> FoundBoard | None:
    return board if board.contents is not None and "ran" in board.contents.names else None


def test_a_board_says_who_it_is_and_its_program_runs_on(bench: BoardBench) -> None:
    port = bench.add(mac(1), IMAGE)
    put(port, "/main.py", RUNS)
    # Whoever looks stops the program, perhaps before its first line.
    board = until(lambda: has_run(found(port)), DEADLINE_S, "its program has run")
    assert (board.mac, board.chip, board.state) == (mac(1), "ESP32", identity.FOREIGN)
    assert board.contents is not None
    assert board.contents.interpreter.version == (1, 25, 0)
    assert board.name == "24:0a:c4:00:00:01"
    put(port, "/config.json", b"{}")
    again = found(port).contents
    assert again is not None
    assert again.configured


def test_a_board_keeps_its_name_on_another_line(bench: BoardBench) -> None:
    bench.add(mac(1), IMAGE)
    first = bench.add(mac(2), IMAGE)
    bench.pull_out(mac(1))
    second = bench.plug_in(mac(2))
    assert second != first
    assert found(second).mac == mac(2)


def test_what_does_not_answer_is_told_apart(bench: BoardBench) -> None:
    hanging = bench.add(mac(1), IMAGE)
    put(hanging, "/main.py", HANGS)
    ports = [
        hanging,
        bench.add(mac(2)),
        bench.add(mac(3), IMAGE, Faults(silent=True)),
        bench.add(mac(4), IMAGE, Faults(babble=True)),
        bench.add(mac(5), IMAGE, Faults(noise=True)),
        bench.add(mac(6), IMAGE, Faults(unplug_after=40)),
        "/dev/nowhere",
    ]
    boards = fleet.find(ports)
    assert [board.state for board in boards] == [
        identity.STUCK,
        identity.BARE,
        identity.SILENT,
        identity.GARBLED,
        identity.GARBLED,
        identity.SILENT,
        identity.SILENT,
    ]
    assert [board.mac for board in boards] == [mac(1), mac(2), *(None,) * 5]
    said = [
        ("does not stop for Ctrl-C", "--erase-files"),
        ("no interpreter", "--image"),
        ("says nothing", "cable"),
        ("sends without end", "unplug"),
        ("garbage on the line", "another cable"),
        ("the line broke", "plug the board in again"),
        ("/dev/nowhere is not there", "plug the board in"),
    ]
    for board, (reason, advice) in zip(boards, said, strict=True):
        assert board.trouble is not None
        assert reason in board.trouble.reason
        assert advice in board.trouble.advice


def test_boards_are_chosen_by_mac_or_all(bench: BoardBench) -> None:
    boards = fleet.find([bench.add(mac(1), IMAGE), bench.add(mac(2), IMAGE)])
    assert [board.name for board in fleet.choose(boards, [mac(2)], False)] == ["24:0a:c4:00:00:02"]
    assert fleet.choose(boards, [], True) == boards
    assert fleet.choose(boards[:1], [], False) == boards[:1]
    with pytest.raises(NoBoardError, match="say --all, or --mac with one of: 24"):
        fleet.choose(boards, [], False)
    with pytest.raises(NoBoardError, match="no board 24:0a:c4:00:00:09"):
        fleet.choose(boards, [mac(9)], False)
    # A command that takes one board has no --all, and --board of `provision` is another thing.
    with pytest.raises(NoBoardError, match="plugged in; say --mac with one of: 24"):
        fleet.choose_one(boards, None)
    assert fleet.choose_one(boards, mac(2)).mac == mac(2)
    assert fleet.choose_one(boards[:1], None) == boards[0]


def test_the_command_tells_people_and_programs(
    bench: BoardBench, capsys: pytest.CaptureFixture[str]
) -> None:
    port = bench.add(mac(1), IMAGE)
    assert main(["boards", "--port", port]) == 0
    assert "24:0a:c4:00:00:01" in capsys.readouterr().out
    assert main(["boards", "--port", port, "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)["boards"]
    assert (row["mac"], row["port"], row["state"]) == ("24:0a:c4:00:00:01", port, identity.EMPTY)
    assert (row["interpreter"], row["configured"]) == ("MicroPython 1.25.0", False)
    assert main(["boards", "--port", port, "--skip", port]) == 3
    assert "no board is plugged in" in capsys.readouterr().err
    assert main(["boards", "--port", "/dev/nowhere"]) == 4
    assert "/dev/nowhere is not there; plug" in capsys.readouterr().out
