"""ROM images: compiled files that MicroPython runs where they lie, without copies in its heap.

MicroPython's ROMFS (docs.micropython.org, "vfs", VfsRom; its source: extmod/vfs_rom.c): records of
kind and length, both big-endian base-128 numbers, and payload; a folder's payload is its name and
the records in it.
"""

from collections.abc import Mapping

_MAGIC = b"\xd2\xcd\x31"
_DATA, _FOLDER, _FILE = 2, 4, 5


def rom_image(files: Mapping[str, bytes]) -> bytes:
    """An image of files by their path in it, folders separated by slashes."""
    content = _records(files)
    length = _number(len(content))
    if (len(_MAGIC) + len(length) + len(content)) % 2:
        length = b"\x80" + length  # the image has an even length
    return _MAGIC + length + content


def _records(files: Mapping[str, bytes]) -> bytes:
    folders: dict[str, dict[str, bytes]] = {}
    records = []
    for path in sorted(files):
        head, slash, rest = path.partition("/")
        if slash:
            folders.setdefault(head, {})[rest] = files[path]
        else:
            records.append(_record(_FILE, _named(path) + _record(_DATA, files[path])))
    records += [
        _record(_FOLDER, _named(name) + _records(inside)) for name, inside in folders.items()
    ]
    return b"".join(records)


def _record(kind: int, payload: bytes) -> bytes:
    return _number(kind) + _number(len(payload)) + payload


def _named(name: str) -> bytes:
    return _number(len(name.encode())) + name.encode()


def _number(value: int) -> bytes:
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(0x80 | value & 0x7F)
    return bytes(reversed(digits))
