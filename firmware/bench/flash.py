"""What the outbox holds and what it costs the flash; runs on MicroPython.

    flash.py holds READINGS QUANTITY,..          how long it keeps samples of so many readings
    flash.py wears HOURS EVERY_S READINGS FINAL_AFTER_S|none QUANTITY,..

Samples are signed as a meter signs them, one reading a second or every EVERY_S seconds. The flash
is memory below LittleFS with the settings of MicroPython's boards; every program and erase is
counted, erases by block. Prints one line of JSON.
"""

import array
import json
import sys

import vfs
from wattle_meter.board import Clock, Store
from wattle_meter.directory import Directory
from wattle_meter.journal import Journal
from wattle_meter.keys import Pair
from wattle_meter.outbox import Outbox
from wattle_meter.signer import SoftwareSigner
from wattle_wire.downlink import Ack
from wattle_wire.sample import Reading

CAPACITY_BYTES = 1 << 20  # what a meter keeps unless its configuration says otherwise
_BLOCK_BYTES = 4096
_BLOCKS = 512  # 2 MB: the file system of an ESP32 with 4 MB of flash
_READ_COUNT, _READ_SIZE, _ERASE = 4, 5, 6  # ioctl of a block device (docs: vfs, AbstractBlockDev)
_ERASED = b"\xff" * _BLOCK_BYTES
_HOUR_S = 3600
_T_MS = 1700000000000
# What stands on a board's flash beside the outbox and never changes.
_OTHER_FILES_BYTES = 65536
# Samples that are written again and again where only their size matters.
_RING = 32
# How often the outbox must have made room before what it holds at least is known.
_ROOM_MADE = 3
# In the units of SPEC section 4; each reading differs in the last digits, as those of a load do.
_VALUES = {"ee": 113791, "ei": 1137911, "f": 4999, "i": 10043, "p": 23100, "q": 1200, "u": 2303}


class CountingFlash:
    """A block device in memory: `programs`, and `erases` of each block."""

    def __init__(self) -> None:
        self._memory = bytearray(_BLOCKS * _BLOCK_BYTES)
        self.programs = 0
        self.erases = array.array("L", [0] * _BLOCKS)

    def readblocks(self, block, data, offset=0):  # type: ignore[no-untyped-def]
        start = block * _BLOCK_BYTES + offset
        memoryview(data)[:] = memoryview(self._memory)[start : start + len(data)]

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
            start = argument * _BLOCK_BYTES
            self._memory[start : start + _BLOCK_BYTES] = _ERASED
            self.erases[argument] += 1
        return 0


class CountingDirectory(Directory):
    """Counts appends."""

    appends = 0

    def append(self, name, pieces):  # type: ignore[no-untyped-def]
        self.appends += 1
        super().append(name, pieces)


