"""What the proofs are made of: commands, waiting, and Debian's smallest system."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from wattle_hil.parts.archive import Archive
from wattle_hil.parts.errors import PartError
from wattle_hil.parts.mirror import debian_mirrors

from wattle_testkit import waiting

ROOT = Path(__file__).resolve().parents[4]
DEPLOY = ROOT / "gateway" / "deploy"
_COMMAND_S = 600.0
_SAID_CHARS = 1_500


class CannotError(Exception):
    """This machine lacks what the proof needs."""


class FailedError(Exception):
    """What should work does not."""


def need(*tools: str) -> None:
    """CannotError unless these are installed and this is root."""
    if os.geteuid() != 0:
        raise CannotError("needs root")
    for tool in tools:
        if shutil.which(tool) is None:
            raise CannotError(f"{tool} is not installed")


def run(words: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> str:
    """A command to its end; what it printed. FailedError with what it said if it fails."""
    done = attempt(words, environment)
    if done.returncode != 0:
        said = (done.stdout + done.stderr)[-_SAID_CHARS:]
        raise FailedError(f"{' '.join(map(str, words))} gave {done.returncode}: {said}")
    return done.stdout


def attempt(
    words: Sequence[str | Path], environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A command to its end, whatever it gives."""
    return subprocess.run(
        [str(word) for word in words],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_COMMAND_S,
        check=False,
    )


def wait(condition: Callable[[], bool], deadline_s: float, what: str) -> None:
    """FailedError if the condition does not come true in time."""
    try:
        waiting.until(condition, deadline_s, what)
    except waiting.DeadlineError as error:
        raise FailedError(str(error)) from error


def debian(folder: Path, suite: str, packages: Sequence[str]) -> Path:
    """A root file system of the suite with these packages, made once below `folder`."""
    need("debootstrap")
    target = folder / suite
    if (target / "made").exists():
        return target
    with tempfile.TemporaryDirectory() as scratch:
        try:
            mirror = debian_mirrors(Archive.of_host(Path(scratch)))[0]
        except PartError as error:
            raise CannotError(str(error)) from error
    shutil.rmtree(target, ignore_errors=True)
    run(
        [
            *("debootstrap", "--variant=minbase", f"--include={','.join(packages)}"),
            *(suite, target, mirror),
        ]
    )
    (target / "made").touch()
    return target


def wheel(folder: Path) -> Path:
    """The wheel of the checkout, built anew."""
    where = folder / "dist"
    shutil.rmtree(where, ignore_errors=True)
    python = ROOT / ".venv" / "bin" / "python"
    building = subprocess.run(
        [python, "-m", "hatchling", "build", "-t", "wheel", "-d", where],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if building.returncode != 0:
        raise FailedError(building.stderr)
    [built] = where.glob("*.whl")
    return built
