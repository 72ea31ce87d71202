"""What each gateway may use of this machine, and who sees to it."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MEMORY_BYTES = 256 << 20
_CGROUP_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Share:
    """One core and so much memory; `cgroup` the group that holds the tree to it, None: rlimits."""

    core: int
    memory_bytes: int
    cgroup: Path | None

    @property
    def words(self) -> tuple[str, ...]:
        """The module that limits itself so, and its words."""
        cgroup = () if self.cgroup is None else ("--cgroup", str(self.cgroup))
        limits = ("--core", str(self.core), "--memory", str(self.memory_bytes), *cgroup)
        return ("wattle_testkit.edge.limited", *limits)

    def kernel_says(self) -> str:
        """What the cgroup has counted; "" without one. Its peak has file pages in it that the
        kernel would have given back: what was too much shows as kills."""
        if self.cgroup is None:
            return ""
        peak = int((self.cgroup / "memory.peak").read_text())
        return f"memory.peak {peak >> 20} MiB, {self.kills()} killed for want of memory"

    def kills(self) -> int:
        """How many processes the kernel has killed because the cgroup was full; 0 without one."""
        if self.cgroup is None:
            return 0
        words = (self.cgroup / "memory.events").read_text().split()
        return int(words[words.index("oom_kill") + 1])

    @property
    def described(self) -> str:
        """How it is held to that."""
        mib = self.memory_bytes >> 20
        if self.cgroup is not None:
            return f"core {self.core}, {mib} MiB by memory.max of a cgroup"
        return f"core {self.core} by affinity, {mib} MiB by RLIMIT_DATA of each process"


@contextmanager
def shares(count: int, memory_bytes: int = MEMORY_BYTES) -> Iterator[list[Share]]:
    """A share for each of `count` gateways, spread over the cores that this process may use."""
    cores = sorted(os.sched_getaffinity(0))
    groups: list[Path | None] = [None] * count
    if _can_group():
        groups = [_group(memory_bytes) for _ in range(count)]
    try:
        yield [
            Share(cores[number % len(cores)], memory_bytes, group)
            for number, group in enumerate(groups)
        ]
    finally:
        for group in groups:
            if group is not None:
                group.rmdir()


def _can_group() -> bool:
    control = _CGROUP_ROOT / "cgroup.subtree_control"
    try:
        return "memory" in control.read_text().split() and os.access(_CGROUP_ROOT, os.W_OK)
    except OSError:
        return False


def _group(memory_bytes: int) -> Path:
    group = _CGROUP_ROOT / f"wattle-edge-{secrets.token_hex(4)}"
    group.mkdir()
    (group / "memory.max").write_text(str(memory_bytes))
    (group / "memory.swap.max").write_text("0")
    return group
