"""Putting the application on a board that has MicroPython, so that half of it is never taken
for all of it.

The order: the mark and main.py go first, so that a board that is cut off here starts nothing and
is told as half done; then the program, its hashes as the board reads them back, then the start
with main.py as its last file, and the mark as the very last act. What is there already, by its
hash, is not written again: a second run goes on where the first was cut off.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wattle_tools.boards import mark
from wattle_tools.boards.identity import Contents
from wattle_tools.boards.repl import Repl
from wattle_tools.errors import ReadBackError, UnfitBoardError
from wattle_tools.flash.application import Application

# ROMFS and everything else the firmware calls; the tests run on this one.
VERSION_MIN = (1, 25)
MPY_FORMAT = 6
_MAIN = "/main.py"
_ROM_PIECE_BYTES = 4_096
# Updates have two thirds of the partition for themselves (wattle_meter.slots).
_ROM_SHARES = 3
# What LittleFS needs beside the files: its two root blocks, folders, and a copy on each change.
_SPARE_BLOCKS = 8

# (step, share of it that is done, 0.0 to 1.0)
Told = Callable[[str, float], None]


@dataclass(frozen=True)
class Plan:
    """What an installation would do. `write`: files by path; `remove`: paths; `rom`: the ROMFS
    image, or None; `change`: whether anything is to be done at all.
    """

    write: Mapping[str, bytes]
    remove: tuple[str, ...]
    rom: bytes | None
    change: bool


def check_interpreter(contents: Contents) -> None:
    """Raises UnfitBoardError unless the board's interpreter can run the application."""
    found = contents.interpreter
    wanted = "MicroPython {}.{} or newer".format(*VERSION_MIN)
    if found.version[:2] < VERSION_MIN:
        raise UnfitBoardError(
            f"it has {found.shown}, expected {wanted}",
            "give it a newer one: wattle-tool flash --image FILE.bin",
        )
    if found.mpy & 0xFF != MPY_FORMAT:
        raise UnfitBoardError(
            f"its {found.shown} reads .mpy files of format {found.mpy & 0xFF}, not {MPY_FORMAT}",
            "take the release of wattle-grid that was made for it, or another --image",
        )


def plan(repl: Repl, contents: Contents, application: Application) -> Plan:
    """Compares a board with the application. Raises UnfitBoardError if it cannot take it."""
    check_interpreter(contents)
    in_rom = contents.rom > 0
    files = {**({} if in_rom else application.as_files), **application.start}
    known = contents.mark.files if contents.mark else {}
    # Modules in /lib come before those in ROM: what lies there from another time would run.
    candidates = sorted({*known, *application.as_files})
    there = repl.sha256(sorted({*candidates, *files}))
    write = {path: data for path, data in files.items() if there.get(path) != _sha256(data)}
    remove = tuple(path for path in candidates if path not in files and path in there)
    rom = application.rom if in_rom else None
    if rom is not None and _rom_sha256(repl, len(rom)) == _sha256(rom):
        rom = None
    whole = contents.mark == application.mark(in_rom)
    change = bool(write or remove or rom is not None or not whole)
    if change and in_rom:
        _check_rom_room(repl, len(application.rom))
    if change:
        check_room(contents, write, there)
    return Plan(write, remove, rom, change)


def install(repl: Repl, contents: Contents, application: Application, told: Told) -> bool:
    """Installs the application; gives whether there was anything to do.

    Raises UnfitBoardError, ReadBackError, SerialLineError.
    """
    work = plan(repl, contents, application)
    if not work.change:
        return let_installed_count(repl)
    in_rom = contents.rom > 0
    remove_files(repl, [mark.PATH, _MAIN, *work.remove])
    program = {path: data for path, data in work.write.items() if path != _MAIN}
    if work.rom is not None:
        _write_rom(repl, work.rom, told)
    write_files(repl, program, told)
    told("verify", 0.0)
    files = {**({} if in_rom else application.as_files), **application.start}
    del files[_MAIN]
    verify_files(repl, files)
    if in_rom and _rom_sha256(repl, len(application.rom)) != _sha256(application.rom):
        raise _differs("its ROMFS")
    let_installed_count(repl)
    last = {_MAIN: application.start[_MAIN], mark.PATH: application.mark(in_rom).encoded()}
    for path, data in last.items():
        repl.write(path, data, lambda _: None)
        verify_files(repl, {path: data})
    told("verify", 1.0)
    return True


def withdraw_mark(repl: Repl) -> None:
    """From here on the board counts as half done."""
    remove_files(repl, [mark.PATH])


