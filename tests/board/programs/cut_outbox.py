"""Runs on the emulated board: the outbox on LittleFS, the power cut inside every write.

The flash is memory that logs each write and erase. After the work the log is replayed write by
write; each one is cut off somewhere in the middle, and from what is then on the flash the outbox
must start, with every sample that was safe before. Prints what was seen as one line of JSON.
"""

import json

import uctypes
import vfs
from wattle_meter import segment
from wattle_meter.directory import Directory
from wattle_meter.outbox import CAPACITY_BYTES_MIN, Outbox

BLOCK_BYTES = 4096
BLOCKS = 32
FLASH_BYTES = BLOCKS * BLOCK_BYTES
# Memory of the board above the ROM image, outside the heap: the flash that the log is replayed
# on, what a cut leaves of it, the flash at work, and the log itself.
REPLAYED, CUT, AT_WORK, LOG = 0x21400000, 0x21500000, 0x21600000, 0x21700000
LOG_BYTES_MAX = 0x800000
ERASED = b"\xff" * BLOCK_BYTES

SAMPLES = 90
SAMPLE_BYTES = 1000
FINAL_BEHIND = 30
# Enough to meet every kind of write at every stage; all of them would take a minute.
CUT_EVERY = 11
CHECK_READ_BYTES = 512
_READ_COUNT, _READ_SIZE, _ERASE = 4, 5, 6  # ioctl of a block device (docs: vfs, AbstractBlockDev)


class Flash:
    """A block device of LittleFS in memory; `log` is None or called with (address, data)."""

    def __init__(self, address, log=None):
        self._memory = memoryview(uctypes.bytearray_at(address, FLASH_BYTES))
        self._log = log

    def readblocks(self, block, data, offset=0):
        start = block * BLOCK_BYTES + offset
        memoryview(data)[:] = self._memory[start : start + len(data)]

    def writeblocks(self, block, data, offset=0):
        self._write(block * BLOCK_BYTES + offset, data)

    def ioctl(self, operation, argument):
        if operation == _READ_COUNT:
            return BLOCKS
        if operation == _READ_SIZE:
            return BLOCK_BYTES
        if operation == _ERASE:
            self._write(argument * BLOCK_BYTES, ERASED)
        return 0

    def _write(self, start, data):
        self._memory[start : start + len(data)] = data
        if self._log is not None:
            self._log.add(start, data)


class Log:
    """Writes in their order: (start, length, safe: the last seq that was on flash before it)."""

    def __init__(self):
        self._memory = memoryview(uctypes.bytearray_at(LOG, LOG_BYTES_MAX))
        self._end = 0
        self.writes = 0
        self.safe = 0
        self.erases = 0

    def add(self, start, data):
        head = (
            start.to_bytes(4, "big") + len(data).to_bytes(4, "big") + self.safe.to_bytes(4, "big")
        )
        for piece in (head, data):
            self._memory[self._end : self._end + len(piece)] = piece
            self._end += len(piece)
        self.writes += 1
        self.erases += len(data) == BLOCK_BYTES and bytes(data) == ERASED

    def __iter__(self):
        at = 0
        while at < self._end:
            start, length, safe = [
                int.from_bytes(bytes(self._memory[at + word : at + word + 4]), "big")
                for word in (0, 4, 8)
            ]
            yield start, self._memory[at + 12 : at + 12 + length], safe
            at += 12 + length


def sample(seq):
    """Bytes that tell which seq they belong to, of lengths that differ."""
    return (b"%08d" % seq * 16 * 8)[: SAMPLE_BYTES + seq % 7]


def work(log):
    """Fills the outbox beyond its capacity, with and without the link."""
    flash = Flash(AT_WORK, log)
    vfs.VfsLfs2.mkfs(flash)
    formatted = log.writes
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    outbox = Outbox(Directory("/flash/outbox"), CAPACITY_BYTES_MIN)
    for seq in range(1, SAMPLES + 1):
        link_up = seq // 10 % 4 != 3
        outbox.append(seq, sample(seq), seq * 1000, link_up)
        if seq % 8 == 0:
            outbox.confirm_final(seq - FINAL_BEHIND)
        if not link_up:
            log.safe = seq  # it is written before append gives way
    outbox.flush()
    assert outbox.counts["write_failed"] == 0, outbox.counts
    assert not outbox.take_lost()
    vfs.umount("/flash")
    return formatted


def stored(files):
    """The seqs of all records in the files of the outbox; their bytes must be what was appended."""
    seqs = []
    for name in sorted(files.names()):
        with files.open(name) as file:
            while True:
                taken, seq, data, _ = segment.next_record(file)
                if not taken:
                    break
                assert bytes(data) == sample(seq), f"seq {seq} is damaged"
                seqs.append(seq)
    return seqs


def check(safe):
    """Starts from what a cut left, of which samples up to `safe` must not be lost to it."""
    # Larger reads than a board's, since this reads all that is there: they leave the format alone.
    vfs.mount(vfs.VfsLfs2(Flash(CUT), readsize=CHECK_READ_BYTES), "/cut")
    files = Directory("/cut/outbox")
    outbox = Outbox(files, CAPACITY_BYTES_MIN)
    kept = stored(files)
    if kept:
        assert kept == list(range(kept[0], kept[-1] + 1)), f"a hole in {kept}"
        assert (outbox.first, outbox.last) == (kept[0], kept[-1])
    assert safe <= (outbox.last or 0), f"{safe} was safe, {outbox.last} is the last"
    assert outbox.counts["damaged"] == 0, outbox.counts
    # It goes on: the next sample is kept as well.
    outbox.append(SAMPLES + 1, sample(SAMPLES + 1), 0, False)
    assert outbox.last == SAMPLES + 1
    assert outbox.get(SAMPLES + 1) == sample(SAMPLES + 1)
    vfs.umount("/cut")
    return outbox.counts["torn"]


def main() -> None:
    log = Log()
    formatted = work(log)
    replayed = memoryview(uctypes.bytearray_at(REPLAYED, FLASH_BYTES))
    cut = memoryview(uctypes.bytearray_at(CUT, FLASH_BYTES))
    cuts = torn = 0
    for number, (start, data, safe) in enumerate(log):
        if number >= formatted and number % CUT_EVERY == 0:
            cuts += 1
            cut[:] = replayed
            kept = number * 37 % (len(data) + 1)
            cut[start : start + kept] = data[:kept]
            torn += check(safe)
        replayed[start : start + len(data)] = data
    print(json.dumps({"writes": log.writes, "erases": log.erases, "cuts": cuts, "torn": torn}))
