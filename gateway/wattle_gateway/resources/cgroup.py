"""The control group (v2) that the process runs under: limits, use, pressure.

https://docs.kernel.org/admin-guide/cgroup-v2.html. A limit may stand at any group above; in a
container with a namespace of its own the root it sees is its own group.
"""

from dataclasses import dataclass
from pathlib import Path

from wattle_gateway.resources.usage import MILLION

# A group far down in a tree of slices; deeper is no machine that we run on.
DEPTH_MAX = 32
_UNLIMITED = "max"
# Of memory.stat: pages of files (tmpfs is none of these) and what the kernel keeps of inodes.
_DROPPED = ("inactive_file", "active_file", "slab_reclaimable")


@dataclass(frozen=True)
class Group:
    """A group and all above it that are seen, the own one first."""

    folders: tuple[Path, ...]

    def memory_limit(self) -> tuple[int, int] | None:
        """(limit, bytes used against it) of the tightest group: the one that has least left. What
        the kernel can drop and read again (_DROPPED) is not used: a database's pages fill every
        group in time, and active ones that are missed show as pressure. None if nothing is limited.
        """
        found = []
        for folder in self.folders:
            limit = _number(folder / "memory.max")
            current = _number(folder / "memory.current")
            if limit is not None and current is not None:
                held = max(0, current - _stat(folder / "memory.stat", _DROPPED))
                found.append((limit, held))
        return min(found, key=lambda pair: pair[0] - pair[1], default=None)

    def cpu_limit_ppm(self) -> int | None:
        """Millionths of a core that the tightest group gives; None if nothing is limited."""
        found = []
        for folder in self.folders:
            words = _text(folder / "cpu.max").split()
            if len(words) == 2 and words[0].isdecimal() and words[1].isdecimal() and int(words[1]):
                found.append(int(words[0]) * MILLION // int(words[1]))
        return min(found, default=None)

    def pressure(self, resource: str, kind: str) -> int | None:
        """PSI of the own group: share of the last minute (avg60, millionths) in which `some` or
        all (`full`) work waited; None where the kernel does not say."""
        return pressure(self.folders[0] / f"{resource}.pressure", kind) if self.folders else None


def find(proc: Path = Path("/proc")) -> Group:
    """The v2 group of this process; one of no folders if there is none (v1 alone, no mount)."""
    own = next(
        (
            line.removeprefix("0::")
            for line in _text(proc / "self/cgroup").splitlines()
            if line.startswith("0::/")
        ),
        None,
    )
    mount = _mount(_text(proc / "self/mountinfo"))
    if own is None or mount is None:
        return Group(())
    folder = mount / own.lstrip("/")
    folders = [folder]
    while folders[-1] != mount and len(folders) < DEPTH_MAX:
        if folders[-1].parent == folders[-1]:
            break
        folders.append(folders[-1].parent)
    return Group(tuple(place for place in folders if place.is_dir()))


def pressure(path: Path, kind: str) -> int | None:
    """avg60 of a PSI file in millionths, of its line `some` or `full`.

    https://docs.kernel.org/accounting/psi.html: "some avg10=0.00 avg60=1.25 avg300=... total=...",
    percent.
    """
    for line in _text(path).splitlines():
        words = line.split()
        if words[:1] != [kind]:
            continue
        for word in words[1:]:
            name, _, value = word.partition("=")
            whole, _, part = value.partition(".")
            if name == "avg60" and whole.isdecimal() and part.isdecimal():
                return int(whole) * 10_000 + int(part[:2].ljust(2, "0")) * 100
    return None


def _mount(mountinfo: str) -> Path | None:
    """Where the v2 hierarchy is mounted (proc(5): fields, " - ", type, source, options)."""
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        if rest.startswith("cgroup2 ") and len(fields.split()) >= 5:
            return Path(fields.split()[4])
    return None


def _number(path: Path) -> int | None:
    """The number in a file; None for "max", nothing or no such file."""
    text = _text(path).strip()
    return int(text) if text.isdecimal() and text != _UNLIMITED else None


def _stat(path: Path, names: tuple[str, ...]) -> int:
    """The sum of some figures of a flat-keyed file."""
    pairs = (line.partition(" ")[::2] for line in _text(path).splitlines())
    return sum(int(value) for name, value in pairs if name in names and value.isdecimal())


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
