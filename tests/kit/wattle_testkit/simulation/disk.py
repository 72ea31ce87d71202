"""The disk of a simulated gateway: real SQLite files, and power cuts at any instant.

The database is durable at every COMMIT and its log is written in order, so a power cut inside a
COMMIT leaves a beginning of what the COMMIT would have written. A cut is made after the fact: the
files are copied as each COMMIT of a step begins, the step's result is thrown away, and the disk
becomes what it was at one of these instants with a part of the bytes that came next.
"""

import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from random import Random

_LOG_SUFFIX = "-wal"

Image = Mapping[str, bytes]
"""Content of the files that a power cut would leave, by name."""


class Disk:
    """One folder. The shared-memory file of SQLite is memory, and never part of an image."""

    def __init__(self, folder: Path, random: Random) -> None:
        self.folder = folder
        self._random = random
        self._instants: list[Image] = []
        folder.mkdir()

    def image(self) -> Image:
        """What stands on the disk now; open connections do not matter."""
        return {
            path.name: path.read_bytes()
            for path in sorted(self.folder.iterdir())
            if not path.name.endswith("-shm")
        }

    def restore(self, image: Image) -> None:
        """Make the disk what it was. No connection may be open."""
        self.wipe()
        self.folder.mkdir()
        for name, content in image.items():
            (self.folder / name).write_bytes(content)

    def wipe(self) -> None:
        """Lose everything. No connection may be open."""
        shutil.rmtree(self.folder)

    def watch(self, connection: sqlite3.Connection) -> None:
        """Note the disk at each COMMIT from now on, since the power will fail in this step."""
        self._instants = []

        def traced(statement: str) -> None:
            if statement == "COMMIT":
                self._instants.append(self.image())

        connection.set_trace_callback(traced)

    @property
    def writes_seen(self) -> bool:
        """Whether a COMMIT began since `watch`."""
        return bool(self._instants)

    def cut(self) -> Image:
        """What the power cut leaves of the step that was watched."""
        instants = [*self._instants, self.image()]
        self._instants = []
        at = self._random.randrange(len(instants))
        before, after = instants[at], instants[min(at + 1, len(instants) - 1)]
        return self._torn(before, after)

    def _torn(self, before: Image, after: Image) -> Image:
        """`before` with a beginning of the log's new bytes."""
        changed = [name for name in sorted(after) if before.get(name) != after[name]]
        if len(changed) != 1 or not changed[0].endswith(_LOG_SUFFIX):
            return before  # the log was folded into the database meanwhile
        name = changed[0]
        old, new = before.get(name, b""), after[name]
        written = self._random.randint(_equal_bytes(old, new), len(new))
        return {**before, name: new[:written] + old[written:]}


def _equal_bytes(one: bytes, other: bytes) -> int:
    """How many bytes two byte strings have in common from their beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
