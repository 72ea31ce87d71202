"""The machine as the gateway sees it: disk, memory and CPU time of its processes, from /proc."""

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

from wattle_gateway.config import ResourcesConfig
from wattle_gateway.resources import cgroup
from wattle_gateway.resources.folder_size import disk_bytes
from wattle_gateway.resources.usage import (
    BUDGET,
    CGROUP,
    MACHINE,
    MIB,
    MILLION,
    CpuUse,
    MemoryUse,
    Usage,
    disk_use,
)
from wattle_gateway.runtime.clock import steady_ms

# CPU is judged by its mean over a minute: a core is full for seconds whenever something is done.
CPU_WINDOW_MS = 60_000
CPU_WINDOW_LEAST_MS = 20_000
_PPM_OF_PERCENT = 10_000
_PROC = Path("/proc")


class Machine:
    """Looks at the machine. The real one; a test gives other roots and clocks."""

    def __init__(
        self,
        folder: Path,
        budget: ResourcesConfig,
        *,
        proc: Path = _PROC,
        pid: int | None = None,
        cores: int | None = None,
        now_ms: Callable[[], int] = steady_ms,
    ) -> None:
        """`folder` of the gateway, `budget` of the configuration; `now_ms` a steady clock."""
        self._folder = folder
        self._budget = budget
        self._proc = proc
        self._pid = os.getpid() if pid is None else pid
        self._cores = len(os.sched_getaffinity(0)) if cores is None else cores
        self._now_ms = now_ms
        self._tick_us = MILLION // os.sysconf("SC_CLK_TCK")
        self._page_bytes = os.sysconf("SC_PAGE_SIZE")
        self._memory_bytes = os.sysconf("SC_PHYS_PAGES") * self._page_bytes
        self._group = cgroup.find(proc)
        # (steady ms, us of CPU that the gateway's processes have used), oldest first.
        self._times: deque[tuple[int, int]] = deque()
        self._used_us: dict[int, int] = {}
        self._total_us = 0

    def look(self, reusable: int = 0) -> Usage:
        """How things stand now. `reusable` bytes of the folder's databases hold nothing: they are
        room. OSError if the folder's file system does not answer."""
        found = os.statvfs(self._folder)
        used = max(0, disk_bytes(self._folder) - reusable)
        free = found.f_bavail * found.f_frsize + reusable
        processes = self._processes()
        resident = sum(self._resident(pid) for pid in processes)
        return Usage(
            disk=disk_use(used, free, self._budget.disk_mib * MIB),
            memory=self._memory(resident),
            cpu=self._cpu(processes),
        )

    def _memory(self, resident: int) -> MemoryUse:
        stalled = self._group.pressure("memory", "full")
        if stalled is None:
            stalled = cgroup.pressure(self._proc / "pressure/memory", "full")
        available = self._available()
        # (what is left, used, limit, whose): what has least left is what counts.
        found = [(available, resident, resident + available, MACHINE)]
        limited = self._group.memory_limit()
        if limited is not None:
            limit, used = limited
            found.append((limit - used, used, limit, CGROUP))
        budget = self._budget.memory_mib * MIB
        if budget:
            found.append((budget - resident, resident, budget, BUDGET))
        _, used, limit, source = min(found)
        return MemoryUse(used, limit, resident, source, stalled)

    def _cpu(self, processes: list[int]) -> CpuUse | None:
        stalled = self._group.pressure("cpu", "some")
        if stalled is None:
            stalled = cgroup.pressure(self._proc / "pressure/cpu", "some")
        limits = [(self._cores * MILLION, MACHINE)]
        limited = self._group.cpu_limit_ppm()
        if limited is not None:
            limits.append((limited, CGROUP))
        if self._budget.cpu_percent:
            limits.append((self._budget.cpu_percent * _PPM_OF_PERCENT, BUDGET))
        limit_ppm, source = min(limits)
        used_ppm = self._used_ppm(processes)
        return None if used_ppm is None else CpuUse(used_ppm, limit_ppm, source, stalled)

    def _used_ppm(self, processes: list[int]) -> int | None:
        """The mean of the window; None while it is shorter than CPU_WINDOW_LEAST_MS."""
        now_ms = self._now_ms()
        used = {pid: self._cpu_us(pid) for pid in processes}
        # What a process that has ended meanwhile used counts as far as it was seen.
        self._total_us += sum(max(0, us - self._used_us.get(pid, 0)) for pid, us in used.items())
        self._used_us = used
        self._times.append((now_ms, self._total_us))
        while len(self._times) > 2 and now_ms - self._times[1][0] >= CPU_WINDOW_MS:
            self._times.popleft()
        first_ms, first_us = self._times[0]
        if now_ms - first_ms < CPU_WINDOW_LEAST_MS:
            return None
        return (self._total_us - first_us) * 1_000 // (now_ms - first_ms)

    def _processes(self) -> list[int]:
        """The gateway's process and all below it: workers, broker."""
        found = [self._pid]
        for pid in found:
            for task in _names(self._proc / str(pid) / "task"):
                text = _text(self._proc / str(pid) / "task" / task / "children")
                found += [int(word) for word in text.split() if word.isdecimal()]
        return found

    def _resident(self, pid: int) -> int:
        """What a process holds; pages that several hold are divided among them (proc(5): Pss),
        where the kernel says so."""
        for line in _text(self._proc / str(pid) / "smaps_rollup").splitlines():
            fields = line.split()
            if fields[:1] == ["Pss:"] and fields[1].isdecimal():
                return int(fields[1]) << 10
        words = _text(self._proc / str(pid) / "statm").split()
        return int(words[1]) * self._page_bytes if len(words) > 1 else 0

    def _cpu_us(self, pid: int) -> int:
        """User and system time (proc(5): fields 14 and 15; the name in field 2 may hold blanks)."""
        words = _text(self._proc / str(pid) / "stat").rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) * self._tick_us if len(words) > 12 else 0

    def _available(self) -> int:
        """MemAvailable of /proc/meminfo, bytes; where a sandbox hides that (ProcSubset=pid), all
        that the machine has."""
        for line in _text(self._proc / "meminfo").splitlines():
            words = line.split()
            if words[:1] == ["MemAvailable:"] and words[1].isdecimal():
                return int(words[1]) << 10
        return self._memory_bytes


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []  # the process has ended


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
