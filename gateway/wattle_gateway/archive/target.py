"""Where archived files lie: a folder, or a bucket of an S3-compatible store."""

from pathlib import Path
from typing import Protocol

from wattle_gateway.config import ArchiveConfig
from wattle_gateway.errors import ArchiveError
from wattle_gateway.home import durable_file
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.store import sealing_copy

S3_SCHEME = "s3://"


class MissingFileError(ArchiveError):
    """The archive answers, and does not have a file."""


class Target(Protocol):
    """Files by name, written whole: `a/b=c/d.parquet`."""

    def put(self, name: str, content: bytes) -> None:
        """Store a file durably, in the place of one of that name. Raises ArchiveError."""

    def get(self, name: str) -> bytes:
        """A stored file. Raises MissingFileError, or ArchiveError if the store does not answer."""


class Store(Target, Protocol):
    """A target as it is, whose files can be looked for and removed, too."""

    def has(self, name: str) -> bool:
        """Whether a file is there. Raises ArchiveError."""

    def remove(self, name: str) -> None:
        """Remove a file, if it is there; what can be overwritten is. Raises ArchiveError."""


class Folder:
    """A folder, of this machine or mounted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, content: bytes) -> None:
        """As `Target.put`. The folder itself must be there: an unmounted disk is not filled."""
        path = self._folder / name
        if not self._folder.is_dir():
            raise ArchiveError(f"{self._folder}: no such folder; make it, or mount its disk")
        try:
            self._make_folders(path.parent)
            durable_file.write(path, content, mode=0o640)
        except OSError as error:
            raise ArchiveError(f"{path}: cannot be written: {error.strerror}") from error

    def get(self, name: str) -> bytes:
        """As `Target.get`."""
        path = self._folder / name
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            if not self._folder.is_dir():
                raise ArchiveError(f"{self._folder}: no such folder") from error
            raise MissingFileError(f"{path}: missing from the archive") from error
        except OSError as error:
            raise ArchiveError(f"{path}: cannot be read: {error.strerror}") from error

    def has(self, name: str) -> bool:
        """As `Store.has`."""
        return (self._folder / name).is_file()

    def remove(self, name: str) -> None:
        """As `Store.remove`."""
        path = self._folder / name
        try:
            sealing_copy.wipe(path)
        except OSError as error:
            raise ArchiveError(f"{path}: cannot be removed: {error.strerror}") from error

    def _make_folders(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._make_folders(folder.parent)
        folder.mkdir(mode=0o750, exist_ok=True)
        durable_file.sync_folder(folder.parent)


def store_of(config: ArchiveConfig, home: GatewayHome) -> Store:
    """The target with its files as they are, sealed or not. Raises ArchiveError, ConfigError."""
    if config.target.startswith(S3_SCHEME):
        from wattle_gateway.archive.object_store import ObjectStore

        return ObjectStore(config, home)
    return Folder(home.folder / config.target)
