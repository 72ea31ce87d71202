"""Mounts the ROM image at /rom and runs its `program.py`, whose main() gives no value.

The image is mapped, not read: its bytecode runs where it lies and costs no heap, as on a board.
"""

import gc
import sys

import uctypes
import vfs

_IMAGE_ADDRESS = 0x21000000
_IMAGE_BYTES_MAX = 0x400000

vfs.mount(vfs.VfsRom(uctypes.bytearray_at(_IMAGE_ADDRESS, _IMAGE_BYTES_MAX)), "/rom")
sys.path[:] = ["/rom", ".frozen"]
# Loading leaves garbage between what stays: collected often, it leaves no holes in a small heap.
gc.threshold(2048)
program = __import__("program")
gc.threshold(-1)
program.main()
