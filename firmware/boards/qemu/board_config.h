// The qemu port with what firmware and tools of ours use and the port leaves out: time, asyncio,
// select, machine.mem32, on the microsecond counter of the emulated board; its name and a partition
// for ROMFS (cable.c).

#include "mpconfigport.h"

#undef MICROPY_PY_SELECT
#undef MICROPY_PY_TIME
#undef MICROPY_PY_ASYNCIO
#define MICROPY_PY_SELECT (1)
#define MICROPY_PY_TIME (1)
#define MICROPY_PY_ASYNCIO (1)
#define MICROPY_PY_MACHINE_MEMX (1)

#undef MICROPY_VFS_ROM_IOCTL
#define MICROPY_VFS_ROM_IOCTL (1)
extern const struct _mp_obj_fun_builtin_fixed_t board_unique_id_obj;
#define MICROPY_PY_MACHINE_EXTRA_GLOBALS \
    { MP_ROM_QSTR(MP_QSTR_unique_id), MP_ROM_PTR(&board_unique_id_obj) },

// FPGA system control of the MPS2 (Arm DAI 0385, section 4.3): a counter at 25 MHz / (PRESCALE + 1).
#define BOARD_PRESCALE (*(volatile uint32_t *)0x4002801c)
#define BOARD_COUNTER (*(volatile uint32_t *)0x40028018)
#define BOARD_PRESCALE_1_MHZ (24)

// ticks_ms jumps where the counter wraps, after 71 minutes: no program runs that long here.
#define mp_hal_ticks_us() ((mp_uint_t)BOARD_COUNTER)
#define mp_hal_ticks_ms() ((mp_uint_t)(BOARD_COUNTER / 1000))
#define mp_hal_ticks_cpu() ((mp_uint_t)BOARD_COUNTER)
#define mp_hal_time_ns() ((uint64_t)BOARD_COUNTER * 1000)
#define mp_hal_delay_us(us) \
    do { \
        uint32_t delay_from_ = BOARD_COUNTER; \
        while (BOARD_COUNTER - delay_from_ < (uint32_t)(us)) { \
        } \
    } while (0)
#define mp_hal_delay_ms(ms) mp_hal_delay_us((ms) * 1000)
