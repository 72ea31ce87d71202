"""`wattle-hil boards`: what it tells is what a tool finds."""

import argparse
import re
import struct
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_hil.children.stop_signal import StopSignal
from wattle_hil.parts import PartMissingError
from wattle_hil.serial_board import serve
from wattle_tools.boards import identity
from wattle_tools.boards.repl import Repl
from wattle_tools.flash import fleet, interpreter_image

# Function 4, register 0x000c of unit 1, on a board.
READ_POWER = """
import machine, time
u = machine.UART(1, baudrate=9600)
u.write(b'\\x01\\x04\\x00\\x0c\\x00\\x02\\xb1\\xc8')
for _ in range(200):
 if u.any() >= 9: break
 time.sleep_ms(10)
print(u.read())
"""


class LookedAt(StopSignal):
    """The signal comes when somebody has looked at the boards that were told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self.found: list[identity.FoundBoard] = []

    def wait(self, seconds: float | None) -> bool:
        self.found = fleet.find(re.findall(r"--port (\S+)", self.told[-1]))
        return True


class Asked(LookedAt):
    """The signal comes when somebody has read a power through a board's UART."""

    power_w = 0.0

    def wait(self, seconds: float | None) -> bool:
        [port] = re.findall(r"--port (\S+)", self.told[-1])
        with Repl(port) as repl:
            answer = repl.value(READ_POWER)
        assert isinstance(answer, bytes)
        assert answer[:3] == b"\x01\x04\x04"
        [self.power_w] = struct.unpack(">f", answer[3:7])
        return True


def served(*arguments: str, stop: LookedAt | None = None) -> LookedAt:
    try:
        parts.micropython(64)
    except PartMissingError as error:
        pytest.skip(str(error))
    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    stop = stop or LookedAt()
    serve.serve(parser.parse_args(arguments), stop, stop.told.append)
    return stop


def test_boards_are_served_and_told_with_their_fault(tmp_path: Path) -> None:
    image = tmp_path / "interpreter.bin"
    stop = served("--count", "3", "--faulty", "unplugged", "--romfs", "--image", str(image))
    assert len(stop.told) == 4
    assert [line.split()[2] for line in stop.told[:3]] == ["unplugged", "sound", "sound"]
    assert [board.name for board in stop.found] == [line.split()[1] for line in stop.told[:3]]
    assert {board.state for board in stop.found} == {identity.EMPTY}
    assert all(board.contents is not None and board.contents.rom == 1 for board in stop.found)
    assert interpreter_image.load(image).family == "ESP32"


def test_bare_boards_wait_for_their_interpreter() -> None:
    [board] = served("--bare").found
    assert board.state == identity.BARE


def test_a_metered_board_has_a_device_on_its_line() -> None:
    stop = Asked()
    served("--metered", stop=stop)
    assert stop.power_w == 2_000
