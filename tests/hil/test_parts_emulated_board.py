"""The emulated board: found when it was built, explained when it could not be."""

from pathlib import Path

import pytest
from wattle_hil.parts import __main__ as command
from wattle_hil.parts import emulated_board, host_program
from wattle_hil.parts.errors import PartMissingError


def test_a_board_never_built_says_how(tmp_path: Path) -> None:
    with pytest.raises(PartMissingError, match=r"no emulated board: .*run `make board`"):
        emulated_board.find(tmp_path)


def test_what_is_missing_is_named_then_and_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(host_program, "_DAEMON_FOLDERS", ())
    build = tmp_path / "build"
    assert command.main(["board", "--into", str(build), "--optional"]) == 0
    packages = "install make gcc-arm-none-eabi libnewlib-dev qemu-system-arm"
    assert packages in capsys.readouterr().err
    with pytest.raises(PartMissingError, match=packages):
        emulated_board.find(build)


def test_a_board_that_was_built_is_found(tmp_path: Path) -> None:
    files = [tmp_path / "qemu" / "qemu-system-arm", tmp_path / "board" / "firmware.elf"]
    for file in files:
        file.parent.mkdir()
        file.touch()
    assert [*emulated_board.find(tmp_path)] == files
