"""Files of a real directory, through `open` and `os` as every board has them."""

import io
import os

from wattle_meter.board import Files


class Directory(Files):
    """The directory `path`, made if absent (its parent must exist).

    `sync_names()` is called after a file appeared or went: it makes the directory itself safe
    where a file's own flush does not (Linux; not needed on LittleFS).
    """

    def __init__(self, path: str, sync_names=None) -> None:  # type: ignore[no-untyped-def]
        self._path = path
        self._sync_names = sync_names
        try:
            os.mkdir(path)
        except OSError:
            os.listdir(path)  # raises what is wrong, unless it is that the directory exists
        self._names = set(os.listdir(path))

    def names(self) -> list[str]:
        return list(self._names)

    def open(self, name: str) -> io.BufferedReader:
        path = self._path + "/" + name
        file: io.BufferedReader = open(path, "rb")  # noqa: SIM115 - the caller closes it
        return file

    def append(self, name: str, pieces: list[bytes]) -> None:
        with open(self._path + "/" + name, "ab") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()  # MicroPython: fsync, on LittleFS the commit of the new content
        if name not in self._names:
            self._names.add(name)
            self._names_changed()

    def remove(self, name: str) -> None:
        os.remove(self._path + "/" + name)
        self._names.discard(name)
        self._names_changed()

    def _names_changed(self) -> None:
        if self._sync_names is not None:
            self._sync_names()
