"""A Linux disk that makes nothing safe before it must, and what a power cut leaves of it.

fsync of a file makes its content safe, fsync of a folder its names. After a cut, of a folder's
later changes any first part is there (journals keep their order), of a file's later bytes none or
the first ones, and the rest missing or zero (the length was stored and the data was not).
"""

import errno
import io
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self


@dataclass(eq=False)
class Content:
    """Of a file: what is safe and what programs see."""

    safe: bytes = b""
    seen: bytes = b""

    def after_cut(self) -> list[bytes]:
        """All that may be left."""
        if self.safe == self.seen:
            return [self.seen]
        if not self.seen.startswith(self.safe):
            return [self.safe, b"", self.seen]
        half = self.seen[: (len(self.safe) + len(self.seen)) // 2]
        zeros = bytes(len(self.seen))
        return [
            self.safe,
            half,
            *((part + zeros)[: len(zeros)] for part in (self.safe, half, self.seen)),
        ]


@dataclass(eq=False)
class Folder:
    """Safe names, and the changes since in their order (None: the name went)."""

    safe: dict[str, "Entry"] = field(default_factory=dict)
    changes: list[tuple[str, "Entry | None"]] = field(default_factory=list)

    def names(self, changes: int | None = None) -> dict[str, "Entry"]:
        """The names after the first `changes` changes; None: after all."""
        found = dict(self.safe)
        for name, entry in self.changes[:changes]:
            if entry is None:
                found.pop(name, None)
            else:
                found[name] = entry
        return found


Entry = Content | Folder


class LazyDisk:
    """Stands for `open`, `os` and the Linux board's `sync_folder`; paths begin with a slash.

    `before_write` is called before each call that changes anything.
    """

    def __init__(self, root: Folder | None = None) -> None:
        self.root = root or Folder()
        self.before_write: Callable[[], None] = lambda: None

    def open(self, path: str, mode: str) -> "OpenFile":
        """As the builtin, with modes rb, wb and ab; nothing is buffered (as on MicroPython)."""
        folder, name = self._place(path)
        entry = folder.names().get(name)
        if mode == "rb":
            if not isinstance(entry, Content):
                raise OSError(errno.ENOENT, "no such file", path)
            return OpenFile(self, entry, entry.seen)
        self.before_write()
        if not isinstance(entry, Content):
            entry = Content()
            folder.changes.append((name, entry))
        elif mode == "wb":
            entry.seen = b""
        return OpenFile(self, entry, b"")

    def mkdir(self, path: str) -> None:
        """As os.mkdir."""
        folder, name = self._place(path)
        if name in folder.names():
            raise OSError(errno.EEXIST, "exists", path)
        self.before_write()
        folder.changes.append((name, Folder()))

    def listdir(self, path: str) -> list[str]:
        """As os.listdir."""
        return list(self._folder(path).names())

    def remove(self, path: str) -> None:
        """As os.remove."""
        folder, name = self._place(path)
        if name not in folder.names():
            raise OSError(errno.ENOENT, "no such file", path)
        self.before_write()
        folder.changes.append((name, None))

    def rename(self, path: str, to: str) -> None:
        """As os.rename, within one folder: one change."""
        folder, name = self._place(path)
        other, new_name = self._place(to)
        assert folder is other
        self.before_write()
        # Two changes for the model, in the order in which a cut between them loses nothing.
        folder.changes += [(new_name, folder.names()[name]), (name, None)]

    def sync_folder(self, path: str) -> None:
        """fsync of a folder."""
        folder = self._folder(path)
        self.before_write()
        folder.safe, folder.changes = folder.names(), []

    def copy(self) -> "LazyDisk":
        """The same disk, to be changed apart."""
        return LazyDisk(_copied(self.root, {}))

    def after_cut(self) -> Iterator["LazyDisk"]:
        """Every disk that a power cut may leave, all of it safe."""
        contents = [entry for entry in _all(self.root) if isinstance(entry, Content)]
        folders = [entry for entry in _all(self.root) if isinstance(entry, Folder)]
        lefts = itertools.product(
            itertools.product(*(content.after_cut() for content in contents)),
            itertools.product(*(range(len(folder.changes) + 1) for folder in folders)),
        )
        for bytes_left, changes_left in lefts:
            content_of = dict(zip(contents, bytes_left, strict=True))
            changes_of = dict(zip(folders, changes_left, strict=True))
            yield LazyDisk(_left(self.root, content_of, changes_of))

    def _folder(self, path: str) -> Folder:
        found = self.root
        for name in path.strip("/").split("/"):
            if name == "":
                continue
            entry = found.names().get(name)
            if not isinstance(entry, Folder):
                raise OSError(errno.ENOENT, "no such folder", path)
            found = entry
        return found

    def _place(self, path: str) -> tuple[Folder, str]:
        parent, _, name = path.rpartition("/")
        return self._folder(parent), name


class OpenFile(io.BytesIO):
    """An open file of a LazyDisk."""

    def __init__(self, disk: LazyDisk, content: Content, seen: bytes) -> None:
        super().__init__(seen)
        self._disk = disk
        self._content = content

    def __enter__(self) -> Self:
        return self

    def write(self, data: bytes) -> int:  # type: ignore[override]  # only bytes are written
        """Adds at the end."""
        self._disk.before_write()
        self._content.seen += data
        return len(data)

    def flush(self) -> None:
        """fsync, as MicroPython's does."""
        self._disk.before_write()
        self._content.safe = self._content.seen


def _all(folder: Folder) -> Iterator[Entry]:
    """Everything that a cut may leave, each once."""
    entries = [*folder.safe.values(), *(entry for _, entry in folder.changes if entry is not None)]
    yield folder
    for entry in dict.fromkeys(entries):
        if isinstance(entry, Folder):
            yield from _all(entry)
        else:
            yield entry


def _copied(folder: Folder, known: dict[Entry, Entry]) -> Folder:
    def copied(entry: Entry) -> Entry:
        if entry not in known:
            if isinstance(entry, Folder):
                return _copied(entry, known)
            known[entry] = Content(entry.safe, entry.seen)
        return known[entry]

    made = Folder()
    known[folder] = made
    made.safe = {name: copied(entry) for name, entry in folder.safe.items()}
    made.changes = [
        (name, None if entry is None else copied(entry)) for name, entry in folder.changes
    ]
    return made


def _left(
    folder: Folder, content_of: dict[Content, bytes], changes_of: dict[Folder, int]
) -> Folder:
    made = Folder()
    for name, entry in folder.names(changes_of[folder]).items():
        if isinstance(entry, Folder):
            made.safe[name] = _left(entry, content_of, changes_of)
        else:
            made.safe[name] = Content(content_of[entry], content_of[entry])
    return made
