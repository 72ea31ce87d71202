"""How many P-256 signatures a second OpenSSL verifies here: the measure of all others."""

import shutil

from wattle_hil.children.processes import run
from wattle_hil.errors import BenchError

_DEADLINE_S = 60.0
# `-mr`: +F4:index:bits:signatures a second:verifications a second
_RESULT = "+F4:"


def verifications_a_second(seconds: int) -> float:
    """`openssl speed ecdsap256`, one process. Raises BenchError or ProcessError."""
    program = shutil.which("openssl")
    if program is None:
        raise BenchError("there is no `openssl` on PATH to compare with")
    command = (program, "speed", "-mr", "-seconds", str(seconds), "ecdsap256")
    output = run("openssl speed", command, _DEADLINE_S).expect_success()
    for line in output.splitlines():
        fields = line.removeprefix(_RESULT).split(":")
        if line.startswith(_RESULT) and len(fields) == 4:
            return float(fields[3])
    raise BenchError(f"openssl speed printed no result: {output[:200]!r}")


def version() -> str:
    """What `openssl version` says."""
    program = shutil.which("openssl")
    if program is None:
        raise BenchError("there is no `openssl` on PATH to compare with")
    return run("openssl version", (program, "version"), _DEADLINE_S).expect_success().strip()
