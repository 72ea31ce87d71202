"""Which interpreter counts as one, and what happens where there is only half or none."""

import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from wattle_hil.parts import interpreter
from wattle_hil.parts.errors import PartError, PartMissingError
from wattle_hil.parts.folder import exclusive, write_script

Program = Callable[[str], Path]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Makes an executable `micropython` that is a sh script."""

    def make(script: str) -> Path:
        path = tmp_path / "programs" / "micropython"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture
def bare_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH on which there is nothing but what scripts need, and no apt."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("sh", "dirname", "readlink"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.mark.parametrize(
    ("script", "bits", "reason"),
    [
        ("echo 1 25 9223372036854775807", 64, None),
        ("echo 2 0 2147483647", 32, None),
        ("echo 1 24 9223372036854775807", 64, "is version 1.24, needed is 1.25"),
        ("echo 1 25 2147483647", 64, "is not a 64-bit program"),
        ("echo 1 25 9223372036854775807", 32, "is not a 32-bit program"),
        ("echo hello", 64, "is no MicroPython, it printed 'hello"),
        ("echo ImportError: no module named tls >&2; exit 1", 64, "no module named tls"),
        ("kill -SYS $$", 32, "can this kernel run 32-bit programs?"),
    ],
)
def test_a_program_counts_by_what_it_answers(
    program: Program, script: str, bits: int, reason: str | None
) -> None:
    answer = interpreter.why_not_running(program(script), bits)
    if reason is None:
        assert answer is None
    else:
        assert answer is not None
        assert reason in answer


def test_a_file_that_cannot_run_is_no_interpreter(tmp_path: Path) -> None:
    assert "does not run" in (interpreter.why_not_running(tmp_path / "nothing", 64) or "")


def test_one_on_path_is_used_and_a_missing_32_bit_one_is_explained(
    tmp_path: Path, program: Program, bare_path: Path
) -> None:
    program('if [ "$1" = -c ]; then echo 1 26 9223372036854775807; else echo own "$@"; fi')
    build = tmp_path / "build"
    with exclusive(build):
        notes = interpreter.fetch(build)
    assert notes[0] == f"64-bit MicroPython is the one on PATH, {bare_path}/micropython"
    assert "its tests will be skipped" in notes[1]
    found = interpreter.find(build, 64)
    done = subprocess.run([found, "a b", "c"], capture_output=True, text=True, check=True)
    assert done.stdout == "own a b c\n"
    with pytest.raises(PartMissingError, match="no 32-bit MicroPython: this machine has no apt"):
        interpreter.find(build, 32)


def test_without_any_the_error_says_what_helps(tmp_path: Path, bare_path: Path) -> None:
    build = tmp_path / "build"
    with exclusive(build), pytest.raises(PartError, match="no apt-get") as failure:
        interpreter.fetch(build)
    assert "WATTLE_DEBIAN_MIRROR" in str(failure.value)
    assert "`micropython`" in str(failure.value)
    assert not (build / "micropython").exists()
    with pytest.raises(PartMissingError, match="run `make micropython`"):
        interpreter.find(build, 64)


def test_an_unknown_processor_is_named(
    tmp_path: Path, bare_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    build = tmp_path / "build"
    with exclusive(build), pytest.raises(PartError, match="riscv64"):
        interpreter.fetch(build)


def test_a_word_size_that_does_not_exist_is_our_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected 32 or 64"):
        interpreter.find(tmp_path, 16)


def test_what_is_there_is_not_fetched_again(
    tmp_path: Path, program: Program, bare_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpack(drafted: Path, scratch: Path, *, with_64_bit: bool) -> list[str]:
        assert not with_64_bit
        write_script(drafted / "micropython32", "echo 1 25 2147483647")
        return ["Debian was asked"]

    monkeypatch.setattr(interpreter, "_unpack_packages", unpack)
    own = program("echo 1 26 9223372036854775807")
    build = tmp_path / "build"
    with exclusive(build):
        assert interpreter.fetch(build)[0] == "Debian was asked"
        assert interpreter.fetch(build) == []
        own.unlink()
        program("echo 1 20 9223372036854775807")  # no longer new enough
        with pytest.raises(AssertionError):
            interpreter.fetch(build)
