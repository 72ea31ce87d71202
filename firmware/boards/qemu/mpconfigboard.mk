# A board for MicroPython's qemu port: the port's own Cortex-M3 machine, configured like ours.
#   make -C ports/qemu BOARD=WATTLE BOARD_DIR=<this folder> BUILD=<where to build> ...

include boards/MPS2_AN385/mpconfigboard.mk

# What an ESP32 leaves for Python.
MICROPY_HEAP_SIZE = 112640
MICROPY_VFS_LFS2 = 1
FROZEN_MANIFEST = $(BOARD_DIR)/manifest.py

CFLAGS += -I$(BOARD_DIR) -DMP_CONFIGFILE='<board_config.h>'
SRC_C += $(BOARD_DIR)/boot.c
# main() of the port begins with this function: boot.c puts our start in front of it.
LDFLAGS += -Wl,--wrap=pyexec_friendly_repl -T $(BOARD_DIR)/no_unwinding.ld

# The build looks for a README of micropython-lib, which Debian's source leaves out; we use none.
MPY_LIB_DIR = $(TOP)
