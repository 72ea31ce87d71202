"""The application goes on boards through the real mpremote, whole or not at all."""

from dataclasses import replace
from pathlib import Path

import boot_choice
import pytest
from wattle_hil.serial_board.bench import BoardBench
from wattle_hil.serial_board.emulated import Faults
from wattle_hil.serial_board.program_image import interpreter_image
from wattle_testkit.serial_boards import (
    files,
    flash,
    flash_content,
    found,
    mac,
    put,
    saved,
    small_application,
)
from wattle_testkit.waiting import until
from wattle_tools.boards import identity
from wattle_tools.boards.repl import Repl
from wattle_tools.device import firmware_folder
from wattle_tools.errors import BOARD_FAILED, DONE, ReadBackError, UnfitBoardError
from wattle_tools.flash import fleet, installation
from wattle_tools.flash.job import THERE, WOULD_WRITE, WRITTEN, JobResult, Order
from wattle_tools.flash.table import SilentView

IMAGE = interpreter_image()
APPLICATION = small_application()
ORDER = Order(APPLICATION)
FILES = {*APPLICATION.as_files, *APPLICATION.start, "/wattle.json"}
HANGS = b"""import time
while True:
 try:
  while True: time.sleep_ms(50)
 except BaseException: pass
"""
DEADLINE_S = 10.0


def flash_one(port: str, order: Order = ORDER) -> JobResult:
    [result] = flash([port], order)
    return result


def check_runs(port: str) -> None:
    """The board has started its program by itself."""
    until(lambda: "/started" in files(port), DEADLINE_S, "main.py has run")


def test_a_board_gets_the_application_and_starts_it(bench: BoardBench) -> None:
    port = bench.add(mac(1), flash_content(IMAGE))
    put(port, "/config.json", b"{}")
    result = flash_one(port)
    assert (result.code, result.done["application"]) == (DONE, WRITTEN)
    check_runs(port)
    assert set(files(port)) == {*FILES, "/config.json", "/started"}
    board = found(port)
    assert board.state == identity.INSTALLED
    assert board.contents is not None
    assert board.contents.mark == APPLICATION.mark(in_rom=False)


def test_a_second_run_finds_everything_there(bench: BoardBench) -> None:
    port = bench.add(mac(1), flash_content(IMAGE))
    flash_one(port)
    before = bench.flash(mac(1)).read(0, 0x400000)
    assert flash_one(port).done["application"] == THERE
    # Nothing but what the board's own main.py writes.
    assert {"/started"} >= set(files(port)) - FILES
    program = APPLICATION.program["wattle.mpy"][:256]
    assert before.count(program) == bench.flash(mac(1)).read(0, 0x400000).count(program) == 1


def test_where_there_is_romfs_the_program_lies_in_it(bench: BoardBench) -> None:
    port = bench.add(mac(1), flash_content(interpreter_image(romfs=True)))
    # Files of an installation without ROMFS would be found before those in it.
    put(port, "/wattle.json", APPLICATION.mark(in_rom=False).encoded())
    with Repl(port) as repl:
        repl.run("import os\nos.mkdir('/lib')\nopen('/lib/wattle.mpy', 'w').close()")
        repl.restart()
    assert flash_one(port).done["application"] == WRITTEN
    check_runs(port)
    assert set(files(port)) == {*APPLICATION.start, "/wattle.json", "/started"}
    flash_memory = bench.flash(mac(1))
    rom = flash_memory.partition("romfs")
    assert rom is not None
    assert flash_memory.read(rom.offset, len(APPLICATION.rom)) == APPLICATION.rom
    with Repl(port) as repl:
        assert repl.sha256(["/rom/wattle.mpy"]).keys() == {"/rom/wattle.mpy"}
        repl.restart()
    assert flash_one(port).done["application"] == THERE


def test_a_newer_application_takes_the_place_of_an_older(bench: BoardBench) -> None:
    port = bench.add(mac(1), flash_content(IMAGE))
    flash_one(port)
    newer = small_application(seed=2)
    del newer.program["wattle_wire/cbor.mpy"]  # type: ignore[attr-defined]
    assert flash_one(port, Order(newer)).done["application"] == WRITTEN
    assert "/lib/wattle_wire/cbor.mpy" not in files(port)
    board = found(port)
    assert board.contents is not None
    assert board.contents.mark == newer.mark(in_rom=False)


def test_what_was_installed_runs_and_not_an_update_of_before(bench: BoardBench) -> None:
    choice = (firmware_folder() / "boot_choice.py").read_bytes()
    start = {"/boot_choice.py": choice, **APPLICATION.start}
    order = Order(replace(APPLICATION, start=start))
    port = bench.add(mac(1), flash_content(IMAGE))
    assert flash_one(port, order).done["application"] == WRITTEN
    # Version 7 came by an update, into slot 2, and has proved itself.
    updated = bytes((1, boot_choice.STANDS, 2, 2, 1, 1)) + bytes((*bytes(7), 7)) * 2
    with Repl(port) as repl:
        repl.run(f"import esp32\nn = esp32.NVS('wattle')\nn.set_blob('version', {updated!r})")
        repl.run("n.commit()")
        repl.restart()
    assert flash_one(port, order).done["application"] == WRITTEN
    with Repl(port) as repl:
        repl.run("import esp32\nb = bytearray(64)\nk = esp32.NVS('wattle').get_blob('version', b)")
        record = repl.value("print(bytes(b[1:k]))")
        repl.restart()
    assert isinstance(record, bytes)
    assert boot_choice.choose(record) == (0, record)
    assert record[5:13] == updated[6:14]
    assert flash_one(port, order).done["application"] == THERE


