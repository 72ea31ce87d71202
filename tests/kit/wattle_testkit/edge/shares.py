"""What each gateway may use of this machine, and who sees to it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from wattle_testkit.edge import groups
from wattle_testkit.edge.groups import Group

MEMORY_BYTES = 256 << 20


@dataclass(frozen=True)
class Share:
    """One core and so much memory; `group` that holds the tree to it, None: rlimits."""

    core: int
    memory_bytes: int
    group: Group | None

    @property
    def words(self) -> tuple[str, ...]:
        """The module that limits itself so, and its words."""
        folders = () if self.group is None else self.group.folders
        words = [word for folder in folders for word in ("--cgroup", str(folder))]
        limits = ("--core", str(self.core), "--memory", str(self.memory_bytes), *words)
        return ("wattle_testkit.edge.limited", *limits)

    def kernel_says(self) -> str:
        """What the group has counted; "" without one. Its peak has file pages in it that the
        kernel would have given back: what was too much shows as kills."""
        if self.group is None:
            return ""
        return (
            f"the group's peak {self.group.peak_bytes >> 20} MiB with pages of files, "
            f"{self.group.kills} killed for want of memory, throttled in {self.group.throttled} "
            "periods of 0.1 s"
        )

    def kills(self) -> int:
        """How many processes the kernel has killed because the group was full; 0 without one."""
        return 0 if self.group is None else self.group.kills

    @property
    def described(self) -> str:
        """How it is held to that."""
        mib = self.memory_bytes >> 20
        if self.group is not None:
            return f"core {self.core}, {mib} MiB by {self.group.described}"
        return f"core {self.core} by affinity, {mib} MiB by RLIMIT_DATA of each process"


@contextmanager
def shares(count: int, memory_bytes: int = MEMORY_BYTES) -> Iterator[list[Share]]:
    """A share for each of `count` gateways, spread over the cores that this process may use."""
    cores = sorted(os.sched_getaffinity(0))
    made = [groups.make(memory_bytes) for _ in range(count)]
    try:
        yield [
            Share(cores[number % len(cores)], memory_bytes, group)
            for number, group in enumerate(made)
        ]
    finally:
        for group in made:
            if group is not None:
                group.remove()
