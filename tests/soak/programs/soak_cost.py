"""What the heap of a soak holds that a board's does not, printed in bytes.

A frozen image keeps the names of its code in flash; loaded from a ROM image they take heap. So
does what stands in for the board (its names, a kilobyte, are counted with both).
"""

import gc

import micropython


def main(arguments):
    from wattle_meter import app  # noqa: F401 - loaded first, so that what follows can be told

    gc.collect()
    before = gc.mem_alloc()
    import soak_meter  # noqa: F401

    gc.collect()
    print("harness:", gc.mem_alloc() - before)
    micropython.qstr_info()  # prints them
    return 0
