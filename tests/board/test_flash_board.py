"""wattle-tool against a microcontroller's MicroPython: real heap, real interrupts, LittleFS.

The real mpremote on the prompt of the emulated Cortex-M3 (`make board`). Without the board these
tests are skipped with the reason.
"""

import pytest
from wattle_hil import parts
from wattle_hil.board.cable import CabledBoard
from wattle_hil.parts import PartMissingError
from wattle_testkit.serial_boards import files, flash, found, mac, put, small_application
from wattle_testkit.waiting import until
from wattle_tools.boards import identity
from wattle_tools.boards.identity import FoundBoard
from wattle_tools.boards.repl import NoPromptError, Repl
from wattle_tools.errors import BOARD_FAILED, DONE
from wattle_tools.flash import fleet
from wattle_tools.flash.job import THERE, WRITTEN, JobResult, Order
from wattle_tools.flash.table import SilentView

pytestmark = pytest.mark.xdist_group("emulated-board")
DEADLINE_S = 20.0
ROM_BYTES = 0x60000
HOLDS_ON = b"""import time
while True:
 try:
  while True:
   %s
   time.sleep_ms(20)
 except BaseException: pass
"""


@pytest.fixture(scope="module", autouse=True)
def board() -> None:
    try:
        parts.board()
    except PartMissingError as error:
        pytest.skip(str(error))


def flash_one(port: str, order: Order) -> JobResult:
    [result] = flash([port], order)
    return result


def test_files_go_on_a_board_whose_program_runs() -> None:
    with CabledBoard(mac(1)) as board:
        put(board.port, "/main.py", b"open('/ran', 'w').close()\nwhile True: pass\n")
        seen = found(board.port)
        assert (seen.mac, seen.state) == (mac(1), identity.FOREIGN)
        order = Order(small_application())
        assert flash_one(board.port, order).done["application"] == WRITTEN
        until(lambda: "/started" in files(board.port), DEADLINE_S, "main.py has run")
        names = {*order.application.as_files, *order.application.start, "/wattle.json"}
        assert set(files(board.port)) == {*names, "/ran", "/started"}
        assert flash_one(board.port, order).done["application"] == THERE


def test_a_program_goes_into_romfs_and_reads_back() -> None:
    wanted = small_application(24_000)
    with CabledBoard(mac(1), ROM_BYTES) as board:
        result = flash_one(board.port, Order(wanted))
        assert (result.code, result.reason) == (DONE, "")
        with Repl(board.port) as repl:
            paths = [f"/rom/{path}" for path in wanted.program]
            assert set(repl.sha256(paths)) == set(paths)
        assert found(board.port).state == identity.INSTALLED


def test_a_partition_that_is_too_small_is_told_before_anything_is_changed() -> None:
    with CabledBoard(mac(1), 0x4000) as board:
        put(board.port, "/main.py", b"open('/ran', 'w').close()\n")
        result = flash_one(board.port, Order(small_application(20_000)))
        assert result.code == BOARD_FAILED
        assert "its ROMFS partition has 16384 bytes" in result.reason
        assert found(board.port).state == identity.FOREIGN


def test_a_file_system_without_room_is_told() -> None:
    with CabledBoard(mac(1)) as board:
        result = flash_one(board.port, Order(small_application(300_000)))
        assert result.code == BOARD_FAILED
        assert "its file system is full" in result.reason
        assert files(board.port) == {}


@pytest.mark.parametrize(
    ("says", "reason"), [("pass", "it says nothing"), ("print('?' * 40)", "it sends without end")]
)
def test_a_program_that_does_not_let_go_is_told(says: str, reason: str) -> None:
    with CabledBoard(mac(1)) as board:
        put(board.port, "/main.py", HOLDS_ON % says.encode())
        with pytest.raises(NoPromptError, match=reason) as caught, Repl(board.port):
            pass
        assert "--erase-files" in caught.value.advice


class Puller(SilentView):
    """Pulls the board out when the program is under way."""

    def __init__(self, board: CabledBoard) -> None:
        self._board = board

    def step(self, board: FoundBoard, step: str, share: float) -> None:
        if step == "files" and share > 0.4:
            self._board.pull_out()


def test_a_board_pulled_out_in_the_middle_is_told() -> None:
    with CabledBoard(mac(1)) as board:
        boards = fleet.find([board.port])
        [result] = fleet.run(boards, Order(small_application(60_000)), Puller(board))
        assert result.code == BOARD_FAILED
        assert "the line broke" in result.reason
        assert result.done == {"interpreter": "left as it is"}
