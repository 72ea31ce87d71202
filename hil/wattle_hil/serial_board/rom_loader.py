"""The ESP32's serial loader, emulated: the one in ROM and the stub that esptool puts into RAM.

Commands and answers: esptool documentation, "Serial Protocol". Bytes in, bytes out; no I/O. The
stub's code is taken and thrown away: from its start on the loader answers as the stub does.
"""

import hashlib
import struct
import zlib
from collections.abc import Callable

from wattle_hil.serial_board.flash_memory import FlashMemory
from wattle_hil.serial_board.slip import FrameReader, encoded

# The frame that calls the loader, up to its pattern.
SYNC_CALL = b"\xc0\x00\x08\x24\x00"

_FLASH_BEGIN, _FLASH_DATA, _FLASH_END = 0x02, 0x03, 0x04
_MEM_BEGIN, _MEM_END, _MEM_DATA = 0x05, 0x06, 0x07
_SYNC, _WRITE_REG, _READ_REG = 0x08, 0x09, 0x0A
_SPI_SET_PARAMS, _SPI_ATTACH, _CHANGE_BAUD = 0x0B, 0x0D, 0x0F
_DEFLATE_BEGIN, _DEFLATE_DATA, _DEFLATE_END, _SPI_MD5 = 0x10, 0x11, 0x12, 0x13
_ERASE_FLASH, _ERASE_REGION, _READ_FLASH = 0xD0, 0xD1, 0xD2

_INVALID_MESSAGE, _FAILED, _BAD_CHECKSUM, _BAD_BLOCK = 0x05, 0x06, 0x07, 0x09
_CHECKSUM_SEED = 0xEF
_SYNC_VALUE = 0x20120707  # the stub's is 0
_SYNC_REPLIES = 8
_BLOCK_HEAD = 16

# Registers that esptool looks at (ESP32 Technical Reference Manual).
_MAGIC_AT, _MAGIC = 0x40001000, 0x00F01D83
_UART_DIVIDER_AT, _UART_DIVIDER = 0x3FF40014, 40_000_000 // 115_200
_EFUSE_AT = 0x3FF5A000
_SPI_COMMAND, _SPI_USER2, _SPI_W0 = 0x3FF42000, 0x3FF42024, 0x3FF42080
_READ_ID = 0x9F
_FLASH_ID = 0x0040EF  # Winbond W25Q; the capacity comes above it
_REGISTERS_MAX = 4_096


