"""How much of a machine is used and how much may be: what one look finds."""

from dataclasses import dataclass

DISK = "disk"
MEMORY = "memory"
CPU = "cpu"
RESOURCES = (DISK, MEMORY, CPU)

MIB = 1 << 20
MILLION = 1_000_000


@dataclass(frozen=True)
class DiskUse:
    """Bytes: `used` by the gateway's folder, `room` left for it, which the smaller of budget and
    free space gives; `free` on the file system; `budget` of the configuration, 0 for none."""

    used: int
    room: int
    free: int
    budget: int

    @property
    def capacity(self) -> int:
        """What the folder may come to."""
        return self.used + self.room


@dataclass(frozen=True)
class MemoryUse:
    """Bytes: `used` of `limit`; `resident` by the gateway's processes together.

    `used` is measured against the same thing as the limit: of a control group with a limit all
    that it cannot give back, else what is resident. `source`: BUDGET, CGROUP or MACHINE.
    `stalled_ppm`: share of the last minute, in millionths, in which all work waited for memory
    (PSI `full avg60`), None where the kernel does not say.
    """

    used: int
    limit: int
    resident: int
    source: str
    stalled_ppm: int | None


@dataclass(frozen=True)
class CpuUse:
    """Millionths of one core, mean of the last minute: `used` of `limit`; `source` and
    `stalled_ppm` (PSI `some avg60`) as of memory."""

    used_ppm: int
    limit_ppm: int
    source: str
    stalled_ppm: int | None


BUDGET = "budget"
CGROUP = "cgroup"
MACHINE = "machine"


@dataclass(frozen=True)
class Usage:
    """One look. `cpu` None before two looks have been taken."""

    disk: DiskUse
    memory: MemoryUse
    cpu: CpuUse | None


def disk_use(used: int, free: int, budget: int) -> DiskUse:
    """What a folder of `used` bytes has left, `free` on its file system; `budget` 0: no other
    limit than that."""
    room = free if budget == 0 else max(0, min(budget - used, free))
    return DiskUse(used, room, free, budget)
