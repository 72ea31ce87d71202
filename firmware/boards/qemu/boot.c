// Start of the emulated board: runs the program of the ROM image, if there is one, and ends qemu
// with its outcome. Without an image it is a board on a cable: a file system that outlives a soft
// reset, main.py from it, and the port's own prompt.

#include <stdlib.h>

#include "py/runtime.h"
#include "shared/runtime/pyexec.h"

#include "prompt.h"

// Where the host loads a ROMFS image: PSRAM of the board, outside the heap. _boot.py mounts it.
#define ROM_IMAGE ((const uint8_t *)0x21000000)
#define SUCCEEDED (1)

int __real_pyexec_friendly_repl(void);
int __real_pyexec_raw_repl(void);

static bool has_started;

static bool rom_image_is_there(void) {
    return ROM_IMAGE[0] == 0xd2 && ROM_IMAGE[1] == 0xcd && ROM_IMAGE[2] == 0x31;
}

static void start(bool with_program) {
    if (has_started) {
        return;
    }
    has_started = true;
    prompt_init();
    pyexec_frozen_module("_files.py", false);
    if (with_program) {
        pyexec_file_if_exists("main.py");
    }
}

static int ended(int repl) {
    // Anything but 0 is a soft reset: the next start is a fresh one.
    has_started = has_started && repl == 0;
    return repl;
}

int __wrap_pyexec_friendly_repl(void) {
    BOARD_PRESCALE = BOARD_PRESCALE_1_MHZ;
    if (rom_image_is_there()) {
        exit(pyexec_frozen_module("_boot.py", false) == SUCCEEDED ? 0 : 1);
    }
    start(true);
    return ended(__real_pyexec_friendly_repl());
}

int __wrap_pyexec_raw_repl(void) {
    start(false);
    return ended(__real_pyexec_raw_repl());
}
