"""The emulated serial loader: framing, flash, MD5, and that nonsense does no harm."""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_hil.serial_board.flash_memory import SECTOR_BYTES, FlashMemory
from wattle_hil.serial_board.program_image import interpreter_image
from wattle_hil.serial_board.rom_loader import RomLoader
from wattle_hil.serial_board.slip import FRAME_BYTES_MAX, FrameReader, encoded

MAC = bytes.fromhex("240ac4010203")
SIZE = 0x20000
BEGIN, DATA, DEFLATE_BEGIN, DEFLATE_DATA, SYNC, MD5 = 0x02, 0x03, 0x10, 0x11, 0x08, 0x13
READ_REG, MEM_END, FLASH_END, READ = 0x0A, 0x06, 0x04, 0xD2


class Host:
    """Sends commands to a loader and takes its answers apart."""

    def __init__(self, flash: FlashMemory) -> None:
        self.reboots = 0
        self.loader = RomLoader(flash, MAC, self._reboot)

    def _reboot(self) -> None:
        self.reboots += 1

    def ask(self, command: int, body: bytes, checksum: int = 0) -> tuple[int, bytes]:
        """(value, data with its status) of the answer."""
        packet = struct.pack("<BBHI", 0, command, len(body), checksum) + body
        [answer] = FrameReader().feed(self.loader.receive(encoded(packet)))
        direction, said, size, value = struct.unpack_from("<BBHI", answer)
        assert (direction, said, size) == (1, command, len(answer) - 8)
        return value, answer[8:]

    def block(self, command: int, data: bytes) -> bytes:
        checksum = 0xEF
        for byte in data:
            checksum ^= byte
        return self.ask(command, struct.pack("<IIII", len(data), 0, 0, 0) + data, checksum)[1]


@pytest.fixture
def flash(tmp_path: Path) -> Iterator[FlashMemory]:
    memory = FlashMemory(tmp_path / "flash", SIZE)
    yield memory
    memory.close()


@pytest.mark.parametrize("size", [0, 1, 5, 300])
def test_frames_are_read_in_any_pieces_and_from_between_garbage(size: int) -> None:
    payload = bytes(0xC0 + n % 32 for n in range(size)) + b"end"
    stream = b"boot noise\r\n" + encoded(payload) + encoded(b"second")
    reader = FrameReader()
    pieces = [frame for at in range(len(stream)) for frame in reader.feed(stream[at : at + 1])]
    assert pieces == FrameReader().feed(stream) == [payload, b"second"]


def test_a_frame_without_end_takes_no_memory() -> None:
    reader = FrameReader()
    assert reader.feed(b"\xc0" + b"x" * (FRAME_BYTES_MAX + 1)) == []
    assert reader.feed(encoded(b"next")) == [b"next"]


def test_what_was_written_is_what_the_md5_says(flash: FlashMemory) -> None:
    host = Host(flash)
    content = bytes(range(256)) * 8
    assert host.ask(BEGIN, struct.pack("<IIII", len(content), 1, 1024, 0x3000))[1] == bytes(4)
    assert host.block(DATA, content) == bytes(4)
    packed = zlib.compress(content)
    host.ask(DEFLATE_BEGIN, struct.pack("<IIII", len(content), 1, 1024, 0x5000))
    assert host.block(DEFLATE_DATA, packed) == bytes(4)
    digest = hashlib.md5(content, usedforsecurity=False)
    for offset in (0x3000, 0x5000):
        _, data = host.ask(MD5, struct.pack("<IIII", offset, len(content), 0, 0))
        assert data == digest.hexdigest().encode() + bytes(4)
    value, status = host.ask(MEM_END, struct.pack("<II", 1, 0))
    assert (value, status) == (0, bytes(4))


def test_the_stub_greets_and_answers_with_shorter_status(flash: FlashMemory) -> None:
    host = Host(flash)
    packet = struct.pack("<BBHI", 0, MEM_END, 8, 0) + struct.pack("<II", 0, 0x40080000)
    ended, greeting = FrameReader().feed(host.loader.receive(encoded(packet)))
    assert (ended[1], greeting) == (MEM_END, b"OHAI")
    _, data = host.ask(MD5, struct.pack("<IIII", 0, 16, 0, 0))
    assert data == hashlib.md5(b"\xff" * 16, usedforsecurity=False).digest() + bytes(2)


