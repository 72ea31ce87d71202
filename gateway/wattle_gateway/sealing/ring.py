"""The opened keyring of a folder: asked for once in a process, shared by all that read or write.

Whoever opens a database of a folder gets here by the keyring beside it, so that no caller has to
carry keys along, and none can forget to.
"""

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from wattle_gateway import config
from wattle_gateway.errors import StorageKeyError
from wattle_gateway.home import durable_file
from wattle_gateway.runtime.logs import Log
from wattle_gateway.sealing import keyring as keyring_file
from wattle_gateway.sealing import storage_key
from wattle_gateway.sealing.keyring import Keyring, RootKey
from wattle_gateway.sealing.row_seal import SEALS_A_KEY_MAX, RowSeal
from wattle_gateway.sealing.storage_key import StorageKey

NAME = "keyring.json"
_CONFIG = "config.toml"
_MODE = 0o600

_log = Log("store")


class Ring:
    """The keys of one folder. Only the process that holds the folder's lock changes them."""

    def __init__(self, path: Path, keyring: Keyring, root: RootKey) -> None:
        self.path = path
        self._keyring = keyring
        self._root = root
        self._left = 0
        self._changing = threading.Lock()
        self.seal = self._new_seal()
        self.files_password = root.unwrap("files", keyring.files).hex().encode()

    @property
    def keyring(self) -> Keyring:
        """What stands in the file."""
        return self._keyring

    @property
    def active(self) -> int:
        """The number of the data key that seals."""
        return self._keyring.keys[-1].number

    def rotate(self, now_ms: int) -> int:
        """Make a new data key, under which everything is sealed from now on; gives its number.

        Raises StorageKeyError if the file does not take it; then nothing has changed.
        """
        with self._changing:
            self._rotate(now_ms)
        self.seal.learn(self._keys(), self.active)
        return self.active

    def forget_before(self, number: int) -> int:
        """Remove data keys below a number; gives how many. Raises StorageKeyError."""
        with self._changing:
            kept = keyring_file.without_before(self._keyring, min(number, self.active))
            gone = len(self._keyring.keys) - len(kept.keys)
            if gone:
                self._write(kept)
        if gone:
            self.seal.learn(self._keys(), self.active)
        return gone

    def archive_key(self, now_ms: int) -> tuple[int, bytes]:
        """Number and key that archived files are sealed under from now on; a new one after each
        new data key. Raises StorageKeyError if the file does not take it."""
        with self._changing:
            kept = keyring_file.with_archive_key(self._keyring, self._root, now_ms)
            if kept is not self._keyring:
                self._write(kept)
            newest = kept.archive[-1]
            return newest.number, self._root.unwrap(f"archive {newest.number}", newest.wrapped)

    def archive_key_of(self, number: int) -> bytes | None:
        """The archive key of a number, None: there is none, perhaps not any more."""
        for _ in range(2):
            for key in self._keyring.archive:
                if key.number == number:
                    return self._root.unwrap(f"archive {number}", key.wrapped)
            self._reload()  # another process may have made it
        return None

    def forget_archive_before(self, number: int) -> int:
        """Remove archive keys below a number; gives how many. Raises StorageKeyError."""
        with self._changing:
            kept = keyring_file.without_archive_before(self._keyring, number)
            gone = len(self._keyring.archive) - len(kept.archive)
            if gone:
                self._write(kept)
        return gone

    def add_slot(self, storage: StorageKey) -> None:
        """Let a further storage key open it. Raises StorageKeyError."""
        with self._changing:
            slots = (*self._keyring.slots, keyring_file.slot(self._root, storage))
            self._write(_with_slots(self._keyring, slots))

    def drop_newest_slot(self) -> None:
        """The storage key that was added last opens it no more. Raises StorageKeyError."""
        with self._changing:
            self._write(_with_slots(self._keyring, self._keyring.slots[:-1]))

    def keep_newest_slot(self) -> None:
        """Only the storage key that was added last opens it. Raises StorageKeyError."""
        with self._changing:
            self._write(_with_slots(self._keyring, self._keyring.slots[-1:]))

    def refresh(self) -> bool:
        """Take over what another process has written; False if the file is another keyring now."""
        with self._changing:
            read = keyring_file.parse(_read(self.path), str(self.path))
            if read.id != self._keyring.id:
                return False
            changed = [key.number for key in read.keys] != [
                key.number for key in self._keyring.keys
            ]
            self._keyring = read
        if changed:
            self.seal.learn(self._keys(), self.active)
        return True

    def _new_seal(self) -> RowSeal:
        names = self._root.unwrap("names", self._keyring.names)
        return RowSeal(self._keys(), self.active, names, self._spend, self._reload)

    def _keys(self) -> dict[int, bytes]:
        return keyring_file.data_keys(self._keyring, self._root)

    def _spend(self) -> tuple[int, Mapping[int, bytes]] | None:
        """Before a value is sealed: count it; a key that has sealed its share gives way."""
        with self._changing:
            if self._left:
                self._left -= 1
                return None
            changed = False
            if self._keyring.keys[-1].seals >= SEALS_A_KEY_MAX:
                self._rotate(self._keyring.keys[-1].made_ms)
                changed = True
            self._write(keyring_file.with_step(self._keyring))
            self._left = keyring_file.SEALS_A_STEP - 1
        return (self.active, self._keys()) if changed else None

    def _rotate(self, now_ms: int) -> None:
        self._write(keyring_file.with_new_key(self._keyring, self._root, now_ms))
        self._left = 0
        _log.info("a new data key seals", number=self.active)

    def _reload(self) -> Mapping[int, bytes]:
        """Another process has made a new key since this one has read the file."""
        with self._changing:
            self._keyring = keyring_file.parse(_read(self.path), str(self.path))
        return self._keys()

    def _write(self, keyring: Keyring) -> None:
        _write(self.path, keyring)
        self._keyring = keyring


