"""`restore`: a gateway's folder from a backup, and what it may sign from there on.

A backup is older than the gateway was when it was lost: its keys may have signed rounds since that
the copy knows nothing of. Rule 31, which holds after every start, is not enough to never sign one
of them again: the q - 1 others that are asked need not have the block that only one of them got.
So the restored ledger counts as lost (rule 32): where members may lie (f >= 1) it follows, and
signs from the next epoch on that names it; with 2 or 3 members once all others have answered.

The only member of a ledger has nobody to ask. What it committed after the backup is gone, and what
it commits instead contradicts whatever others have seen of it; so that is not done unless its
operator says so.
"""

import hashlib
import os
import secrets
import shutil
import tarfile
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from wattle_gateway.errors import BackupError, HomeError
from wattle_gateway.home import backup_manifest, durable_file
from wattle_gateway.home.backup_manifest import MANIFEST_BYTES_MAX, BackedUpFile, BackupManifest
from wattle_gateway.home.identity import load_identity
from wattle_gateway.home.paths import FOLDER_MODE, GatewayHome
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.sealing import ring as rings
from wattle_gateway.store import connection, own_rows, schema
from wattle_gateway.store.connection import store_errors_named

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Restored:
    """`alone`: the ledger has no other member and goes on from the backup; else it is marked as
    lost, and signs again as rule 32 says."""

    manifest: BackupManifest
    alone: bool


def restore(file: Path, folder: Path, *, alone: bool) -> Restored:
    """Make the gateway's folder `folder` from a backup; it appears whole or not at all.

    `alone`: its operator says that this gateway was the only member of its ledger to the last,
    and gives up what it committed after the backup. Raises HomeError if the folder exists and is
    not empty, or does not fit together; BackupError for a file that is no backup or is damaged, a
    ledger of one without `alone`, and `alone` for any other; StoreError for a database that this
    version cannot read.
    """
    target = GatewayHome(folder).folder
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise HomeError(f"{target} exists and is not empty; expected a new folder")
    draft = GatewayHome(target.with_name(f".{target.name}.{secrets.token_hex(4)}"))
    try:
        draft.folder.mkdir(mode=FOLDER_MODE, parents=True)
        manifest = _unpack(file, draft.folder)
        _decide(draft, manifest, alone=alone)
        _take_new_key(draft)
        draft.broker.mkdir(mode=FOLDER_MODE)
        draft.meter_certificates.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        for name, _, _ in os.walk(draft.folder):
            durable_file.sync_folder(Path(name))
        os.rename(draft.folder, target)  # replaces an empty folder
        durable_file.sync_folder(target.parent)
        rings.move(draft.folder, target)
    except OSError as error:
        raise HomeError(f"{target}: cannot be made: {error.strerror}") from error
    finally:
        shutil.rmtree(draft.folder, ignore_errors=True)
    return Restored(manifest, alone)


def read_manifest(archive: tarfile.TarFile) -> BackupManifest:
    """The manifest, which is the archive's first member; BackupError if it is none."""
    row = archive.next()
    if row is None or row.name != backup_manifest.NAME or not row.isreg():
        raise BackupError(f"no backup of a gateway: it does not begin with {backup_manifest.NAME}")
    if row.size > MANIFEST_BYTES_MAX:
        raise BackupError(f"a manifest of {row.size} bytes, expected at most {MANIFEST_BYTES_MAX}")
    content = archive.extractfile(row)
    assert content is not None  # of a regular file
    return backup_manifest.parse(content.read())


def _unpack(file: Path, folder: Path) -> BackupManifest:
    try:
        source = file.open("rb")
    except OSError as error:
        raise BackupError(f"{file}: cannot be read: {error.strerror}") from error
    try:
        with source, tarfile.open(fileobj=source, mode="r:") as archive:
            manifest = read_manifest(archive)
            for expected in manifest.files:
                _take(archive, expected, folder)
            if archive.next() is not None:
                raise BackupError("it has more files than its manifest names")
            return manifest
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise BackupError(f"{file}: damaged: {error}") from error
    except BackupError as error:
        raise BackupError(f"{file}: {error}") from error


def _take(archive: tarfile.TarFile, expected: BackedUpFile, folder: Path) -> None:
    row = archive.next()
    if row is None or row.name != expected.path or not row.isreg() or row.size != expected.bytes:
        found = "its end" if row is None else f"{row.name!r} of {row.size} bytes"
        raise BackupError(
            f"damaged: {found} where {expected.path!r} of {expected.bytes} bytes is expected"
        )
    content = archive.extractfile(row)
    assert content is not None  # of a regular file
    path = folder.joinpath(*PurePosixPath(expected.path).parts)
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, expected.mode)
    with os.fdopen(descriptor, "wb") as target:
        while chunk := content.read(_CHUNK_BYTES):
            digest.update(chunk)
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
    if digest.hexdigest() != expected.sha256:
        raise BackupError(
            f"damaged: {expected.path!r} has the SHA-256 {digest.hexdigest()}, "
            f"the manifest says {expected.sha256}"
        )


def _decide(home: GatewayHome, manifest: BackupManifest, *, alone: bool) -> None:
    """Hold the manifest against what was unpacked, and mark the ledger."""
    identity = load_identity(home)
    first = first_epoch(identity.genesis)
    writer = connection.open_writer(home.database, schema.LEDGER, first.ledger_id)
    with closing(writer), store_errors_named(home.database):
        ledger = ExecutedLedger(writer, first)
        _compare(
            manifest,
            (identity.kid.hex(), ledger.head.index, ledger.head.digest.hex()),
        )
        is_alone = ledger.epoch.size == 1 and ledger.epoch.author_of(identity.kid) is not None
        if is_alone and not alone:
            raise BackupError(
                "this gateway was the only member of its ledger: what it committed after commit "
                f"{ledger.head.index} nobody else has, and what it commits instead contradicts "
                "the checkpoints and vouchers it gave out since. If that is accepted, and the "
                "ledger has had no other member since, say --alone; the old gateway must never "
                "run again"
            )
        if alone and not is_alone:
            raise BackupError(
                f"--alone, but the ledger has {ledger.epoch.size} voting members; expected to "
                "restore without it"
            )
        if not is_alone:
            with connection.transaction(writer):
                own_rows.forget(writer)


def _take_new_key(home: GatewayHome) -> None:
    """How much was sealed under a data key after the backup is not known: it seals no more."""
    ring = rings.beside(home.config)
    if ring is not None:
        ring.rotate(time.time_ns() // 1_000_000)


def _compare(manifest: BackupManifest, found: Iterable[object]) -> None:
    says = (manifest.kid, manifest.commit, manifest.commit_digest)
    for name, said, is_so in zip(("kid", "commit", "commit digest"), says, found, strict=True):
        if said != is_so:
            raise BackupError(f"the manifest says {name} {said}, the ledger has {is_so}")
