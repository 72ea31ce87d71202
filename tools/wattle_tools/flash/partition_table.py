"""The partition table of an ESP32 chip (ESP-IDF Programming Guide, "Partition Tables")."""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass

TABLE_AT, TABLE_BYTES = 0x8000, 0xC00
_ROW = struct.Struct("<2sBBII16sI")
_ROW_MAGIC, _MD5_MAGIC = b"\xaa\x50", b"\xeb\xeb"
_APP, _DATA = 0, 1
_NVS = 0x02
_FILES = "vfs"


@dataclass(frozen=True)
class Partition:
    """A row: its kinds as ESP-IDF numbers them, where it begins, its size in bytes, its name."""

    kind: int
    subtype: int
    offset: int
    size: int
    name: str

    @property
    def is_data(self) -> bool:
        return self.kind == _DATA

    @property
    def is_nvs(self) -> bool:
        return self.is_data and self.subtype == _NVS

    @property
    def extent(self) -> tuple[int, int]:
        """Offset and size."""
        return self.offset, self.size


def decoded(table: bytes) -> list[Partition]:
    """The rows of a table.

    Raises ValueError with what is wrong: no app in it, or not the MD5 that it states.
    """
    rows: list[Partition] = []
    for at in range(0, len(table) - _ROW.size + 1, _ROW.size):
        magic, kind, subtype, offset, size, name, _ = _ROW.unpack_from(table, at)
        if magic == _MD5_MAGIC:
            digest = hashlib.md5(table[:at], usedforsecurity=False).digest()
            if table[at + 16 : at + 32] != digest:
                raise ValueError("its partition table does not have the MD5 that it states")
            break
        if magic != _ROW_MAGIC:
            break
        text = name.rstrip(b"\0").decode("ascii", errors="replace")
        rows.append(Partition(kind, subtype, offset, size, text))
    if not any(row.kind == _APP for row in rows):
        raise ValueError(f"it has no partition table with an app at {TABLE_AT:#x}")
    return rows


def nvs(rows: Sequence[Partition]) -> tuple[tuple[int, int], ...]:
    """Where a chip keeps settings and keys: offset and size of each NVS partition."""
    return tuple(sorted(row.extent for row in rows if row.is_nvs))


def files(rows: Sequence[Partition]) -> tuple[int, int] | None:
    """Where MicroPython keeps its file system: offset and size; None if nowhere."""
    return next((row.extent for row in rows if row.name == _FILES), None)
