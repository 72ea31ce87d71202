"""An interpreter image: a .bin as micropython.org offers it for ESP32 chips.

One file from the bootloader's place to the app's end (ESP-IDF Programming Guide, "App Image Format"
and "Partition Tables"). Between the partition table and the app it carries nothing but erased
bytes, where the board keeps its NVS: to write the file as it is would erase the meter's keys. So it
is written in parts, around the partitions that hold a board's own data.
"""

import hashlib
import struct
from dataclasses import dataclass
from pathlib import Path

from wattle_tools.boards.esptool import Chip, Region
from wattle_tools.errors import InterpreterImageError

_BYTES_MAX = 16 * 1024 * 1024
_MAGIC = 0xE9
_CHIP_ID_AT = 12
# Chip id in the header -> (esptool's name of the family, where the bootloader stands).
_CHIPS = {0: ("ESP32", 0x1000), 5: ("ESP32-C3", 0), 9: ("ESP32-S3", 0)}
_TABLE_AT, _TABLE_BYTES = 0x8000, 0xC00
_ROW = struct.Struct("<2sBBII16sI")
_ROW_MAGIC, _MD5_MAGIC = b"\xaa\x50", b"\xeb\xeb"
_APP, _DATA = 0, 1
_NVS = 0x02
_FILES = "vfs"


@dataclass(frozen=True)
class InterpreterImage:
    """A checked image. `family`: the chip it is for; `regions`: what is written where;
    `files`: offset and size of the file system's partition, None if the table names none.
    """

    path: Path
    sha256: str
    family: str
    regions: tuple[Region, ...]
    files: tuple[int, int] | None

    def check_chip(self, chip: Chip) -> None:
        """Raises InterpreterImageError unless it is for this chip."""
        if chip.family != self.family:
            raise InterpreterImageError(
                f"{self.path.name} is for {self.family}, the board has {chip.family}",
                f"take an image for {chip.family}",
            )


@dataclass(frozen=True)
class _Partition:
    kind: int
    subtype: int
    offset: int
    size: int
    name: str


def load(path: Path) -> InterpreterImage:
    """Reads and checks an image. Raises InterpreterImageError with what is wrong with it."""
    try:
        with path.open("rb") as file:
            data = file.read(_BYTES_MAX + 1)
    except OSError as error:
        raise InterpreterImageError(
            f"{path}: cannot be read: {error.strerror}", "name the .bin file of the interpreter"
        ) from error
    if len(data) > _BYTES_MAX:
        raise _wrong(path, f"more than {_BYTES_MAX} bytes")
    if len(data) <= _CHIP_ID_AT + 1 or data[0] != _MAGIC:
        raise _wrong(path, "it does not begin as an ESP32's bootloader (0xe9)")
    chip = int.from_bytes(data[_CHIP_ID_AT : _CHIP_ID_AT + 2], "little")
    if chip not in _CHIPS:
        known = ", ".join(f"{number} ({name})" for number, (name, _) in _CHIPS.items())
        raise _wrong(path, f"it is for chip id {chip}, expected one of {known}")
    family, start = _CHIPS[chip]
    partitions = _partitions(path, data[_TABLE_AT - start :][:_TABLE_BYTES])
    files = next(((row.offset, row.size) for row in partitions if row.name == _FILES), None)
    regions = _regions(path, data, start, partitions)
    return InterpreterImage(path, hashlib.sha256(data).hexdigest(), family, regions, files)


def _partitions(path: Path, table: bytes) -> list[_Partition]:
    rows: list[_Partition] = []
    for at in range(0, len(table) - _ROW.size + 1, _ROW.size):
        magic, kind, subtype, offset, size, name, _ = _ROW.unpack_from(table, at)
        if magic == _MD5_MAGIC:
            digest = hashlib.md5(table[:at], usedforsecurity=False).digest()
            if table[at + 16 : at + 32] != digest:
                raise _wrong(path, "its partition table does not have the MD5 that it states")
            break
        if magic != _ROW_MAGIC:
            break
        text = name.rstrip(b"\0").decode("ascii", errors="replace")
        rows.append(_Partition(kind, subtype, offset, size, text))
    if not any(row.kind == _APP for row in rows):
        raise _wrong(path, f"it has no partition table with an app at {_TABLE_AT:#x}")
    return rows


def _regions(
    path: Path, data: bytes, start: int, partitions: list[_Partition]
) -> tuple[Region, ...]:
    """The parts of the file, around what belongs to the board."""
    regions = []
    at = start
    end = start + len(data)
    kept = [row for row in partitions if row.kind == _DATA and row.offset < end]
    for row in sorted(kept, key=lambda row: row.offset):
        inside = data[max(row.offset - start, 0) : row.offset + row.size - start]
        if inside.strip(b"\xff"):
            if row.subtype == _NVS:
                raise _wrong(path, "it brings an NVS of its own, which would replace the keys")
            continue
        regions.append(Region(at, data[at - start : row.offset - start]))
        at = row.offset + row.size
    regions.append(Region(at, data[at - start :]))
    trimmed = (Region(row.offset, _trimmed(row.data)) for row in regions)
    return tuple(region for region in trimmed if region.data)


def _trimmed(data: bytes) -> bytes:
    """Without the erased bytes at its end, to whole words."""
    length = len(data.rstrip(b"\xff"))
    return data[: -(-length // 4) * 4]


def _wrong(path: Path, why: str) -> InterpreterImageError:
    return InterpreterImageError(
        f"{path}: no interpreter image: {why}",
        "take a .bin for an ESP32 from micropython.org, not an .app-bin or .uf2",
    )
