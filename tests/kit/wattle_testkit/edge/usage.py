"""What a tree of processes takes: memory and CPU, read from /proc.

Memory is counted as if the tree had its machine for itself: anonymous pages of each process, and
pages of files (programs, libraries) once for the tree, however many other processes of this host
have them too. RSS would count them for each process, PSS only in parts of the whole host.
"""

import contextlib
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

_EVERY_S = 2.0
_TICKS = os.sysconf("SC_CLK_TCK")
_KB = 1024


def tree(pid: int) -> list[int]:
    """A process and all that descend from it, as far as they are there."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def name_of(pid: int) -> str:
    """What a process is, in a word."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "gone"
    text = b" ".join(words)
    for mark, name in ((b"nats-server", "broker"), (b"spawn_main", "worker")):
        if mark in text:
            return name
    return "tracker" if b"tracker" in text else "gateway"


@dataclass
class Process:
    """The most that was seen of one process; `cpu_s` so far."""

    name: str
    own_bytes: int = 0
    resident_bytes: int = 0
    cpu_s: float = 0.0


@dataclass
class Usage:
    """`peak_bytes`: the most that the tree was seen to have at one moment; `resident_peaks_bytes`:
    the sum of each process's own highest VmHWM, which the kernel keeps: an upper bound. `course`:
    what it had at each look."""

    peak_bytes: int = 0
    course: list[int] = field(default_factory=list)
    processes: dict[int, Process] = field(default_factory=dict)

    @property
    def resident_peaks_bytes(self) -> int:
        return sum(one.resident_bytes for one in self.processes.values())

    @property
    def cpu_s(self) -> float:
        return sum(one.cpu_s for one in self.processes.values())

    @property
    def quarters_bytes(self) -> list[int]:
        """The most up to each quarter of the looks: whether it goes on growing."""
        count = len(self.course)
        return [max(self.course[: max(1, count * part // 4)]) for part in range(1, 5)]

    def by_name(self) -> dict[str, int]:
        """Highest memory of its own of each kind of process."""
        found: dict[str, int] = {}
        for one in self.processes.values():
            found[one.name] = max(found.get(one.name, 0), one.own_bytes)
        return found

    def look(self, root: int) -> None:
        """Look at the tree once."""
        anonymous = 0
        files: dict[tuple[str, str], int] = {}
        for pid in tree(root):
            known = self.processes.setdefault(pid, Process(name_of(pid)))
            with contextlib.suppress(OSError, IndexError, ValueError):
                own, mapped = _memory(pid)
                anonymous += own
                for place, resident in mapped.items():
                    files[place] = max(files.get(place, 0), resident)
                if own >= known.own_bytes:
                    known.name = name_of(pid)  # a process becomes what it is by exec
                    known.own_bytes = own
                known.resident_bytes = _field_bytes(pid, "status", "VmHWM")
                known.cpu_s = _cpu_s(pid)
        self.course.append(anonymous + sum(files.values()))
        self.peak_bytes = max(self.peak_bytes, self.course[-1])


class Watch:
    """Looks at a tree every second, in a thread, until `stop`."""

    def __init__(self, root: int, usage: Usage) -> None:
        self._root = root
        self._usage = usage
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look a last time, while the tree is still there."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._usage.look(self._root)
            if self._ended.wait(_EVERY_S):
                self._usage.look(self._root)
                return


def data_bytes(pid: int) -> int:
    """What RLIMIT_DATA of a process is held against."""
    return _field_bytes(pid, "status", "VmData")


def proportional_bytes(root: int) -> int:
    """PSS of a tree, as the gateway itself counts what it takes."""
    return sum(_field_bytes(pid, "smaps_rollup", "Pss") for pid in tree(root))


def _memory(pid: int) -> tuple[int, dict[tuple[str, str], int]]:
    """Bytes of anonymous pages, and of resident pages of files by (file, offset)."""
    anonymous = 0
    files: dict[tuple[str, str], int] = {}
    place, resident = ("", ""), 0
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == "Rss":
            resident = int(rest.split()[0]) * _KB
        elif name == "Anonymous":
            own = int(rest.split()[0]) * _KB
            anonymous += own
            files[place] = files.get(place, 0) + resident - own
        elif "-" in name.split(" ")[0]:
            fields = line.split(maxsplit=5)
            place = (fields[5] if len(fields) > 5 else "", fields[2])
    return anonymous, files


def _field_bytes(pid: int, file: str, name: str) -> int:
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * _KB
    return 0


def _cpu_s(pid: int) -> float:
    """User and system time of a process, without its children's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
