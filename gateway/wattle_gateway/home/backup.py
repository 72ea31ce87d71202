"""`backup`: all that a gateway needs to begin again, in one file, while it runs.

The databases are copied each as of one moment. Between them, and beside the small files, nothing
has to be of the same moment: the ledger decides, and at its start a gateway writes certificates
and revocations from it (DECISIONS 6). Not in a backup is what a start makes anew: the broker's
files, the socket, the lock.
"""

import hashlib
import io
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from wattle_gateway import config
from wattle_gateway.archive.target import S3_SCHEME
from wattle_gateway.errors import BackupError, ConfigError
from wattle_gateway.home import backup_manifest, durable_file
from wattle_gateway.home.backup_manifest import BackedUpFile, BackupManifest
from wattle_gateway.home.identity import Identity, load_identity
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.pki.keys import PRIVATE_FILE_MODE
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.sealing import ring as rings
from wattle_gateway.store import connection, database_copy, own_rows, schema
from wattle_gateway.store.connection import store_errors_named

# A gateway's own files but its databases are a few kilobytes each. Something larger was put into
# the folder by somebody who should say whether it belongs there.
FILE_BYTES_MAX = 16 << 20


@dataclass(frozen=True)
class Backup:
    """What was written: `bytes` of the file, `left_out` what config.toml names elsewhere."""

    manifest: BackupManifest
    bytes: int
    left_out: tuple[str, ...]


def back_up(home: GatewayHome, output: Path, now_ms: int) -> Backup:
    """Write a backup of a gateway, running or not, to the new file `output` (mode 0600).

    It appears whole or not at all. `now_ms` Unix ms. Raises HomeError for a folder that is not
    whole, StoreError for a database that is damaged, BackupError if the file exists, is to lie in
    the gateway's own folder, or cannot be written.
    """
    output = output.absolute()
    if output.exists():
        raise BackupError(f"{output} exists; a backup never replaces another one")
    if home.folder.resolve() in output.resolve().parents:
        raise BackupError(f"{output} lies in the gateway's folder, expected another disk")
    identity = load_identity(home)
    try:
        with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as work:
            return _write(home, identity, Path(work), output, now_ms)
    except OSError as error:
        raise BackupError(f"{output}: cannot be written: {error.strerror}") from error


def _write(home: GatewayHome, identity: Identity, work: Path, output: Path, now_ms: int) -> Backup:
    ledger_id = identity.genesis.ledger_id
    copies = {}
    numbers = _key_numbers(home)
    for path, kind in ((home.database, schema.LEDGER), (home.operation, schema.OPERATION)):
        copies[path.name] = work / path.name
        database_copy.copy(path, kind, ledger_id, copies[path.name])
    small = {str(path.relative_to(home.folder)): path for path in sorted(_small_files(home))}
    # Years of an archive in the folder fit into no memory.
    inside = _archive_inside(home)
    streamed = {name: small.pop(name) for name in list(small) if inside in small[name].parents}
    contents = {name: (path.read_bytes(), _mode(path)) for name, path in small.items()}
    streamed |= copies
    files = [_described(name, raw, mode) for name, (raw, mode) in contents.items()]
    files += [_hashed(name, path) for name, path in streamed.items()]
    if _key_numbers(home) != numbers:
        # Rows of one moment and the keyring of another might not fit together.
        raise BackupError(
            "a key was made or removed meanwhile (`keys rotate`, `archive reseal`); try again"
        )
    manifest = _manifest(home, identity, copies[home.database.name], tuple(files), now_ms)
    draft = work / "backup.tar"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            encoded = manifest.encode()
            _add(archive, backup_manifest.NAME, encoded, manifest.made_ms)
            for name, (raw, _) in contents.items():
                _add(archive, name, raw, manifest.made_ms)
            for described in files[len(contents) :]:
                _add_file(archive, streamed[described.path], described, manifest.made_ms)
        file.flush()
        os.fsync(file.fileno())
    size = draft.stat().st_size
    draft.replace(output)
    durable_file.sync_folder(output.parent)
    return Backup(manifest, size, tuple(_left_out(home)))