class MemoryStore(Store):
    """What a board has in NVS, which is not part of this."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self._values.get(key)

    def set(self, key: str, value: bytes) -> None:
        self._values[key] = value

    def commit(self) -> None:
        pass


class StillClock(Clock):
    """A clock for code that never waits."""

    def ticks_ms(self) -> int:
        return 0

    async def sleep_ms(self, ms: int) -> None:
        pass


class Meter:
    """A journal on new flash at /flash, and its readings of a load that varies."""

    def __init__(self, every_s: int, readings: int, quantities: list[str]) -> None:
        self.flash = CountingFlash()
        vfs.VfsLfs2.mkfs(self.flash)
        vfs.mount(vfs.VfsLfs2(self.flash), "/flash")
        with open("/flash/other", "wb") as other:
            for _ in range(_OTHER_FILES_BYTES // _BLOCK_BYTES):
                other.write(_ERASED)
        self.files = CountingDirectory("/flash/outbox")
        self.outbox = Outbox(self.files, CAPACITY_BYTES)
        signer = SoftwareSigner(Pair(bytes(31) + b"\x05"))
        self.journal = Journal(bytes(8), bytes(16), signer, MemoryStore(), self.outbox)
        self.journal.acked(Ack(0, 0, [], [], 1, bytes(32)))
        self._every_s = every_s
        self._readings = readings
        self._quantities = quantities
        self._clock = StillClock()
        self._made = 0

    def record(self, link_up: bool) -> int:
        """Signs and keeps a sample of `readings` readings; gives its seq."""
        readings = []
        for _ in range(self._readings):
            self._made += 1
            time_ms = _T_MS + 1000 * self._every_s * self._made
            readings.append(Reading(1, time_ms, "G", self._values()))
        coroutine = self.journal.record(readings, "R", self._clock, link_up)
        try:
            coroutine.send(None)
        except StopIteration as stop:
            seq: int = stop.value
            return seq
        raise AssertionError("waits")

    def _values(self) -> dict[str, int | str]:
        values: dict[str, int | str] = {}
        for at, name in enumerate(self._quantities):
            usual = _VALUES[name.rstrip("123")]
            swing = self._made * (7919 + 2 * at) % (usual // 20)  # 5 %
            values[name] = usual + (self._made if name[0] == "e" else swing)
        return values


def holds(readings: int, quantities: list[str]) -> dict[str, int]:
    """Samples and seconds that the outbox keeps without a link, at one reading a second."""
    meter = Meter(1, readings, quantities)
    least = 0
    made = 0
    while made < _ROOM_MADE:
        dropped = meter.outbox.counts["dropped"]
        seq = meter.record(False)
        if meter.outbox.counts["dropped"] > dropped:
            made += 1
            held = seq - (meter.outbox.first or 0) + 1
            least = min(least or held, held)
    raw = meter.outbox.get(seq)
    return {
        "samples": least,
        "seconds": least * readings,
        "sample_bytes": len(raw or b""),
        "flash_bytes_each": meter.outbox.flash_bytes() // held,
    }


def wears(
    hours: int, every_s: int, readings: int, final_after_s: int | None, quantities: list[str]
) -> dict[str, int]:
    """Hours of a reading every `every_s` seconds, `readings` in a sample, the outbox full before.

    final_after_s: how long the gateway takes to make a sample final; None: there is no link.
    """
    link_up = final_after_s is not None
    meter = Meter(every_s, readings, quantities)
    ring = []
    for _ in range(_RING):
        before = meter.outbox.flash_bytes()
        seq = meter.record(link_up)
        data = meter.outbox.get(seq) or b""
        # Packed or not, only the size matters from here on.
        ring.append(data if link_up else data[: meter.outbox.flash_bytes() - before])
    outbox = meter.outbox
    while not outbox.counts["dropped"]:
        seq += 1
        outbox.append(seq, ring[seq % _RING], 0, False)
    dropped = outbox.counts["dropped"]
    appends, programs, erases = meter.files.appends, meter.flash.programs, list(meter.flash.erases)
    start = seq
    outbox.confirm_final(start)
    each_s = every_s * readings
    for now_s in range(1, hours * _HOUR_S + 1):
        if now_s % each_s == 0:
            seq += 1
            outbox.append(seq, ring[seq % _RING], now_s * 1000, link_up)
        if final_after_s is not None:
            outbox.confirm_final(start + (now_s - final_after_s) // each_s)
            outbox.service(now_s * 1000, True)
    worn = [meter.flash.erases[at] - erases[at] for at in range(_BLOCKS)]
    return {
        "appends": meter.files.appends - appends,
        "programs": meter.flash.programs - programs,
        "erases": sum(worn),
        "erases_of_one_block_max": max(worn),
        "dropped": outbox.counts["dropped"] - dropped,
    }


def main(arguments: list[str]) -> None:
    """Runs one measurement."""
    quantities = arguments[-1].split(",")
    if arguments[0] == "holds":
        found = holds(int(arguments[1]), quantities)
    else:
        final_after_s = None if arguments[4] == "none" else int(arguments[4])
        hours, every_s, readings = [int(word) for word in arguments[1:4]]
        found = wears(hours, every_s, readings, final_after_s, quantities)
    print(json.dumps(found))


main(sys.argv[1:])