def test_a_board_pulled_out_in_the_middle_is_half_done_and_then_done(bench: BoardBench) -> None:
    port = bench.add(mac(1), flash_content(IMAGE))
    flash_one(port)
    newer = Order(small_application(seed=3))
    # The second half of the program is under way when it goes.
    port = bench.plug_in(mac(1), Faults(unplug_after=18_000))
    result = flash_one(port, newer)
    assert result.code == BOARD_FAILED
    assert "the line broke" in result.reason
    assert "goes on where it was" in result.advice
    port = bench.plug_in(mac(1), Faults())
    board = found(port)
    assert board.state == identity.HALF_DONE
    there = set(files(port))
    assert "/lib/wattle.mpy" in there
    assert not {"/main.py", "/wattle.json"} & there
    assert flash_one(port, newer).done["application"] == WRITTEN
    check_runs(port)
    assert found(port).state == identity.INSTALLED


def test_a_full_file_system_is_told_before_anything_is_changed(bench: BoardBench) -> None:
    port = bench.add(mac(1), flash_content(interpreter_image(files_bytes=0x10000)))
    put(port, "/main.py", b"open('/started', 'w').close()")
    put(port, "/curve.csv", bytes(24_000))
    before = {*files(port), "/started"}
    result = flash_one(port)
    assert (result.code, "is full" in result.reason) == (BOARD_FAILED, True)
    assert "remove files" in result.advice
    until(lambda: set(files(port)) == before, DEADLINE_S, "its own program runs again")


def test_a_file_system_that_fills_up_on_the_way_is_told_too(bench: BoardBench) -> None:
    port = bench.add(mac(1), flash_content(interpreter_image(files_bytes=0x10000)))
    with Repl(port) as repl:
        with pytest.raises(UnfitBoardError, match="its file system is full; remove files"):
            repl.write("/large", bytes(70_000), lambda _: None)
        repl.restart()


def test_a_fault_of_the_boards_files_is_not_taken_for_the_line(bench: BoardBench) -> None:
    port = bench.add(mac(1), flash_content(IMAGE))
    with Repl(port) as repl:
        with pytest.raises(UnfitBoardError, match=r"in our code: OSError: \[Errno 2\]"):
            repl.write("/nowhere/main.py", b"x", lambda _: None)
        with pytest.raises(UnfitBoardError, match="it failed in our code: NameError"):
            repl.run("nothing()")
        repl.restart()


@pytest.mark.parametrize("version", ["1.24.1", "v1.9.4"])
def test_an_interpreter_that_is_too_old_is_named(bench: BoardBench, version: str) -> None:
    port = bench.add(mac(1), flash_content(interpreter_image(version)))
    result = flash_one(port)
    assert result.code == BOARD_FAILED
    assert f"MicroPython {version.lstrip('v')}, expected MicroPython 1.25" in result.reason
    assert "--image" in result.advice
    assert files(port) == {}


def test_a_program_that_hangs_is_replaced_from_below(bench: BoardBench, tmp_path: Path) -> None:
    port = bench.add(mac(1), flash_content(IMAGE))
    put(port, "/main.py", HANGS)
    board = found(port)
    [result] = fleet.run([board], ORDER, SilentView())
    assert result.code == BOARD_FAILED
    assert "does not stop for Ctrl-C" in result.reason
    assert "--erase-files" in result.advice
    order = Order(APPLICATION, saved(tmp_path, IMAGE), erase_files=True)
    [mended] = fleet.run([board], order, SilentView())
    assert (mended.code, mended.done["application"]) == (DONE, WRITTEN)
    check_runs(port)


def test_a_program_that_runs_is_stopped_for_it(bench: BoardBench) -> None:
    port = bench.add(mac(1), flash_content(IMAGE))
    put(port, "/main.py", b"while True: pass")
    assert flash_one(port).code == DONE
    check_runs(port)


def test_garbage_on_the_line_never_counts_as_done(bench: BoardBench) -> None:
    port = bench.add(mac(1), flash_content(IMAGE), Faults(noise=True))
    result = flash_one(port)
    assert (result.code, "garbage" in result.reason) == (BOARD_FAILED, True)
    port = bench.plug_in(mac(1), Faults())
    assert files(port) == {}
    assert flash_one(port).code == DONE


def test_a_worn_cell_shows_when_it_is_read_back(bench: BoardBench) -> None:
    content = flash_content(interpreter_image(romfs=True))
    port = bench.add(mac(1), content)
    with Repl(port) as repl:
        repl.run(WORN)
        contents = identity.read_contents(repl)
        with pytest.raises(ReadBackError, match="its ROMFS does not read back"):
            installation.install(repl, contents, APPLICATION, lambda step, share: None)
    port = bench.plug_in(mac(1))
    assert "/main.py" not in files(port)


def test_a_dry_run_changes_nothing(bench: BoardBench, tmp_path: Path) -> None:
    port = bench.add(mac(1), flash_content(IMAGE))
    before = bench.flash(mac(1)).read(0x1000, 0x20000)
    newer = saved(tmp_path, interpreter_image("1.26.0"))
    result = flash_one(port, Order(APPLICATION, newer, dry=True))
    assert result.done == {"interpreter": WOULD_WRITE, "application": WOULD_WRITE}
    assert files(port) == {}
    assert bench.flash(mac(1)).read(0x1000, 0x20000) == before


# A ROMFS partition that changes a byte on its way.
WORN = """
import vfs
_w = vfs.rom_ioctl
def _bad(op, *a):
 if op == 4 and a[1] == 0: a = (a[0], a[1], b'\\0' + a[2][1:])
 return _w(op, *a)
vfs.rom_ioctl = _bad
"""