def _small_files(home: GatewayHome) -> Iterator[Path]:
    """All regular files but databases, what lies beside them, and what a start makes anew."""
    databases = (home.database.name, home.operation.name)
    for name, folders, files in os.walk(home.folder):
        folder = Path(name)
        if folder == home.folder:
            folders[:] = [one for one in folders if folder / one != home.broker]
        for one in folders:
            if (folder / one).is_symlink():
                raise BackupError(f"{folder / one} is a link to a folder, expected the folder")
        for one in files:
            path = folder / one
            if folder == home.folder and (one.startswith(databases) or path == home.lock):
                continue
            if one.endswith(".new") or not path.is_file():
                continue  # a draft that a power cut has left; the socket
            if path.stat().st_size > FILE_BYTES_MAX:
                raise BackupError(
                    f"{path} has {path.stat().st_size} bytes, expected at most {FILE_BYTES_MAX}: "
                    "is it the gateway's?"
                )
            yield path


def _left_out(home: GatewayHome) -> Iterator[str]:
    """What config.toml names and the backup has not."""
    try:
        loaded = config.load(home.config)
    except ConfigError:
        return  # what is wrong with it, `run` says
    if loaded.policy.file:
        path = (home.folder / loaded.policy.file).resolve()
        if not _within(home, path):
            yield str(path)
    if loaded.broker.nats_server:
        yield loaded.broker.nats_server
    if loaded.archive.target and _archive_inside(home) is None:
        yield f"the archive in {loaded.archive.target}, which the restored gateway reads on in"


def _archive_inside(home: GatewayHome) -> Path | None:
    """The folder of the archive, if it is below the gateway's own."""
    try:
        target = config.load(home.config).archive.target
    except ConfigError:
        return None  # what is wrong with it, `run` says
    if not target or target.startswith(S3_SCHEME):
        return None
    path = (home.folder / target).resolve()
    # As `_small_files` names what is in it.
    return home.folder / path.relative_to(home.folder.resolve()) if _within(home, path) else None


def _within(home: GatewayHome, path: Path) -> bool:
    return home.folder.resolve() in path.parents


def _manifest(
    home: GatewayHome,
    identity: Identity,
    ledger: Path,
    files: tuple[BackedUpFile, ...],
    now_ms: int,
) -> BackupManifest:
    first = identity.genesis
    reader = connection.open_reader(
        ledger, schema.LEDGER, first.ledger_id, keys_beside=home.database
    )
    with closing(reader), store_errors_named(ledger):
        executed = ExecutedLedger(reader, first_epoch(first))
        mark = own_rows.load(reader)
    return BackupManifest(
        made_ms=now_ms,
        ledger_name=first.name,
        ledger_id=first.ledger_id.hex(),
        member=identity.member.name,
        kid=identity.kid.hex(),
        epoch=executed.epoch.number,
        voting_members=executed.epoch.size,
        commit=executed.head.index,
        commit_digest=executed.head.digest.hex(),
        commit_ms=executed.head.time_ms,
        signed=(mark.epoch, mark.round),
        files=files,
    )


def _key_numbers(home: GatewayHome) -> list[int]:
    """Of data keys, then of archive keys."""
    ring = rings.beside(home.config)
    if ring is None:
        return []
    keyring = ring.keyring
    return [key.number for key in keyring.keys] + [key.number for key in keyring.archive]


def _described(name: str, raw: bytes, mode: int) -> BackedUpFile:
    return BackedUpFile(name, len(raw), mode, hashlib.sha256(raw).hexdigest())


def _hashed(name: str, path: Path) -> BackedUpFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return BackedUpFile(name, path.stat().st_size, PRIVATE_FILE_MODE, digest)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode) & 0o777


def _add(archive: tarfile.TarFile, name: str, raw: bytes, made_ms: int) -> None:
    archive.addfile(_row(name, len(raw), made_ms), io.BytesIO(raw))


class _Hashed:
    """A file that is read once, and hashed on the way."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """At most `size` bytes, as `addfile` asks for them."""
        raw = self._file.read(size)
        self.digest.update(raw)
        return raw


def _add_file(archive: tarfile.TarFile, path: Path, said: BackedUpFile, made_ms: int) -> None:
    """A file that is too long to be held; BackupError if it is not as the manifest says."""
    with path.open("rb") as file:
        source = _Hashed(file)
        archive.addfile(_row(said.path, said.bytes, made_ms), cast(BinaryIO, source))
    if source.digest.hexdigest() != said.sha256:
        raise BackupError(f"{path} was changed meanwhile; try again")


def _row(name: str, size: int, made_ms: int) -> tarfile.TarInfo:
    """A member of the archive; whoever unpacks it by hand gets files that only he can read."""
    row = tarfile.TarInfo(name)
    row.size, row.mode, row.mtime = size, PRIVATE_FILE_MODE, made_ms // 1000
    return row
