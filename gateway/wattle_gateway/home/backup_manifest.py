"""What a backup says of itself: its first member, JSON.

    {"format": 1, "made_ms": .., "ledger_name": .., "ledger_id": HEX, "member": NAME, "kid": HEX,
     "epoch": .., "voting_members": .., "commit": .., "commit_digest": HEX, "commit_ms": ..,
     "signed": [epoch, round], "private_keys": true,
     "files": [{"path": .., "bytes": .., "mode": .., "sha256": HEX}, ..]}

The files follow it in this order. Nothing signs it: a backup holds the keys that could.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

from wattle_gateway.errors import BackupError

NAME = "manifest.json"
FORMAT = 1
# A file of each of ten thousand meters, and ten times that.
FILES_MAX = 100_000
MANIFEST_BYTES_MAX = 32 << 20
_DIGEST_CHARS = 64


@dataclass(frozen=True)
class BackedUpFile:
    """`path` from the gateway's folder, with slashes; `mode` its permissions; `sha256` in hex."""

    path: str
    bytes: int
    mode: int
    sha256: str


@dataclass(frozen=True)
class BackupManifest:
    """Whose backup it is, the commit (digest in hex, Unix ms) that its ledger stands at, and the
    newest own block in it: `signed` epoch and round."""

    made_ms: int
    ledger_name: str
    ledger_id: str
    member: str
    kid: str
    epoch: int
    voting_members: int
    commit: int
    commit_digest: str
    commit_ms: int
    signed: tuple[int, int]
    files: tuple[BackedUpFile, ...]

    def encode(self) -> bytes:
        """The JSON text."""
        row = {"format": FORMAT, "private_keys": True, **asdict(self)}
        return (json.dumps(row, indent=1) + "\n").encode()


def parse(raw: bytes) -> BackupManifest:
    """The manifest in these bytes; BackupError for any others."""
    try:
        row = json.loads(raw)
        if row["format"] != FORMAT:
            raise BackupError(
                f"a backup of format {row['format']!r}, expected {FORMAT}: made by another "
                "version of wattle-gateway, which restores it"
            )
        return BackupManifest(
            made_ms=_count(row["made_ms"]),
            ledger_name=_text(row["ledger_name"]),
            ledger_id=_text(row["ledger_id"]),
            member=_text(row["member"]),
            kid=_text(row["kid"]),
            epoch=_count(row["epoch"]),
            voting_members=_count(row["voting_members"]),
            commit=_count(row["commit"]),
            commit_digest=_text(row["commit_digest"]),
            commit_ms=_count(row["commit_ms"]),
            signed=(_count(row["signed"][0]), _count(row["signed"][1])),
            files=_files(row["files"]),
        )
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise BackupError(f"no manifest of a backup: {error!r}") from error


def _files(rows: list[dict[str, Any]]) -> tuple[BackedUpFile, ...]:
    if len(rows) > FILES_MAX:
        raise BackupError(f"a backup of {len(rows)} files, expected at most {FILES_MAX}")
    files = tuple(_file(row) for row in rows)
    if len({file.path for file in files}) != len(files):
        raise BackupError("a backup that has a file twice")
    return files


def _file(row: dict[str, Any]) -> BackedUpFile:
    file = BackedUpFile(
        _text(row["path"]), _count(row["bytes"]), _count(row["mode"]), _text(row["sha256"])
    )
    path = PurePosixPath(file.path)
    if path.is_absolute() or ".." in path.parts or str(path) != file.path or file.path == ".":
        raise BackupError(f"a backup with {file.path!r}, expected a path inside the folder")
    if file.mode > 0o777 or len(file.sha256) != _DIGEST_CHARS:
        raise BackupError(f"a backup with a mode or hash of {file.path!r} that is none")
    return file


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r}, expected a whole number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError(f"{value!r}, expected text")
    return value
