"""An interpreter image: a .bin as micropython.org offers it for ESP32 chips.

One file from the bootloader's place to the app's end (ESP-IDF Programming Guide, "App Image Format"
and "Partition Tables"). Between the partition table and the app it carries nothing but erased
bytes, where the board keeps its NVS: to write the file as it is would erase the meter's keys. So it
is written in parts, around the partitions that hold a board's own data.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wattle_tools.boards.esptool import Chip, Region
from wattle_tools.errors import InterpreterImageError
from wattle_tools.flash import partition_table
from wattle_tools.flash.partition_table import Partition

_BYTES_MAX = 16 * 1024 * 1024
_MAGIC = 0xE9
_CHIP_ID_AT = 12
# Chip id in the header -> (esptool's name of the family, where the bootloader stands).
_CHIPS = {0: ("ESP32", 0x1000), 5: ("ESP32-C3", 0), 9: ("ESP32-S3", 0)}


@dataclass(frozen=True)
class InterpreterImage:
    """A checked image. `family`: the chip it is for; `regions`: what is written where;
    `partitions`: the rows of its table.
    """

    path: Path
    sha256: str
    family: str
    regions: tuple[Region, ...]
    partitions: tuple[Partition, ...]

    @property
    def files(self) -> tuple[int, int] | None:
        """Offset and size of the file system's partition, None if the table names none."""
        return partition_table.files(self.partitions)

    def check_chip(self, chip: Chip) -> None:
        """Raises InterpreterImageError unless it is for this chip."""
        if chip.family != self.family:
            raise InterpreterImageError(
                f"{self.path.name} is for {self.family}, the board has {chip.family}",
                f"take an image for {chip.family}",
            )

    def check_layout(self, table: bytes, erase_files: bool, new_keys: bool) -> None:
        """Raises InterpreterImageError if what the board keeps for itself would be lost.

        table: the partition table that is on the board; one that is none has nothing to lose.
        erase_files, new_keys: the file system, or the keys, may go.
        """
        try:
            old = partition_table.decoded(table)
        except ValueError:
            return
        if not new_keys and partition_table.nvs(old) != partition_table.nvs(self.partitions):
            raise InterpreterImageError(
                f"{self.path.name} has its NVS elsewhere than the board: the keys would be lost",
                "take an image of the same layout; a meter that may get new keys: --new-keys",
            )
        if not erase_files and partition_table.files(old) not in (None, self.files):
            raise InterpreterImageError(
                f"{self.path.name} has its file system elsewhere than the board: "
                "configuration and unsent samples would be lost",
                "take an image of the same layout; if they may go: --erase-files",
            )


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
    table = data[partition_table.TABLE_AT - start :][: partition_table.TABLE_BYTES]
    try:
        partitions = partition_table.decoded(table)
    except ValueError as error:
        raise _wrong(path, str(error)) from error
    regions = _regions(path, data, start, partitions)
    digest = hashlib.sha256(data).hexdigest()
    return InterpreterImage(path, digest, family, regions, tuple(partitions))


def _regions(
    path: Path, data: bytes, start: int, partitions: Sequence[Partition]
) -> tuple[Region, ...]:
    """The parts of the file, around what belongs to the board."""
    regions = []
    at = start
    end = start + len(data)
    kept = [row for row in partitions if row.is_data and row.offset < end]
    for row in sorted(kept, key=lambda row: row.offset):
        inside = data[max(row.offset - start, 0) : row.offset + row.size - start]
        if inside.strip(b"\xff"):
            if row.is_nvs:
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