class RomLoader:
    """A chip in its serial loader.

    mac: its base MAC, 6 bytes. reboot: called when the host asks for the program in flash.
    """

    def __init__(self, flash: FlashMemory, mac: bytes, reboot: Callable[[], None]) -> None:
        self._flash = flash
        self._reboot = reboot
        self._frames = FrameReader()
        self._registers = {
            _MAGIC_AT: _MAGIC,
            _UART_DIVIDER_AT: _UART_DIVIDER,
            _EFUSE_AT + 4: int.from_bytes(mac[2:], "big"),
            _EFUSE_AT + 8: int.from_bytes(mac[:2], "big"),
        }
        self._stub = False
        self._at = 0
        self._read = b""
        self._inflater = zlib.decompressobj()

    def receive(self, data: bytes) -> bytes:
        """What the loader answers to bytes of the host."""
        return b"".join(self._answer(frame) for frame in self._frames.feed(data))

    def _answer(self, frame: bytes) -> bytes:
        if len(frame) == 4 and self._read:
            return self._end_of_read(frame)
        if len(frame) < 8 or frame[0] != 0:
            return b""
        _, command, size, checksum = struct.unpack_from("<BBHI", frame)
        body = frame[8:]
        if len(body) != size:
            return self._reply(command, error=_INVALID_MESSAGE)
        if command == _SYNC:
            value = 0 if self._stub else _SYNC_VALUE
            return self._reply(command, value=value) * _SYNC_REPLIES
        if command in (_FLASH_DATA, _DEFLATE_DATA, _MEM_DATA):
            return self._reply(command, error=self._take_block(command, body, checksum))
        if command == _READ_REG:
            (address,) = struct.unpack_from("<I", body)
            return self._reply(command, value=self._registers.get(address, 0))
        if command == _SPI_MD5:
            return self._reply(command, data=self._md5(body))
        if command == _MEM_END:
            return self._reply(command) + self._start_stub(body)
        if command == _READ_FLASH and self._stub:
            return self._reply(command) + self._start_read(body)
        return self._reply(command, error=self._do(command, body))

    def _reply(self, command: int, *, value: int = 0, data: bytes = b"", error: int = 0) -> bytes:
        status = bytes([1 if error else 0, error]) + (b"" if self._stub else b"\0\0")
        head = struct.pack("<BBHI", 1, command, len(data) + len(status), value)
        return encoded(head + data + status)

    def _do(self, command: int, body: bytes) -> int:
        """Carries out a command without an answer of its own; gives the error, 0 for none."""
        if command in (_FLASH_BEGIN, _DEFLATE_BEGIN):
            return self._begin(command, body)
        if command in (_FLASH_END, _DEFLATE_END):
            (stay,) = struct.unpack_from("<I", body)
            if not stay:
                self._reboot()
            return 0
        if command == _WRITE_REG:
            return self._write_register(*struct.unpack_from("<II", body))
        if command in (_MEM_BEGIN, _SPI_SET_PARAMS, _SPI_ATTACH, _CHANGE_BAUD):
            return 0
        if self._stub and command in (_ERASE_FLASH, _ERASE_REGION):
            whole = (0, len(self._flash))
            offset, size = whole if command == _ERASE_FLASH else struct.unpack_from("<II", body)
            self._flash.erase(offset, size)
            return 0
        return _INVALID_MESSAGE

    def _begin(self, command: int, body: bytes) -> int:
        size, _, _, offset = struct.unpack_from("<IIII", body)
        if offset + size > len(self._flash):
            return _FAILED
        self._flash.erase(offset, size)
        self._at = offset
        if command == _DEFLATE_BEGIN:
            self._inflater = zlib.decompressobj()
        return 0

    def _take_block(self, command: int, body: bytes, checksum: int) -> int:
        (size,) = struct.unpack_from("<I", body)
        block = body[_BLOCK_HEAD:]
        if len(block) != size:
            return _BAD_BLOCK
        if _checksum(block) != checksum & 0xFF:
            return _BAD_CHECKSUM
        if command == _MEM_DATA:
            return 0
        if command == _DEFLATE_DATA:
            try:
                block = self._inflater.decompress(block)
            except zlib.error:
                return _FAILED
        block = block[: len(self._flash) - self._at]
        self._flash.write(self._at, block)
        self._at += len(block)
        return 0

    def _md5(self, body: bytes) -> bytes:
        offset, size = struct.unpack_from("<II", body)
        digest = hashlib.md5(self._flash.read(offset, size), usedforsecurity=False)
        return digest.digest() if self._stub else digest.hexdigest().encode()

    def _start_stub(self, body: bytes) -> bytes:
        stay, _ = struct.unpack_from("<II", body)
        if stay:
            return b""
        self._stub = True
        return encoded(b"OHAI")

    def _start_read(self, body: bytes) -> bytes:
        """All blocks at once: a pty loses none, whatever number the host wants in flight."""
        offset, size, block, _ = struct.unpack_from("<IIII", body)
        self._read = self._flash.read(offset, size)
        blocks = range(0, len(self._read), max(block, 1))
        return b"".join(encoded(self._read[at : at + block]) for at in blocks)

    def _end_of_read(self, acknowledged: bytes) -> bytes:
        """The MD5 of what was read, when the host has acknowledged the last byte."""
        if int.from_bytes(acknowledged, "little") < len(self._read):
            return b""
        digest = hashlib.md5(self._read, usedforsecurity=False).digest()
        self._read = b""
        return encoded(digest)

    def _write_register(self, address: int, value: int) -> int:
        if len(self._registers) >= _REGISTERS_MAX and address not in self._registers:
            return _FAILED
        self._registers[address] = value
        if address == _SPI_COMMAND:
            # A command of the host's own to the flash chip is carried out at once.
            self._registers[_SPI_COMMAND] = 0
            if self._registers.get(_SPI_USER2, 0) & 0xFF == _READ_ID:
                capacity = (len(self._flash) - 1).bit_length()
                self._registers[_SPI_W0] = _FLASH_ID | capacity << 16
        return 0


def _checksum(data: bytes) -> int:
    state = _CHECKSUM_SEED
    for byte in data:
        state ^= byte
    return state
