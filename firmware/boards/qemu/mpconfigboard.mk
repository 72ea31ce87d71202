# A board for MicroPython's qemu port: the port's own Cortex-M3 machine, configured like ours.
#   make -C ports/qemu BOARD=WATTLE BOARD_DIR=<this folder> BUILD=<where to build> ...

include boards/MPS2_AN385/mpconfigboard.mk

# What an ESP32 leaves for Python.
MICROPY_HEAP_SIZE = 112640
MICROPY_VFS_LFS2 = 1
FROZEN_MANIFEST = $(BOARD_DIR)/manifest.py

CFLAGS += -I$(BOARD_DIR) -DMP_CONFIGFILE='<board_config.h>'
SRC_C += $(BOARD_DIR)/boot.c $(BOARD_DIR)/prompt.c $(BOARD_DIR)/cable.c
# main() of the port begins with one of these: boot.c puts our start in front of them.
LDFLAGS += -Wl,--wrap=pyexec_friendly_repl -Wl,--wrap=pyexec_raw_repl
# The port asks its UART; prompt.c is told by it, and hears Ctrl-C while a program runs.
LDFLAGS += -Wl,--wrap=mp_hal_stdin_rx_chr -Wl,--wrap=mp_hal_stdio_poll
LDFLAGS += -T $(BOARD_DIR)/no_unwinding.ld

# The build looks for a README of micropython-lib, which Debian's source leaves out; we use none.
MPY_LIB_DIR = $(TOP)
