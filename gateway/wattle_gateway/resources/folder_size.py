"""How large a folder is."""

import contextlib
import os
from pathlib import Path


def disk_bytes(folder: Path) -> int:
    """Bytes of all files below a folder; files and folders that vanish meanwhile do not count."""
    total = 0
    for name, _, files in os.walk(folder):
        for path in (Path(name, file) for file in files):
            with contextlib.suppress(OSError):
                if path.is_file():
                    total += path.stat().st_size
    return total
