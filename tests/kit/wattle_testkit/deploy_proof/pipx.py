"""The built wheel by pipx, as a user without root installs it: the gateway runs from there."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from wattle_testkit.deploy_proof.steps import CannotError, FailedError, attempt, run, wait, wheel
from wattle_testkit.gateway_process import free_port

# Of PyPI, into an environment of its own; nothing of it is left.
PIPX = "pipx==1.18.4"
_UP_S = 30.0


def prove(work: Path) -> None:
    """Says its version, makes a gateway, runs it until it is told to stop."""
    built = wheel(work)
    with tempfile.TemporaryDirectory(dir=work) as scratch:
        folder = Path(scratch)
        run([sys.executable, "-m", "venv", folder / "tool"])
        python = folder / "tool" / "bin" / "python"
        if attempt([python, "-m", "pip", "install", "--quiet", PIPX]).returncode != 0:
            raise CannotError(f"no package index here has {PIPX}")
        places = {name: str(folder / name.lower()) for name in ("PIPX_HOME", "PIPX_BIN_DIR")}
        places["PIPX_MAN_DIR"] = str(folder / "man")
        run([python, "-m", "pipx", "install", built], places)
        _runs(folder, Path(places["PIPX_BIN_DIR"]) / "wattle-gateway")


def _runs(folder: Path, program: Path) -> None:
    """Nothing of the checkout is in its environment."""
    clean = ["/usr/bin/env", "-i", "PATH=/usr/bin:/bin", f"HOME={folder}", str(program)]
    if not run([*clean, "--version"]).startswith("wattle-gateway "):
        raise FailedError("it does not say its version")
    home = folder / "gateway"
    run([*clean, "init", home, "--port", str(free_port())])
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*clean, "run", str(home)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        wait(
            lambda: "ok        broker" in attempt([*clean, "doctor", home]).stdout,
            _UP_S,
            "the gateway is connected to its broker",
        )
        os.kill(process.pid, signal.SIGTERM)  # env has become the gateway
        if process.wait(_UP_S) != 0:
            raise FailedError(f"it ended with {process.returncode}")
    finally:
        if process.poll() is None:
            process.kill()
