"""Control groups that the kernel holds a gateway and all that it starts to: a share of memory, and
one core.

Version 2 where its controllers can be had; else version 1, whose two controllers have a folder each
(https://docs.kernel.org/admin-guide/cgroup-v1/memory.html, .../scheduler/sched-bwc.html).
"""

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
_PERIOD_US = 100_000
_CONTROLLERS = {"memory", "cpu"}


@dataclass(frozen=True)
class Group:
    """One tree's group: a folder for each of the controllers, in version 2 the same one."""

    version: int
    memory: Path
    cpu: Path

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where a process writes its number."""
        return tuple(dict.fromkeys((self.memory, self.cpu)))

    @property
    def peak_bytes(self) -> int:
        """The most that it held, pages of files that could have been dropped included."""
        name = "memory.peak" if self.version == 2 else "memory.max_usage_in_bytes"
        return int((self.memory / name).read_text())

    @property
    def kills(self) -> int:
        """How many of its processes were killed for want of memory."""
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        words = (self.memory / name).read_text().split()
        return int(words[words.index("oom_kill") + 1])

    @property
    def throttled(self) -> int:
        """Periods of a tenth of a second in which it wanted more than its core."""
        words = (self.cpu / "cpu.stat").read_text().split()
        return int(words[words.index("nr_throttled") + 1])

    @property
    def described(self) -> str:
        """How it is limited."""
        if self.version == 2:
            return "memory.max and cpu.max of a control group (v2)"
        return "memory.limit_in_bytes and cpu.cfs_quota_us of control groups (v1)"

    def remove(self) -> None:
        """Once it is empty."""
        for folder in self.folders:
            folder.rmdir()


def make(memory_bytes: int, root: Path = ROOT) -> Group | None:
    """A group with so much memory, no swap and one core; None where none can be made."""
    name = f"wattle-edge-{secrets.token_hex(4)}"
    with contextlib.suppress(OSError):
        if set((root / "cgroup.subtree_control").read_text().split()) >= _CONTROLLERS:
            return _version_2(root / name, memory_bytes)
    if all(os.access(root / one / "tasks", os.W_OK) for one in _CONTROLLERS):
        with contextlib.suppress(OSError):
            return _version_1(root, name, memory_bytes)
    return None


def _version_2(folder: Path, memory_bytes: int) -> Group:
    folder.mkdir()
    (folder / "memory.max").write_text(str(memory_bytes))
    (folder / "memory.swap.max").write_text("0")
    (folder / "cpu.max").write_text(f"{_PERIOD_US} {_PERIOD_US}")
    return Group(2, folder, folder)


def _version_1(root: Path, name: str, memory_bytes: int) -> Group:
    group = Group(1, root / "memory" / name, root / "cpu" / name)
    for folder in group.folders:
        folder.mkdir(exist_ok=True)  # the two controllers may share a hierarchy
    (group.memory / "memory.limit_in_bytes").write_text(str(memory_bytes))
    with_swap = group.memory / "memory.memsw.limit_in_bytes"
    if with_swap.exists():  # absent where the kernel does not count swap
        with_swap.write_text(str(memory_bytes))
    (group.cpu / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
    (group.cpu / "cpu.cfs_quota_us").write_text(str(_PERIOD_US))
    return group
