"""One gateway a folder: a lock that the kernel takes back however the holder ends."""

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType

from wattle_gateway.errors import AlreadyRunningError, HomeError


class InstanceLock:
    """Held while the gateway runs; a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def __enter__(self) -> "InstanceLock":
        """Take the lock; AlreadyRunningError names the process that holds it."""
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HomeError(f"{self._path}: cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self._descriptor, 32).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise AlreadyRunningError(
                f"{self._path.parent}: a gateway is running on it already (process {holder})"
            ) from error
        number = f"{os.getpid()}\n".encode()
        # On a full disk the lock holds without the number; what is overwritten needs no room.
        with contextlib.suppress(OSError):
            os.pwrite(self._descriptor, number, 0)
            os.truncate(self._descriptor, len(number))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)
