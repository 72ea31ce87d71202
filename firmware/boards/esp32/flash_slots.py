"""Slots of the ESP32: programs in the partition "romfs", from where they run; the rest in folders.

The partition has three equal parts: what was installed, and slots 1 and 2. `main.py`, which starts
them, says the same.
"""

from esp32 import Partition
from wattle_meter.slots import PIECE_BYTES, Slots

FIRMWARE = "firmware.rom"
_LABEL = "romfs"
_PARTS = 3
_SECTOR_BYTES = 4096
_ERASE = 6  # ioctl of a block device (docs.micropython.org, "vfs")
_SIZE = 3  # in what Partition.info() gives


class FlashSlots(Slots):
    """As Slots; a board without the partition has no room for programs."""

    def __init__(self) -> None:
        super().__init__("")
        found = Partition.find(Partition.TYPE_DATA, label=_LABEL)
        self._partition = found[0] if found else None
        size = found[0].info()[_SIZE] if found else 0
        self._room = size // _PARTS // _SECTOR_BYTES * _SECTOR_BYTES
        self._is_program = False
        self._at = 0
        self._sizes = [0] * _PARTS

    def begin(self, slot: int, name: str, size: int) -> bool:
        self._is_program = name == FIRMWARE
        if not self._is_program:
            return super().begin(slot, name, size)
        self._at = slot * self._room
        self._sizes[slot] = size
        return size <= self._room

    def write(self, data: bytes) -> None:
        if not self._is_program:
            super().write(data)
            return
        assert self._partition is not None
        while data:
            sector, offset = divmod(self._at, _SECTOR_BYTES)
            if not offset:  # one at a time: 45 ms each, which a due read can wait
                self._partition.ioctl(_ERASE, sector)
            part = data[: _SECTOR_BYTES - offset]
            self._partition.writeblocks(sector, part, offset)
            self._at += len(part)
            data = data[len(part) :]

    def end(self) -> None:
        if not self._is_program:
            super().end()

    def read(self, slot: int, name: str, offset: int) -> bytes:
        if name != FIRMWARE:
            return super().read(slot, name, offset)
        assert self._partition is not None
        data = bytearray(max(0, min(PIECE_BYTES, self._sizes[slot] - offset)))
        if data:
            sector, start = divmod(slot * self._room + offset, _SECTOR_BYTES)
            self._partition.readblocks(sector, data, start)
        return bytes(data)
