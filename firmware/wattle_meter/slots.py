"""Where the files of a version lie before it runs: folders beside each other, one a slot."""

import io
import os

# Read back in pieces of this size: a heap has room for one, and a read in between.
PIECE_BYTES = 1024


class Slots:
    """Slots 1 and 2 as the folders slot1 and slot2 of `folder`; one file is written at a time.

    `sync_names(path)` makes the names in a folder safe where a file's own flush does not (Linux).
    Boards that run code from elsewhere derive from this.
    """

    def __init__(self, folder: str, sync_names=None) -> None:  # type: ignore[no-untyped-def]
        self._folder = folder
        self._sync_names = sync_names
        self._file: io.BufferedWriter | None = None
        self._path = ""

    def path(self, slot: int) -> str:
        """The folder of a slot, relative to the board's: "slot1"."""
        return "slot%d" % slot

    def begin(self, slot: int, name: str, size: int) -> bool:
        """Makes ready for the `size` bytes of file `name`, in place of what was there.

        False: no room. Raises OSError.
        """
        self._path = self._folder + "/" + self.path(slot)
        try:
            os.mkdir(self._path)
        except OSError:
            os.listdir(self._path)  # raises what is wrong, unless it is that the folder exists
        self._file = open(self._path + "/" + name, "wb")  # noqa: SIM115 - until end()
        return True

    def write(self, data: bytes) -> None:
        """Adds to the file begun last. Raises OSError."""
        assert self._file is not None
        self._file.write(data)

    def end(self) -> None:
        """Returns when the file begun last is safe. Raises OSError."""
        assert self._file is not None
        self._file.flush()  # MicroPython: fsync, on LittleFS the commit of the new content
        self._file.close()
        self._file = None
        if self._sync_names is not None:
            self._sync_names(self._path)
            self._sync_names(self._folder)

    def read(self, slot: int, name: str, offset: int) -> bytes:
        """At most PIECE_BYTES of a file from `offset`, b"" at its end. Raises OSError."""
        with open(self._folder + "/" + self.path(slot) + "/" + name, "rb") as file:
            file.seek(offset)
            data: bytes = file.read(PIECE_BYTES)
        return data
