"""What nats-server has to read in the clear, in memory instead of on the disk.

It reads no encrypted keys, writes down whom it lets in, and keeps messages on disk. In a sealed
folder its key and its configuration are files in memory (memfd_create(2)) that it inherits, and
what it stores is encrypted under a key that nobody but this process ever has: the store is thrown
away at every start anyway.
"""

import os
import secrets
from pathlib import Path

_STORE_KEY_BYTES = 32


class MemoryFile:
    """A file without a name on any disk; `path` opens it in this process and in children that
    inherit the `descriptor`."""

    def __init__(self, name: str) -> None:
        self.descriptor = os.memfd_create(name)
        self.path = Path(f"/proc/self/fd/{self.descriptor}")

    def write(self, content: bytes) -> None:
        """Put `content` in the place of what stood in it."""
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, content, 0)

    def close(self) -> None:
        """Children keep it as long as they live."""
        os.close(self.descriptor)


class HiddenFiles:
    """The files of one broker; `key` its private key in PEM form."""

    def __init__(self, key: bytes) -> None:
        self.config = MemoryFile("nats.conf")
        self.key = MemoryFile("broker.key")
        self.key.write(key)
        self.store_key = secrets.token_hex(_STORE_KEY_BYTES)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the broker has to inherit."""
        return self.config.descriptor, self.key.descriptor

    def close(self) -> None:
        """Give the memory back when the broker has ended."""
        self.config.close()
        self.key.close()
