"""What the outbox costs the flash in an hour; runs on the emulated board.

The flash is memory of the board below LittleFS with the settings that MicroPython's boards use;
every program and erase is counted, erases by block.
"""

import array

import uctypes
import vfs
from wattle_meter.directory import Directory
from wattle_meter.outbox import Outbox

_ADDRESS = 0x21400000  # memory above the ROM image, outside the heap
_BLOCK_BYTES = 4096
_BLOCKS = 512  # 2 MB: the file system of an ESP32 with 4 MB of flash
_READ_COUNT, _READ_SIZE, _ERASE = 4, 5, 6  # ioctl of a block device (docs: vfs, AbstractBlockDev)
_HOUR_S = 3600


class CountingFlash:
    """A block device in memory: `programs`, and `erases` of each block."""

    def __init__(self) -> None:
        self._memory = memoryview(uctypes.bytearray_at(_ADDRESS, _BLOCKS * _BLOCK_BYTES))
        self.programs = 0
        self.erases = array.array("H", bytes(2 * _BLOCKS))

    def readblocks(self, block, data, offset=0):  # type: ignore[no-untyped-def]
        start = block * _BLOCK_BYTES + offset
        memoryview(data)[:] = self._memory[start : start + len(data)]

    def writeblocks(self, block, data, offset=0):  # type: ignore[no-untyped-def]
        start = block * _BLOCK_BYTES + offset
        self._memory[start : start + len(data)] = data
        self.programs += 1

    def ioctl(self, operation, argument):  # type: ignore[no-untyped-def]
        if operation == _READ_COUNT:
            return _BLOCKS
        if operation == _READ_SIZE:
            return _BLOCK_BYTES
        if operation == _ERASE:
            self.erases[argument] += 1
        return 0


class CountingDirectory(Directory):
    """Counts appends."""

    appends = 0

    def append(self, name, pieces):  # type: ignore[no-untyped-def]
        self.appends += 1
        super().append(name, pieces)


def measure(
    every_s: int, sample_bytes: int, final_after_s: int | None, capacity_bytes: int
) -> dict[str, int]:
    """An hour of a sample of `sample_bytes` every `every_s` seconds, the outbox full before it.

    final_after_s: how long the gateway takes to make a sample final; None: there is no link.
    """
    flash = CountingFlash()
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    files = CountingDirectory("/flash/outbox")
    outbox = Outbox(files, capacity_bytes)
    data = bytes(sample_bytes)
    seq = 0
    while outbox.flash_bytes() < capacity_bytes - _BLOCK_BYTES:
        seq += 1
        outbox.append(seq, data, seq * every_s * 1000, True)
    before = files.appends, flash.programs, list(flash.erases)
    start_s = now_s = seq * every_s
    outbox.confirm_final(seq)
    while now_s < start_s + _HOUR_S:
        now_s += 1
        if now_s % every_s == 0:
            seq += 1
            outbox.append(seq, data, now_s * 1000, final_after_s is not None)
        if final_after_s is not None:
            outbox.confirm_final((now_s - final_after_s) // every_s)
            outbox.service(now_s * 1000, True)
    vfs.umount("/flash")
    worn = [flash.erases[at] - before[2][at] for at in range(_BLOCKS)]
    return {
        "appends": files.appends - before[0],
        "programs": flash.programs - before[1],
        "erases": sum(worn),
        "erases_of_one_block_max": max(worn),
        "dropped": outbox.counts["dropped"],
    }
