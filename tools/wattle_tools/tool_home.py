"""Where the tool keeps what outlives a run: sites with their authorities, and the audit record.

<home>/sites/<site>/site.json       what the gateway's operator gave
<home>/sites/<site>/authority.key   the technician's key (PKCS 8, PEM), made here
<home>/sites/<site>/request.pem     for `wattle-gateway technician issue` (PKCS 10)
<home>/sites/<site>/authority.pem   what that gave
<home>/audit.log, audit.key         wattle_tools/audit/log.py
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from wattle_tools.errors import ToolHomeError

_FOLDER_MODE = 0o700
_PRIVATE_MODE = 0o600


class ToolHome:
    """The folder; nothing is made before something is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.sites = self.folder / "sites"
        self.audit_log = self.folder / "audit.log"
        self.audit_key = self.folder / "audit.key"

    def site(self, name: str) -> Path:
        """The folder of a site."""
        return self.sites / name


def find(named: Path | None, environment: Mapping[str, str]) -> ToolHome:
    """The folder that was named, else WATTLE_TOOL_HOME, else the user's own (XDG).

    Raises ToolHomeError where something else is there.
    """
    folder = named or environment.get("WATTLE_TOOL_HOME")
    if not folder:
        data = environment.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
        folder = Path(data) / "wattle-tool"
    home = ToolHome(Path(folder))
    if home.folder.exists() and not home.folder.is_dir():
        raise ToolHomeError(f"{home.folder} is no folder, expected the tool's own (--home)")
    return home


def write(path: Path, data: bytes, *, private: bool = False) -> None:
    """Puts a file, whole or not at all; its folders are made. Raises ToolHomeError."""
    draft = path.with_name(path.name + ".new")
    try:
        path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        descriptor = os.open(draft, flags, _PRIVATE_MODE if private else 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise ToolHomeError(f"{path}: cannot be written: {error.strerror}") from error


def check_folder(folder: Path) -> None:
    """Makes a folder if it is absent. Raises ToolHomeError unless files can be put into it: to be
    called before a board is touched, of which nobody would have the file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ToolHomeError(f"{folder}: no files can be put there: {error.strerror}") from error


def read(path: Path, bytes_max: int) -> bytes:
    """A file of at most `bytes_max` bytes. Raises ToolHomeError."""
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except OSError as error:
        raise ToolHomeError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > bytes_max:
        raise ToolHomeError(f"{path}: more than {bytes_max} bytes")
    return data