def check_room(contents: Contents, write: Mapping[str, bytes], there: Mapping[str, str]) -> None:
    """Raises UnfitBoardError unless the files of `write` find room; `there`: those that are.

    Before anything is changed. A file that is replaced gives nothing back in advance.
    """
    blocks = sum(-(-len(data) // contents.block) for data in write.values()) + _SPARE_BLOCKS
    need = blocks * contents.block if write else 0
    # Files of ours that are there are written over: LittleFS frees their blocks at the truncation.
    again = sum(len(write[path]) // contents.block for path in write if path in there)
    if need > contents.free + again * contents.block:
        raise UnfitBoardError(
            f"its file system is full: {contents.free} bytes free, {need} needed",
            "remove files from it, or wattle-tool flash --image FILE.bin --erase-files",
        )


def _check_rom_room(repl: Repl, need: int) -> None:
    size = repl.value(_ROM_SIZE)
    share = size // _ROM_SHARES // _ROM_PIECE_BYTES * _ROM_PIECE_BYTES if type(size) is int else 0
    if need > share:
        raise UnfitBoardError(
            f"its ROMFS partition has {size} bytes, of which the program may take a third: "
            f"{share}, {need} needed",
            "give it an interpreter with a larger one, or none: wattle-tool flash --image FILE.bin",
        )


def remove_files(repl: Repl, paths: list[str]) -> None:
    """Removes those of the files that are there."""
    repl.run(
        f"import os\nfor p in {paths!r}:\n try: os.remove(p)\n except OSError as e:\n"
        "  if e.errno != 2: raise\n"
    )


def write_files(repl: Repl, files: Mapping[str, bytes], told: Told) -> None:
    """Writes files by path; their folders are made."""
    folders = sorted({path.rpartition("/")[0] for path in files} - {""})
    every = [part for folder in folders for part in _upwards(folder)]
    repl.run(
        f"import os\nfor p in {every!r}:\n try: os.mkdir(p)\n except OSError as e:\n"
        "  if e.errno != 17: raise\n"
    )
    total = sum(map(len, files.values())) or 1
    before = 0

    def progress(done: int) -> None:
        told("files", (before + done) / total)

    for path, data in files.items():
        repl.write(path, data, progress)
        before += len(data)


def _upwards(folder: str) -> list[str]:
    parts = folder.strip("/").split("/")
    return ["/" + "/".join(parts[: end + 1]) for end in range(len(parts))]


def verify_files(repl: Repl, files: Mapping[str, bytes]) -> None:
    """Raises ReadBackError unless the board reads each file as it was written."""
    there = repl.sha256(sorted(files))
    for path, data in files.items():
        if there.get(path) != _sha256(data):
            raise _differs(path)


def let_installed_count(repl: Repl) -> bool:
    """Has the board start what is installed, not an update of before; gives whether it would not
    have. A board without NVS has no updates.
    """
    return repl.value(_COUNT) is True


def _differs(what: str) -> ReadBackError:
    return ReadBackError(
        f"{what} does not read back as it was written",
        "run it again; if it stays so, the memory is worn out: take another board",
    )


def _write_rom(repl: Repl, image: bytes, told: Told) -> None:
    """Writes the first ROMFS partition (docs.micropython.org, "vfs", rom_ioctl)."""
    repl.run(_ROM_PREPARE % len(image))
    for at in range(0, len(image), _ROM_PIECE_BYTES):
        piece = image[at : at + _ROM_PIECE_BYTES].ljust(_ROM_PIECE_BYTES, b"\0")
        repl.run(f"_put({at}, {piece!r})")
        told("ROMFS", min(at + _ROM_PIECE_BYTES, len(image)) / len(image))
    repl.run("_done()")


def _rom_sha256(repl: Repl, size: int) -> str:
    found = repl.value(_ROM_HASH % size)
    return found if isinstance(found, str) else ""


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# Both kinds of partition that rom_ioctl(2) may give: a block device (ESP32), or memory with its own
# prepare, write and complete.
_ROM_SIZE = """
import vfs
d = vfs.rom_ioctl(2, 0)
print(d.ioctl(4, 0) * d.ioctl(5, 0) if hasattr(d, 'ioctl') else len(d))
"""
# (bytes of the image)
_ROM_PREPARE = """
import vfs
try: vfs.umount('/rom')
except OSError: pass
d = vfs.rom_ioctl(2, 0)
if hasattr(d, 'ioctl'):
 b = d.ioctl(5, 0)
 def _put(at, data):
  for i in range(0, len(data), b):
   if (at + i) %% b == 0: d.ioctl(6, (at + i) // b)
   d.writeblocks((at + i) // b, data[i:i + b], (at + i) %% b)
 def _done(): pass
else:
 vfs.rom_ioctl(3, 0, %d)
 def _put(at, data): vfs.rom_ioctl(4, 0, at, data)
 def _done(): vfs.rom_ioctl(5, 0)
"""
# The record of versions is nvs_store's: a byte of its own, then what boot_choice reads.
_COUNT = """
c = False
try:
 import esp32, boot_choice
 n = esp32.NVS('wattle')
 b = bytearray(64)
 try: k = n.get_blob(boot_choice.RECORD_KEY, b)
 except OSError: k = 0
 r = bytes(b[1:k])
 w = boot_choice.as_installed(r)
 c = bool(k) and w != r
 if c:
  n.set_blob(boot_choice.RECORD_KEY, bytes(b[:1]) + w)
  n.commit()
except ImportError: pass
print(c)
"""
_ROM_HASH = """
import vfs, hashlib, binascii
d = memoryview(vfs.rom_ioctl(2, 0))
print(repr(binascii.hexlify(hashlib.sha256(d[:%d]).digest()).decode()))
"""
