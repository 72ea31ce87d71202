"""Flash memory below LittleFS, as NOR flash is; the dialect is MicroPython's.

Erasing sets all bits of a block, programming only clears bits: what is programmed twice holds
neither. A power cut leaves an erase or a program half done.
"""

BLOCK_BYTES = 4096
_ERASED = b"\xff" * BLOCK_BYTES
_READ_COUNT, _READ_SIZE, _ERASE = 4, 5, 6  # ioctl of a block device (docs: vfs, AbstractBlockDev)
# What a cut may leave of a write.
HALF_THE_BYTES, HALF_THE_BITS = 1, 2
_EVERY_OTHER_BIT = 0xAA


class NorFlash:
    """A block device over `memory` (whole blocks, new flash is erased).

    `wrote(start, data)` is called after each write, `data` None for an erase. `programs`: how
    many; `spoilt`: those that could not give each byte its value.
    """

    def __init__(self, memory, wrote=None):
        self.memory = memory
        self.programs = 0
        self.spoilt = 0
        self._wrote = wrote

    def readblocks(self, block, data, offset=0):
        start = block * BLOCK_BYTES + offset
        memoryview(data)[:] = memoryview(self.memory)[start : start + len(data)]

    def writeblocks(self, block, data, offset=0):
        start = block * BLOCK_BYTES + offset
        data = bytes(data)
        write(self.memory, start, data)
        self.programs += 1
        self.spoilt += bytes(self.memory[start : start + len(data)]) != data
        if self._wrote is not None:
            self._wrote(start, data)

    def ioctl(self, operation, argument):
        if operation == _READ_COUNT:
            return len(self.memory) // BLOCK_BYTES
        if operation == _READ_SIZE:
            return BLOCK_BYTES
        if operation == _ERASE:
            write(self.memory, argument * BLOCK_BYTES, None)
            if self._wrote is not None:
                self._wrote(argument * BLOCK_BYTES, None)
        return 0


def write(memory, start, data):
    """Programs `data` at `start`, or erases the block at `start` (None)."""
    after = _after(memory, start, data)
    memory[start : start + len(after)] = after


def write_half(memory, start, data, half):
    """What a power cut leaves of a write: its first bytes, or of each byte every other bit."""
    after = _after(memory, start, data)
    if half == HALF_THE_BYTES:
        after = after[: len(after) // 2]
    else:
        before = bytes(memory[start : start + len(after)])
        after = bytes([old ^ ((old ^ new) & _EVERY_OTHER_BIT) for old, new in zip(before, after)])
    memory[start : start + len(after)] = after


def _after(memory, start, data):
    """The bytes that a write leaves."""
    if data is None:
        return _ERASED
    before = bytes(memory[start : start + len(data)])
    if before == _ERASED[: len(data)]:
        return data
    return bytes([old & new for old, new in zip(before, data)])
