"""A board's flash memory: a file, so that it outlives resets, and faults as worn cells have them.

The partition table (ESP-IDF Programming Guide, "Partition Tables") says where what lies.
"""

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

SECTOR_BYTES = 4_096
BOOTLOADER_AT, TABLE_AT, TABLE_BYTES = 0x1000, 0x8000, 0xC00
APP_IMAGE_MAGIC = 0xE9
_ROW = struct.Struct("<2sBBII16sI")
_ROW_MAGIC = b"\xaa\x50"
_APP_TYPE = 0
# esp_app_desc_t stands behind the headers of the app's first segment; its version after two words
# of magic and security version and two reserved ones (esp_app_desc.h).
_APP_DESCRIPTION_AT, _APP_VERSION_AT, _APP_VERSION_BYTES = 0x20, 0x30, 32
_APP_DESCRIPTION_MAGIC = b"\x32\x54\xcd\xab"


@dataclass(frozen=True)
class Partition:
    """A row of the table; offset and size in bytes."""

    name: str
    kind: int
    offset: int
    size: int


class FlashMemory:
    """`size` bytes in the file `path`, erased when it is new.

    stuck_at: address of a cell that takes nothing any more.
    """

    def __init__(self, path: Path, size: int, stuck_at: int | None = None) -> None:
        self.path = path
        self.stuck_at = stuck_at
        if not path.exists():
            path.write_bytes(b"\xff" * size)
        with path.open("r+b") as file:
            self._cells = mmap.mmap(file.fileno(), size)

    def __len__(self) -> int:
        return len(self._cells)

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes, fewer at the end of the memory."""
        return self._cells[offset : offset + size]

    def erase(self, offset: int, size: int) -> None:
        """Erases the sectors that hold these bytes."""
        first = offset - offset % SECTOR_BYTES
        end = min(-(-(offset + size) // SECTOR_BYTES) * SECTOR_BYTES, len(self))
        if first < end:
            self._put(first, b"\xff" * (end - first))

    def write(self, offset: int, data: bytes) -> None:
        """Puts `data`, which has to lie inside the memory, into erased sectors."""
        self._put(offset, data)

    def _put(self, offset: int, data: bytes) -> None:
        self._cells[offset : offset + len(data)] = data
        if self.stuck_at is not None and offset <= self.stuck_at < offset + len(data):
            self._cells[self.stuck_at] = 0

    def partitions(self) -> list[Partition]:
        """The rows of the partition table; none if there is no table."""
        rows = []
        for raw in _ROW.iter_unpack(self.read(TABLE_AT, TABLE_BYTES)):
            magic, kind, _, offset, size, name, _ = raw
            if magic != _ROW_MAGIC:
                break
            rows.append(Partition(name.rstrip(b"\0").decode("ascii"), kind, offset, size))
        return rows

    def partition(self, name: str) -> Partition | None:
        """The row of this name."""
        return next((row for row in self.partitions() if row.name == name), None)

    def app_version(self) -> str | None:
        """The version of the program that the chip would start; None if it would find none."""
        app = next((row for row in self.partitions() if row.kind == _APP_TYPE), None)
        if app is None or self._cells[BOOTLOADER_AT] != APP_IMAGE_MAGIC:
            return None
        if self.read(app.offset, 1) != bytes([APP_IMAGE_MAGIC]):
            return None
        if self.read(app.offset + _APP_DESCRIPTION_AT, 4) != _APP_DESCRIPTION_MAGIC:
            return None
        raw = self.read(app.offset + _APP_VERSION_AT, _APP_VERSION_BYTES)
        return raw.partition(b"\0")[0].decode("ascii", errors="replace")

    def close(self) -> None:
        """Gives the file free."""
        self._cells.close()
