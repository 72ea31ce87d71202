"""Runs of `wattle-hil` as processes, and what is left of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_hil.parts import PartMissingError


def need_micropython() -> None:
    """Skips the test where no MicroPython can be had, with the reason."""
    try:
        parts.micropython(64)
    except PartMissingError as error:
        pytest.skip(str(error))


def start_hil(*words: str) -> subprocess.Popen[str]:
    """Starts `wattle-hil`; what it prints comes in one pipe, line by line."""
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "wattle_hil", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until(process: subprocess.Popen[str], part: str) -> str:
    """What the process prints until a line holds `part`; fails when it ends before."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if part in line:
            return said
    raise AssertionError(f"it ended without {part!r}:\n{said}")


def processes_of(folder: Path) -> list[str]:
    """Command lines of all processes that name this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words and path.parent.name != str(os.getpid()):
            found.append(words)
    return found
