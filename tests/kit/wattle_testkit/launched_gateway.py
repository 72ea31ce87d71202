"""A real gateway that something else than this Python starts: a sandbox, an installed wheel."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from wattle_testkit.gateway_process import GatewayProcess

# The user of the container image.
CONTAINER_UID = 10001
MEMORY_BYTES = 256 << 20
_MEMORY_GROUPS = Path("/sys/fs/cgroup/memory")
_TOOLS = ("unshare", "setpriv", "prlimit", "mount")


class LaunchedGateway(GatewayProcess):
    """`launch`: the words before `run`, `environment` all that it sees."""

    def __init__(
        self, folder: Path, launch: Sequence[str], environment: Mapping[str, str], *init: str
    ) -> None:
        super().__init__(folder, *init)
        self._launch = [*launch, "run", str(folder)]
        self._environment = dict(environment)

    def begin(self, *words: str, program: Sequence[str] = ()) -> None:
        """As that of any gateway; `program` is what it was made with."""
        assert not program
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._launch, *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
            )


def why_no_sandbox() -> str:
    """Why `sandbox_words` cannot work here, "" if it can."""
    if os.geteuid() != 0:
        return "only root makes namespaces and groups"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} not installed"
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return "" if tried.returncode == 0 else "no mount namespaces here"


def sandbox_words(writable: Path, memory: Path | None) -> list[str]:
    """What starts a program as the container image does: another user without capabilities, the
    root read-only but for `writable`, no new privileges, no core dumps, and the group `memory`
    (see `memory_group`)."""
    # An interpreter below a home that only root may enter: shown without the rest of the home.
    python = Path(sys.base_prefix)
    home = Path("/") / python.parts[1]
    hidden = home.stat().st_mode & 0o005 != 0o005
    shown = (
        f"mount -t tmpfs tmpfs /mnt; mkdir /mnt/p; mount --bind {python} /mnt/p; "
        f"mount -t tmpfs -o mode=755 tmpfs {home}; mkdir -p {python}; mount --bind /mnt/p {python};"
        if hidden
        else ""
    )
    joins = "" if memory is None else f"echo $$ > {memory}/cgroup.procs; "
    script = (
        f"set -e; {joins}{shown} mount --bind {writable} {writable}; "
        "mount -o remount,bind,ro /; "
        f"exec setpriv --reuid {CONTAINER_UID} --regid {CONTAINER_UID} --clear-groups "
        "--no-new-privs --bounding-set -all --inh-caps -all "
        'prlimit --core=0 --nofile=4096 -- "$@"'
    )
    return ["unshare", "--mount", "sh", "-c", script, "sandbox"]


def memory_group(name: str) -> Path | None:
    """A new group of MEMORY_BYTES without swap, None where there is no controller to make it."""
    group = _MEMORY_GROUPS / name
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(MEMORY_BYTES))
        (group / "memory.memsw.limit_in_bytes").write_text(str(MEMORY_BYTES))
    except OSError:
        return None
    return group
