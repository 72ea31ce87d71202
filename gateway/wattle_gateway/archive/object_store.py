"""An S3-compatible store, through Arrow's own client."""

import tomllib
from typing import Any
from urllib.parse import urlsplit

from wattle_gateway.archive.arrow import arrow
from wattle_gateway.archive.target import S3_SCHEME, MissingFileError
from wattle_gateway.config import ArchiveConfig
from wattle_gateway.errors import ArchiveError, ConfigError
from wattle_gateway.home.paths import GatewayHome

CONNECT_TIMEOUT_S = 10
# With the client's pauses between them some seconds; the next try is the archiver's.
ATTEMPTS = 3
_OTHERS_MAY = 0o077
_KEYS = ("access_key", "secret_key", "session_token")


class ObjectStore:
    """A bucket, and what stands before all names in it."""

    def __init__(self, config: ArchiveConfig, home: GatewayHome) -> None:
        """Nothing is sent yet. Raises ConfigError for credentials that cannot be used, ArchiveError
        without pyarrow."""
        fs = arrow().fs
        self._place = config.target.removeprefix(S3_SCHEME).rstrip("/")
        options: dict[str, Any] = dict(_credentials(config, home))
        if config.endpoint:
            address = urlsplit(config.endpoint)
            options |= {"endpoint_override": address.netloc, "scheme": address.scheme}
        self._files = fs.S3FileSystem(
            region=config.region or None,
            connect_timeout=CONNECT_TIMEOUT_S,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
            # The one part of a small file is sent when it is closed, and errors are raised there.
            background_writes=False,
            **options,
        )

    def put(self, name: str, content: bytes) -> None:
        """As `Target.put`: S3 shows an object when all of it is there."""
        try:
            with self._files.open_output_stream(f"{self._place}/{name}") as stream:
                stream.write(content)
        except (OSError, arrow().ArrowException) as error:
            raise ArchiveError(f"{self._place}/{name}: cannot be stored: {_line(error)}") from error

    def get(self, name: str) -> bytes:
        """As `Target.get`."""
        path = f"{self._place}/{name}"
        try:
            with self._files.open_input_stream(path) as stream:
                return bytes(stream.read())
        except FileNotFoundError as error:
            raise MissingFileError(f"{path}: missing from the archive") from error
        except (OSError, arrow().ArrowException) as error:
            raise ArchiveError(f"{path}: cannot be read: {_line(error)}") from error

    def has(self, name: str) -> bool:
        """As `Store.has`."""
        path = f"{self._place}/{name}"
        try:
            found = self._files.get_file_info(path)
        except (OSError, arrow().ArrowException) as error:
            raise ArchiveError(f"{path}: cannot be looked for: {_line(error)}") from error
        return bool(found.type == arrow().fs.FileType.File)

    def remove(self, name: str) -> None:
        """As `Store.remove`. A bucket that keeps versions keeps this one."""
        if not self.has(name):
            return
        path = f"{self._place}/{name}"
        try:
            self._files.delete_file(path)
        except (OSError, arrow().ArrowException) as error:
            raise ArchiveError(f"{path}: cannot be removed: {_line(error)}") from error


def _credentials(config: ArchiveConfig, home: GatewayHome) -> dict[str, str]:
    """Those of the file that is named; none: the client looks in its environment, as AWS's does."""
    if not config.credentials:
        return {}
    path = home.folder / config.credentials
    try:
        if path.stat().st_mode & _OTHERS_MAY:
            raise ConfigError(f"{path}: others may read it; `chmod 600` it")
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the credentials: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # Its text is not quoted: what is wrong in it may be a key.
        raise ConfigError(f"{path}: the credentials are not TOML") from error
    wrong = [name for name, value in found.items() if name not in _KEYS or type(value) is not str]
    if wrong or not {"access_key", "secret_key"} <= found.keys():
        raise ConfigError(
            f"{path}: expected access_key and secret_key, and session_token if there is one, "
            "each a string"
        )
    return found


def _line(error: Exception) -> str:
    return str(error).replace("\n", " ")
