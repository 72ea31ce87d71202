"""Runs a program from a ROMFS image: rom_boot.py IMAGE PROGRAM [ARGUMENT...]

The dialect is MicroPython's. PROGRAM is a module with main(arguments), which gives the exit code.
The image is mapped, not read: its bytecode runs where it lies and costs no heap, as on a board.
"""

import gc
import sys

import ffi
import uctypes
import vfs

_READ, _PRIVATE = 1, 2


def mount(path: str) -> None:
    """Maps the image and mounts it at /rom, which becomes the search path."""
    libc = ffi.open("libc.so.6")
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        address = libc.func("P", "mmap", "PIiiil")(None, size, _READ, _PRIVATE, file.fileno(), 0)
    vfs.mount(vfs.VfsRom(uctypes.bytearray_at(address, size)), "/rom")
    sys.path[:] = ["/rom", ".frozen"]


mount(sys.argv[1])
# Loading leaves garbage between what stays: collected often, it leaves no holes in a small heap.
gc.threshold(2048)
sys.exit(__import__(sys.argv[2]).main(sys.argv[3:]))
