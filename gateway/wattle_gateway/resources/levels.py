"""From usage to levels: 0 is well, each higher one is closer to the end.

A level is entered at its mark and left only a margin below it, so that what hovers at a mark does
not make the gateway change its mind at every look.
"""

from wattle_gateway.resources.usage import (
    CPU,
    DISK,
    MEMORY,
    MIB,
    MILLION,
    CpuUse,
    DiskUse,
    MemoryUse,
    Usage,
)

LEVEL_MAX = 5
GIB = 1 << 30
# Disk: a level is entered when less than this is left, the smaller of a share of what the folder
# may come to (millionths) and a number of bytes: 30 % of a small card is days, of a large disk
# years. What is left at the last level is for the ledger: what was acknowledged has to become
# final, and the write-ahead log takes 64 MiB while somebody reads for long.
_DISK_MARKS = (
    (300_000, 64 * GIB),
    (200_000, 8 * GIB),
    (100_000, 4 * GIB),
    (50_000, 2 * GIB),
    (20_000, 256 * MIB),
)
# On a small disk, too, the last level leaves what a few steps of the ledger write at once.
DISK_RESERVE_BYTES = 8 * MIB
# Memory and CPU: shares of the limit in millionths. CPU has no last level: what is late is sent
# again, and nothing is lost by being slow.
_MEMORY_MARKS = (750_000, 850_000, 900_000, 950_000, 980_000)
_CPU_MARKS = (800_000, 900_000, 950_000, 980_000)
# What a level is left below: a quarter more room on the disk, 3 % less of the limit used.
_DISK_BACK = (5, 4)
_BACK_PPM = 30_000
# All work of the gateway waited for memory for a tenth of the last minute: the kernel is taking
# pages away that are needed, whatever the figures say.
MEMORY_STALLED_PPM = 100_000
_STALLED_LEVEL = 3


def follow(levels: dict[str, int], usage: Usage) -> dict[str, int]:
    """The levels after a look, by resource; `levels` those before it, {} at the start."""
    found = {
        DISK: _disk(levels.get(DISK, 0), usage.disk),
        MEMORY: _memory(levels.get(MEMORY, 0), usage.memory),
    }
    if usage.cpu is not None:
        found[CPU] = _cpu(levels.get(CPU, 0), usage.cpu)
    else:
        found[CPU] = levels.get(CPU, 0)
    return found


def disk_marks(capacity: int) -> tuple[int, ...]:
    """Bytes of room below which each level is entered, of a folder that may come to `capacity`."""
    marks = (min(capacity * share // MILLION, most) for share, most in _DISK_MARKS)
    return tuple(max(mark, DISK_RESERVE_BYTES) for mark in marks)


def _disk(before: int, use: DiskUse) -> int:
    marks = disk_marks(use.capacity)
    entered = sum(use.room < mark for mark in marks)
    times, parts = _DISK_BACK
    kept = sum(use.room * parts < mark * times for mark in marks)
    return max(entered, min(before, kept))


def _memory(before: int, use: MemoryUse) -> int:
    level = _share(before, use.used, use.limit, _MEMORY_MARKS)
    stalls = use.stalled_ppm is not None and use.stalled_ppm >= MEMORY_STALLED_PPM
    # Who uses less than half of what there is waits for what others do: giving up would not help.
    return max(level, _STALLED_LEVEL) if stalls and 2 * use.used >= use.limit else level


def _cpu(before: int, use: CpuUse) -> int:
    return _share(before, use.used_ppm, use.limit_ppm, _CPU_MARKS)


def _share(before: int, used: int, limit: int, marks: tuple[int, ...]) -> int:
    """The level of `used` out of `limit`; a limit of 0 is used up by anything."""
    ppm = used * MILLION // limit if limit else MILLION
    entered = sum(ppm >= mark for mark in marks)
    kept = sum(ppm >= mark - _BACK_PPM for mark in marks)
    return max(entered, min(before, kept))