def test_the_stub_reads_flash_back_with_its_md5(flash: FlashMemory) -> None:
    host = Host(flash)
    host.loader.receive(encoded(struct.pack("<BBHIII", 0, MEM_END, 8, 0, 0, 0x40080000)))
    content = bytes(range(256)) * 20
    flash.write(0x2000, content)
    body = struct.pack("<IIII", 0x2000, len(content), SECTOR_BYTES, 64)
    answer = host.loader.receive(encoded(struct.pack("<BBHI", 0, READ, len(body), 0) + body))
    status, *blocks = FrameReader().feed(answer)
    assert (status[1], b"".join(blocks)) == (READ, content)
    assert host.loader.receive(encoded(struct.pack("<I", SECTOR_BYTES))) == b""
    [digest] = FrameReader().feed(host.loader.receive(encoded(struct.pack("<I", len(content)))))
    assert digest == hashlib.md5(content, usedforsecurity=False).digest()


def test_damaged_blocks_and_commands_are_refused_and_change_nothing(flash: FlashMemory) -> None:
    host = Host(flash)
    host.ask(BEGIN, struct.pack("<IIII", 16, 1, 16, 0))
    body = struct.pack("<IIII", 4, 0, 0, 0) + b"abcd"
    assert host.ask(DATA, body, checksum=1)[1][:2] == b"\x01\x07"
    assert host.ask(DATA, body[:-1], checksum=1)[1][:2] == b"\x01\x09"
    assert host.ask(BEGIN, struct.pack("<IIII", SIZE, 1, 16, 16))[1][:2] == b"\x01\x06"
    assert host.ask(0x77, b"")[1][:2] == b"\x01\x05"
    host.ask(DEFLATE_BEGIN, struct.pack("<IIII", 16, 1, 16, 0))
    assert host.block(DEFLATE_DATA, b"no deflate")[:2] == b"\x01\x06"
    assert host.loader.receive(encoded(b"short")) == b""
    assert flash.read(0, 16) == b"\xff" * 16


def test_a_stuck_cell_shows_in_the_md5(tmp_path: Path) -> None:
    flash = FlashMemory(tmp_path / "worn", SIZE, stuck_at=0x1004)
    host = Host(flash)
    host.ask(BEGIN, struct.pack("<IIII", 8, 1, 8, 0x1000))
    assert host.block(DATA, b"\xaa" * 8) == bytes(4)
    _, data = host.ask(MD5, struct.pack("<IIII", 0x1000, 8, 0, 0))
    good = hashlib.md5(b"\xaa" * 8, usedforsecurity=False).hexdigest().encode()
    assert data[:32] != good
    flash.close()


def test_the_mac_is_in_the_efuses(flash: FlashMemory) -> None:
    host = Host(flash)
    low, high = (host.ask(READ_REG, struct.pack("<I", 0x3FF5A004 + at))[0] for at in (0, 4))
    assert high.to_bytes(2, "big") + low.to_bytes(4, "big") == MAC


def test_the_host_may_ask_for_the_program(flash: FlashMemory) -> None:
    host = Host(flash)
    host.ask(FLASH_END, struct.pack("<I", 1))
    assert host.reboots == 0
    host.ask(FLASH_END, struct.pack("<I", 0))
    assert host.reboots == 1


def test_flash_knows_the_program_in_it(flash: FlashMemory) -> None:
    assert flash.app_version() is None
    assert flash.partition("vfs") is None
    flash.write(0x1000, interpreter_image("1.25.0", romfs=True))
    assert flash.app_version() == "1.25.0"
    assert [row.name for row in flash.partitions()] == [
        *("nvs", "phy_init", "factory", "vfs", "romfs")
    ]
    flash.erase(0x1001, 1)
    assert flash.read(0x1000, SECTOR_BYTES) == b"\xff" * SECTOR_BYTES
    assert flash.app_version() is None
