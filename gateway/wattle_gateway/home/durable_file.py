"""Files that are whole on disk or not there, whatever moment the power fails."""

import os
from collections.abc import Iterable
from pathlib import Path


def write(path: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Put `content` in the place of `path` durably; `mode` as far as the umask lets it.

    Raises OSError.
    """
    write_parts(path, (content,), mode=mode)


def write_parts(path: Path, parts: Iterable[bytes], *, mode: int = 0o666) -> None:
    """The same for what is too long to be held at once. Raises OSError."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)  # of a write that the power cut: its mode may be another
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names made or replaced in a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
