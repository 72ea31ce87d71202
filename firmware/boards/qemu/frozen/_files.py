"""Mounts LittleFS at /, in PSRAM: it outlives a soft reset, not the end of qemu."""

import sys

import uctypes
import vfs

_FILES_ADDRESS = 0x21400000
_BLOCK_BYTES = 512
_BLOCKS = 512


class Blocks:
    """A block device in memory, as VfsLfs2 wants one."""

    def __init__(self):
        self._cells = memoryview(uctypes.bytearray_at(_FILES_ADDRESS, _BLOCKS * _BLOCK_BYTES))

    def readblocks(self, block, buffer, offset=0):
        at = block * _BLOCK_BYTES + offset
        buffer[:] = self._cells[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        at = block * _BLOCK_BYTES + offset
        self._cells[at : at + len(buffer)] = buffer

    def ioctl(self, operation, argument):
        if operation == 4:
            return _BLOCKS
        if operation == 5:
            return _BLOCK_BYTES
        return 0


blocks = Blocks()
try:
    files = vfs.VfsLfs2(blocks)
except OSError:
    vfs.VfsLfs2.mkfs(blocks)
    files = vfs.VfsLfs2(blocks)
vfs.mount(files, "/")
for path in ("/lib", ".frozen", ""):
    if path not in sys.path:
        sys.path.insert(0, path)