_opened: dict[Path, Ring] = {}
_opening = threading.Lock()


def beside(path: Path) -> Ring | None:
    """The opened keyring of the folder that a file of it is in; None if it has none.

    Raises StorageKeyError if the storage key cannot be had, or is another one.
    """
    where = path.absolute().parent / NAME
    if not where.is_file():
        return None
    with _opening:
        found = _opened.get(where)
        if found is None or not found.refresh():
            found = _opened[where] = open_ring(where, _configured(where.parent))
        return found


def open_ring(path: Path, storage: StorageKey) -> Ring:
    """The keyring at `path`. Raises StorageKeyError if it is damaged or the key is another one."""
    keyring = keyring_file.parse(_read(path), str(path))
    return Ring(path, keyring, keyring_file.open_root(keyring, storage, str(path)))


def make(folder: Path, storage: StorageKey, now_ms: int) -> Ring:
    """A new keyring in a folder; StorageKeyError if there is one, or it cannot be written."""
    path = folder.absolute() / NAME
    if path.exists():
        raise StorageKeyError(f"{path} exists: the folder is sealed already")
    keyring, root = keyring_file.new(storage, now_ms)
    _write(path, keyring)
    made = Ring(path, keyring, root)
    with _opening:
        _opened[path] = made
    return made


def move(folder: Path, to: Path) -> None:
    """The folder has another name now: its opened keyring goes along."""
    with _opening:
        found = _opened.pop(folder.absolute() / NAME, None)
        if found is not None:
            found.path = to.absolute() / NAME
            _opened[found.path] = found


def _configured(folder: Path) -> StorageKey:
    source = config.load_storage(folder / _CONFIG).key
    if not source:
        raise StorageKeyError(
            f"{folder / NAME}: the folder is sealed, and [storage] key in {_CONFIG} does not say "
            f"where its key is; expected {storage_key.FORMS}"
        )
    return storage_key.read(source, folder)


def _with_slots(keyring: Keyring, slots: tuple[keyring_file.Slot, ...]) -> Keyring:
    return replace(keyring, slots=slots)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageKeyError(f"{path}: cannot be read: {error.strerror}") from error


def _write(path: Path, keyring: Keyring) -> None:
    try:
        durable_file.write(path, keyring.encode(), mode=_MODE)
    except OSError as error:
        raise StorageKeyError(f"{path}: cannot be written: {error.strerror}") from error
