"""Interpreter images for emulated boards: of the form of an ESP32's, with nothing to run in them.

A bootloader's header, a partition table and an app with its description (ESP-IDF Programming Guide,
"App Image Format" and "Partition Tables"). Its app's description says which version of MicroPython
the emulated board is to be; the images of micropython.org leave that field empty.
"""

import hashlib
import random
import struct

from wattle_hil.serial_board.flash_memory import APP_IMAGE_MAGIC, BOOTLOADER_AT, TABLE_AT

NVS_AT, NVS_BYTES = 0x9000, 0x6000
_APP_AT, _APP_BYTES_MAX = 0x10000, 0x1F0000
_VFS_AT = 0x200000
_ROM_AT, _ROM_BYTES = 0x380000, 0x80000
_APP_KIND, _DATA_KIND = 0, 1
_FACTORY, _NVS, _PHY, _ROMFS, _FAT = 0x00, 0x02, 0x01, 0x8F, 0x81
_ESP32 = 0
_MD5_ROW = b"\xeb\xeb" + b"\xff" * 14


def interpreter_image(
    version: str = "1.25.0",
    *,
    chip: int = _ESP32,
    app_bytes: int = 0x6000,
    nvs_bytes: int = NVS_BYTES,
    files_bytes: int = 0x100000,
    romfs: bool = False,
) -> bytes:
    """A file as micropython.org has it: of an ESP32 (chip 0) to be written at 0x1000, else at 0.

    nvs_bytes, files_bytes: sizes of the partitions of NVS and file system. romfs: whether there
    is one for ROMFS.
    """
    rows = [
        (_DATA_KIND, _NVS, NVS_AT, nvs_bytes, "nvs"),
        (_DATA_KIND, _PHY, 0xF000, 0x1000, "phy_init"),
        (_APP_KIND, _FACTORY, _APP_AT, _APP_BYTES_MAX, "factory"),
        (_DATA_KIND, _FAT, _VFS_AT, files_bytes, "vfs"),
    ]
    if romfs:
        rows.append((_DATA_KIND, _ROMFS, _ROM_AT, _ROM_BYTES, "romfs"))
    table = b"".join(
        struct.pack("<2sBBII16sI", b"\xaa\x50", kind, subtype, offset, size, name.encode(), 0)
        for kind, subtype, offset, size, name in rows
    )
    table += _MD5_ROW + hashlib.md5(table, usedforsecurity=False).digest()
    start = BOOTLOADER_AT if chip == _ESP32 else 0
    parts = {start: _header(chip, b""), TABLE_AT: table}
    app = _header(chip, _description(version))
    # Code does not compress to nothing, nor does this.
    parts[_APP_AT] = app + random.Random(version).randbytes(app_bytes - len(app))
    image = bytearray(b"\xff" * (_APP_AT + app_bytes))
    for offset, part in parts.items():
        image[offset : offset + len(part)] = part
    return bytes(image[start:])


def _header(chip: int, segment: bytes) -> bytes:
    """An image of one segment, with its checksum in the last byte of a 16-byte line."""
    segment = segment.ljust(256, b"\0")
    head = struct.pack("<BBBBI", APP_IMAGE_MAGIC, 1, 2, 0x20, 0x40080000)
    head += struct.pack("<BBBBHBHHBBBBB", 0xEE, 0, 0, 0, chip, 0, 0, 0xFFFF, 0, 0, 0, 0, 0)
    body = head + struct.pack("<II", 0x3F400020, len(segment)) + segment
    checksum = 0xEF
    for byte in segment:
        checksum ^= byte
    return body + b"\0" * (15 - len(body) % 16) + bytes([checksum])


def _description(version: str) -> bytes:
    words = struct.pack("<IIII", 0xABCD5432, 0, 0, 0)
    return words + version.encode().ljust(32, b"\0") + b"micropython".ljust(32, b"\0")
