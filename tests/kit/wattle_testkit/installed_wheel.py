"""The project as a technician has it: the built wheel in a Python environment of its own.

Its commands run with nothing of the checkout in their environment.
"""

import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from wattle_hil.children import processes
from wattle_hil.children.processes import Process

ROOT = Path(__file__).resolve().parents[3]
_BUILD_S = 60.0
_INSTALL_S = 300.0
_COMMAND_S = 60.0
# Of requirements.lock: the package and its version, with the marker if it has one.
_PIN = re.compile(r"^([a-z0-9-]+==\S+)((?: ;[^\\\n]*)?)", re.MULTILINE)
# Pure Python without dependencies, small: is there an index that has it?
_PROBE = "segno"
_LINUX_METER = "wattle_tools/device/firmware/boards/linux/main.py"


class NoPackageIndexError(Exception):
    """No package index can be reached: there is nothing to install from."""


class InstalledWheel:
    """The wheel, installed with extra `tools` into `folder`/venv.

    environment: what its commands see besides PATH, HOME (which is `folder`) and LANG.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Builds and installs it. Raises NoPackageIndexError, ProcessError."""
        self.folder = folder
        self._clean = (
            *("/usr/bin/env", "-i", "PATH=/usr/bin:/bin", f"HOME={folder}", "LANG=C.UTF-8"),
            *(f"{name}={value}" for name, value in environment.items()),
        )
        self._pins = folder / "pins.txt"
        self._pins.write_text(_pins((ROOT / "requirements.lock").read_text()))
        venv = folder / "venv"
        self._python = str(venv / "bin" / "python")
        _run("the environment", (sys.executable, "-m", "venv", str(venv)), _BUILD_S)
        self._install(self._build())

    def _build(self) -> Path:
        where = self.folder / "dist"
        build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(where))
        done = subprocess.run(
            build, cwd=ROOT, capture_output=True, text=True, timeout=_BUILD_S, check=False
        )
        assert done.returncode == 0, done.stderr
        [wheel] = where.glob("*.whl")
        return wheel

    def _install(self, wheel: Path) -> None:
        done = self._pip(f"wattle-grid[tools] @ {wheel.as_uri()}")
        if done.code == 0:
            return
        probe = self._pip("--dry-run", "--no-deps", _PROBE)
        if probe.code != 0:
            raise NoPackageIndexError(f"no package index can be reached: {_last(probe.errors)}")
        done.expect_success()

    def _pip(self, *words: str) -> processes.Finished:
        """Installs, in the versions of the lock, by the settings of whoever runs this."""
        pip = (self._python, "-I", "-m", "pip", "install", "--quiet", "--no-compile")
        pinned = ("--disable-pip-version-check", "--retries", "1", "--constraint", str(self._pins))
        return processes.run("pip", (*pip, *pinned, *words), _INSTALL_S)

    def words(self, name: str, *arguments: str | Path) -> tuple[str, ...]:
        """The command line of one of its commands, in its clean environment."""
        return (*self._clean, self.command(name), *map(str, arguments))

    def command(self, name: str) -> str:
        """Where one of its commands is."""
        return str(self.folder / "venv" / "bin" / name)

    def run(self, name: str, *arguments: str | Path) -> str:
        """Runs a command to its end; what it printed. Raises ProcessError when it fails."""
        return _run(name, self.words(name, *arguments), _COMMAND_S)

    def meter(self, interpreter: Path, folder: Path) -> Process:
        """The meter of a Linux board's folder, not started: the firmware that the wheel brought."""
        [program] = self.folder.glob(f"venv/lib/*/site-packages/{_LINUX_METER}")
        command = (*self._clean, str(interpreter), str(program), str(folder))
        return Process("meter", command, self.folder / "meter.log")

    def process(self, name: str, *arguments: str | Path) -> Process:
        """A command that goes on, not started; what it prints is appended to its log."""
        log = self.folder / f"{'-'.join([name, *map(str, arguments[:1])])}.log"
        return Process(name, self.words(name, *arguments), log)


def _pins(lock: str) -> str:
    """Constraints of the locked versions. Without hashes: pip wants one of the wheel as well."""
    return "".join(f"{pin}{marker.rstrip()}\n" for pin, marker in _PIN.findall(lock))


def _run(name: str, command: Sequence[str], deadline_s: float) -> str:
    return processes.run(name, command, deadline_s).expect_success()


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["pip says nothing"])[-1]
