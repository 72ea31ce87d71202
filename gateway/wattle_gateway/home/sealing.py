"""A gateway's folder sealed later, and opened by another storage key.

Every step leaves a folder that opens; a run that the power cut is done again from where it stood:
configuration, keyring, databases, private keys, in this order.
"""

import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from wattle_gateway import config
from wattle_gateway.errors import ConfigError, HomeError, StorageKeyError, StoreError
from wattle_gateway.home import durable_file
from wattle_gateway.home.identity import load_genesis
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.pki import keys
from wattle_gateway.sealing import ring as rings
from wattle_gateway.sealing import storage_key
from wattle_gateway.sealing.ring import Ring
from wattle_gateway.store import connection, schema, sealed_file, sealing_copy
from wattle_gateway.store.migration import ROOM_LEFT_BYTES
from wattle_gateway.store.schema import Schema

# Of repair, of `snapshot begin`, of a new database; each is made anew by who needs it.
_DRAFTS = (".repair", ".begin", ".new")
_ASIDE = (".damaged", ".before")
_SECTION = re.compile(r"^\[storage\]\s*$", re.MULTILINE)
_NEXT = re.compile(r"^\[", re.MULTILINE)
_KEY = re.compile(r"^key\s*=.*$", re.MULTILINE)


@dataclass(frozen=True)
class Database:
    """One of the two, of a folder."""

    path: Path
    kind: Schema


def databases(home: GatewayHome) -> tuple[Database, Database]:
    """Both databases of a folder."""
    return Database(home.operation, schema.OPERATION), Database(home.database, schema.LEDGER)


def seal_folder(home: GatewayHome, source: str) -> Ring:
    """Seal the folder of a stopped gateway under the storage key that `source` names.

    Raises StorageKeyError, StoreError, HomeError, ConfigError.
    """
    ledger_id = load_genesis(home).ledger_id
    storage = storage_key.read(source, home.folder)
    for one in databases(home):  # a version that is refused stops it whole
        connection.planned_migration(one.path, one.kind, ledger_id)
    _clear(home)
    _check_room(home)
    if (home.folder / rings.NAME).exists():
        # Sealed before, perhaps not to the end. StorageKeyError for another key than then, before
        # the configuration names it: `rewrap` is for that.
        rings.open_ring(home.folder / rings.NAME, storage)
    try:
        set_source(home.config, source)
        ring = rings.beside(home.config)
        if ring is None:
            ring = rings.make(home.folder, storage, time.time_ns() // 1_000_000)
        for one in databases(home):
            sealing_copy.seal_database(one.path, one.kind, ledger_id, ring)
        for path in sorted(home.keys.glob("*.pem")):
            _encrypt(path, ring)
        # What brokers of earlier starts have left: the next start makes all of it anew.
        shutil.rmtree(home.broker, ignore_errors=True)
        home.broker.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise HomeError(f"{home.folder}: cannot be sealed: {error.strerror}") from error
    return ring


def rewrap(home: GatewayHome, source: str) -> Ring:
    """Let the storage key that `source` names open the folder, and no other any more.

    While the configuration changes both do. Raises as `seal_folder`.
    """
    ring = rings.beside(home.config)
    if ring is None:
        raise StorageKeyError(
            f"{home.folder}: not sealed; `wattle-gateway keys seal` seals it under {source}"
        )
    ring.add_slot(storage_key.read(source, home.folder))
    try:
        set_source(home.config, source)
    except ConfigError:
        ring.drop_newest_slot()
        raise
    ring.keep_newest_slot()
    return ring


def plain_keys(home: GatewayHome) -> list[str]:
    """The names of private keys that are not encrypted, also of what a power cut has left of them
    after they were. Raises HomeError."""
    plain = [path for path in home.keys.glob("*.pem") if not keys.is_encrypted(path)]
    return sorted(path.name for path in (*plain, *home.keys.glob("*.pem.plain")))


def set_source(path: Path, source: str) -> None:
    """Write `[storage] key` into a configuration file and leave the rest as it is.

    Raises ConfigError if the file is not written as `init` does, so that its section cannot be
    found.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    changed = _with_source(text, f"key = {config.toml_value(source)}")
    draft = path.with_name(f"{path.name}.check")
    try:
        draft.write_text(changed, encoding="utf-8")
        if config.load_storage(draft).key != source:
            raise ConfigError(f'{path}: set [storage] key = "{source}" by hand, then try again')
        durable_file.write(path, changed.encode(), mode=path.stat().st_mode & 0o777)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


def _with_source(text: str, line: str) -> str:
    found = _SECTION.search(text)
    if found is None:
        return f"{text.rstrip()}\n\n[storage]\n{line}\n"
    end = _NEXT.search(text, found.end())
    stop = len(text) if end is None else end.start()
    section = text[found.end() : stop]
    if _KEY.search(section) is None:
        return f"{text[: found.end()]}\n{line}{section}{text[stop:]}"
    return f"{text[: found.end()]}{_KEY.sub(lambda _: line, section, count=1)}{text[stop:]}"


def _clear(home: GatewayHome) -> None:
    """Nothing plain stays beside the databases: what a power cut has left of a draft goes; what
    was set aside, its owner has to take away (HomeError)."""
    for one in databases(home):
        for path in sorted(home.folder.glob(f"{one.path.name}.*")):
            if path.name.startswith(tuple(f"{one.path.name}{suffix}" for suffix in _DRAFTS)):
                sealing_copy.wipe(path)
            elif _is_plain_aside(one, path):
                raise HomeError(
                    f"{path}: set aside by an earlier repair or `snapshot begin`, and not "
                    "sealed: move it to a safe place, or remove it, then seal the folder"
                )


def _is_plain_aside(database: Database, path: Path) -> bool:
    names = tuple(f"{database.path.name}{suffix}" for suffix in _ASIDE)
    if not path.name.startswith(names) or not path.stat().st_size:
        return False
    # What a log holds is sealed as its database is.
    whole = path.with_name(path.name.removesuffix("-wal").removesuffix("-shm"))
    try:
        # Immutable: SQLite makes no log beside it.
        address = f"{whole.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as reader:
            return sealed_file.load(reader) is None
    except sqlite3.Error:
        return True  # nobody can tell


def _check_room(home: GatewayHome) -> None:
    needed = ROOM_LEFT_BYTES
    for path in _existing(home):
        needed += 2 * path.stat().st_size  # sealed values are longer; the old file stays meanwhile
    free = shutil.disk_usage(home.folder).free
    if free < needed:
        raise StoreError(
            f"{home.folder}: sealing takes {needed >> 20} MiB of free disk, {free >> 20} are free"
        )


def _existing(home: GatewayHome) -> Iterator[Path]:
    return (one.path for one in databases(home) if one.path.is_file())


def _encrypt(path: Path, ring: Ring) -> None:
    """Put an encrypted key file in the place of a plain one."""
    if keys.is_encrypted(path):
        sealing_copy.wipe(path.with_name(f"{path.name}.plain"))
        return
    pem = keys.encrypted(path, ring.files_password)
    draft = path.with_name(f"{path.name}.sealing")
    durable_file.write(draft, pem, mode=keys.PRIVATE_FILE_MODE)
    sealing_copy.replace_wiped(path, draft)
