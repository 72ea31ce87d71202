// What the host tells the emulated board before it starts: its MAC, and the size of its partition
// for ROMFS, which lies in PSRAM like everything that is to outlive a soft reset.

#include <string.h>

#include "extmod/vfs.h"
#include "py/mperrno.h"
#include "py/objarray.h"
#include "py/runtime.h"

#define ROM_PARTITION ((uint8_t *)0x21800000)
#define DESCRIPTION ((const uint8_t *)0x21ffff00)
#define MAC_BYTES (6)
#define ROM_BYTES (*(const uint32_t *)(DESCRIPTION + 8))
#define SMALLEST_WRITE (4)

static MP_DEFINE_MEMORYVIEW_OBJ(rom_partition_obj, 'B', 0, 0, ROM_PARTITION);

static mp_obj_t board_unique_id(void) {
    return mp_obj_new_bytes(DESCRIPTION, MAC_BYTES);
}
MP_DEFINE_CONST_FUN_OBJ_0(board_unique_id_obj, board_unique_id);

static int write_rom(mp_int_t offset, mp_obj_t data) {
    mp_buffer_info_t source;
    mp_get_buffer_raise(data, &source, MP_BUFFER_READ);
    if (offset < 0 || offset + source.len > ROM_BYTES) {
        return -MP_EINVAL;
    }
    memcpy(ROM_PARTITION + offset, source.buf, source.len);
    return 0;
}

mp_obj_t mp_vfs_rom_ioctl(size_t n_args, const mp_obj_t *args) {
    mp_int_t command = mp_obj_get_int(args[0]);
    mp_int_t result = -MP_EINVAL;
    if (command == MP_VFS_ROM_IOCTL_GET_NUMBER_OF_SEGMENTS) {
        result = ROM_BYTES != 0;
    } else if (n_args < 2 || mp_obj_get_int(args[1]) != 0 || ROM_BYTES == 0) {
        result = -MP_EINVAL;
    } else if (command == MP_VFS_ROM_IOCTL_GET_SEGMENT) {
        rom_partition_obj.len = ROM_BYTES;
        return MP_OBJ_FROM_PTR(&rom_partition_obj);
    } else if (command == MP_VFS_ROM_IOCTL_WRITE_PREPARE && n_args == 3) {
        mp_uint_t size = mp_obj_get_int(args[2]);
        if (size <= ROM_BYTES) {
            memset(ROM_PARTITION, 0xff, size);
            result = SMALLEST_WRITE;
        }
    } else if (command == MP_VFS_ROM_IOCTL_WRITE && n_args == 4) {
        result = write_rom(mp_obj_get_int(args[2]), args[3]);
    } else if (command == MP_VFS_ROM_IOCTL_WRITE_COMPLETE) {
        result = 0;
    }
    return MP_OBJ_NEW_SMALL_INT(result);
}
