// Start of the emulated board: runs the program of the ROM image, if there is one, and ends qemu
// with its outcome; without an image the port's own prompt comes up.

#include <stdlib.h>

#include "py/runtime.h"
#include "shared/runtime/pyexec.h"

// Where the host loads a ROMFS image: PSRAM of the board, outside the heap. _boot.py mounts it.
#define ROM_IMAGE ((const uint8_t *)0x21000000)
#define SUCCEEDED (1)

int __real_pyexec_friendly_repl(void);

static bool rom_image_is_there(void) {
    return ROM_IMAGE[0] == 0xd2 && ROM_IMAGE[1] == 0xcd && ROM_IMAGE[2] == 0x31;
}

int __wrap_pyexec_friendly_repl(void) {
    BOARD_PRESCALE = BOARD_PRESCALE_1_MHZ;
    if (!rom_image_is_there()) {
        return __real_pyexec_friendly_repl();
    }
    exit(pyexec_frozen_module("_boot.py", false) == SUCCEEDED ? 0 : 1);
}
