"""The mark that an installation leaves on a board as its last act: without it nothing is installed.

A JSON file at the root of the board's file system.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

PATH = "/wattle.json"
FILES, ROMFS = "files", "romfs"
_FORMAT = 1
_DIGEST = re.compile(r"[0-9a-f]{64}")
BYTES_MAX = 16_384


@dataclass(frozen=True)
class Mark:
    """What was installed: `digest` of the whole application, the tool's `version`, where it was
    `kept` (FILES or ROMFS), and the SHA-256 (hex) of each file, by path.
    """

    digest: str
    version: str
    kept: str
    files: Mapping[str, str]

    def encoded(self) -> bytes:
        """The file."""
        row = {
            "format": _FORMAT,
            "digest": self.digest,
            "version": self.version,
            "kept": self.kept,
            "files": dict(sorted(self.files.items())),
        }
        return json.dumps(row, separators=(",", ":")).encode()


def decoded(text: str) -> Mark | None:
    """The mark in a file; None when it is none of ours, as after a write that was cut off."""
    try:
        row = json.loads(text)
    except ValueError:
        return None
    if not isinstance(row, dict) or row.get("format") != _FORMAT:
        return None
    digest, version, kept, files = (row.get(key) for key in ("digest", "version", "kept", "files"))
    if not (isinstance(digest, str) and isinstance(version, str) and kept in (FILES, ROMFS)):
        return None
    # Both are shown to people.
    if not _DIGEST.fullmatch(digest) or not version.isprintable():
        return None
    if not isinstance(files, dict) or not all(isinstance(text, str) for text in files.values()):
        return None
    return Mark(digest, version, kept, files)
