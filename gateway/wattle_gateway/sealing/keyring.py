"""The keyring file: every key of a sealed folder, wrapped.

JSON, because an operator who has lost something should be able to see what is there. A slot wraps
the root key under one storage key; there are two slots only while one storage key takes the place
of another. The root key wraps the rest, so that a new storage key touches this file alone.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wattle_gateway.errors import StorageKeyError
from wattle_gateway.sealing.row_seal import KEY_BYTES, NONCE_BYTES, SEALS_A_KEY_MAX
from wattle_gateway.sealing.storage_key import Scrypt, StorageKey

FORMAT = 1
# With archive keys in it: a program that does not know them would write the file without them.
FORMAT_WITH_ARCHIVE = 2
ID_BYTES = 16
# A key number is two bytes in every sealed value.
NUMBER_MAX = 0xFFFF
# Seals are counted in the file in steps of this, so that it is written once in a million of them;
# what of a step is left at a power cut is given up.
SEALS_A_STEP = 1 << 20
# Old data keys stay only while rows are sealed under them; a rotation a day is resealed in a day.
DATA_KEYS_MAX = 64
# An archive is not resealed when rows are: a key a month for twenty years. The last one goes on
# until `archive reseal` makes room.
ARCHIVE_KEYS_MAX = 256
FILE_BYTES_MAX = 128 << 10
_WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + 16


@dataclass(frozen=True)
class Slot:
    """The root key under one storage key; `scrypt`: how that comes from a passphrase, else None."""

    scrypt: Scrypt | None
    wrapped: bytes


@dataclass(frozen=True)
class DataKey:
    """A key of rows: `number`, Unix ms when it was made, how many seals are written down."""

    number: int
    made_ms: int
    seals: int
    wrapped: bytes


@dataclass(frozen=True)
class ArchiveKey:
    """A key of archived files: `number` that of the data key of its time, Unix ms when made."""

    number: int
    made_ms: int
    wrapped: bytes


@dataclass(frozen=True)
class Keyring:
    """What stands in the file. `keys` by rising number: the last one seals; `archive` likewise."""

    id: bytes
    slots: tuple[Slot, ...]
    names: bytes
    files: bytes
    keys: tuple[DataKey, ...]
    archive: tuple[ArchiveKey, ...] = ()

    def encode(self) -> bytes:
        """The JSON text."""
        document: dict[str, Any] = {
            "format": FORMAT_WITH_ARCHIVE if self.archive else FORMAT,
            "id": self.id.hex(),
            "slots": [
                {"scrypt": one.scrypt and one.scrypt.as_json(), "root": one.wrapped.hex()}
                for one in self.slots
            ],
            "names": self.names.hex(),
            "files": self.files.hex(),
            "keys": [
                {
                    "number": key.number,
                    "made_ms": key.made_ms,
                    "seals": key.seals,
                    "wrapped": key.wrapped.hex(),
                }
                for key in self.keys
            ],
        }
        if self.archive:
            document["archive"] = [
                {"number": key.number, "made_ms": key.made_ms, "wrapped": key.wrapped.hex()}
                for key in self.archive
            ]
        return (json.dumps(document, indent=1) + "\n").encode()


def parse(raw: bytes, source: str) -> Keyring:
    """The keyring in these bytes; StorageKeyError for any others, `source` names them."""
    if len(raw) > FILE_BYTES_MAX:
        raise StorageKeyError(f"{source}: {len(raw)} bytes, expected at most {FILE_BYTES_MAX}")
    try:
        row = json.loads(raw)
        if row["format"] not in (FORMAT, FORMAT_WITH_ARCHIVE):
            raise StorageKeyError(
                f"{source}: a keyring of format {row['format']!r}, expected {FORMAT} or "
                f"{FORMAT_WITH_ARCHIVE}: made by another version of wattle-gateway; install that "
                "one"
            )
        kept = row["archive"] if row["format"] == FORMAT_WITH_ARCHIVE else ()
        keyring = Keyring(
            _hex(row["id"], ID_BYTES),
            tuple(_slot(one) for one in row["slots"]),
            _hex(row["names"], _WRAPPED_BYTES),
            _hex(row["files"], _WRAPPED_BYTES),
            tuple(_data_key(one) for one in row["keys"]),
            tuple(_archive_key(one) for one in kept),
        )
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError) as error:
        raise StorageKeyError(f"{source}: damaged, no keyring: {error!r}; restore a backup") from (
            error
        )
    numbers = [key.number for key in keyring.keys]
    kept = [key.number for key in keyring.archive]
    ordered = sorted(set(numbers)) == numbers and sorted(set(kept)) == kept
    if not keyring.slots or not numbers or not ordered:
        raise StorageKeyError(f"{source}: a keyring without keys, or out of order")
    return keyring


def _slot(row: Mapping[str, Any]) -> Slot:
    scrypt = None if row["scrypt"] is None else Scrypt.from_json(row["scrypt"])
    return Slot(scrypt, _hex(row["root"], _WRAPPED_BYTES))


def _data_key(row: Mapping[str, Any]) -> DataKey:
    kept = _archive_key(row)
    seals = _number(row["seals"], SEALS_A_KEY_MAX)
    return DataKey(kept.number, kept.made_ms, seals, kept.wrapped)


def _archive_key(row: Mapping[str, Any]) -> ArchiveKey:
    number, made_ms = _number(row["number"], NUMBER_MAX), _number(row["made_ms"], 1 << 62)
    return ArchiveKey(number, made_ms, _hex(row["wrapped"], _WRAPPED_BYTES))


def _number(value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{value!r}, expected a number up to {most}")
    return value


def _hex(value: object, size: int) -> bytes:
    found = bytes.fromhex(value) if isinstance(value, str) else b""
    if len(found) != size:
        raise ValueError(f"expected {2 * size} hex digits")
    return found


@dataclass(frozen=True)
class RootKey:
    """The key that wraps all others of one keyring."""

    id: bytes
    key: bytes

    def wrap(self, name: str, key: bytes) -> bytes:
        """A key as it stands in the file; `name` says which one it is."""
        return _wrap(self.key, self.id, name, key)

    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        """The key. StorageKeyError if the file was changed by who does not have the root key."""
        try:
            return _unwrap(self.key, self.id, name, wrapped)
        except InvalidTag:
            raise StorageKeyError(f"keyring: {name} is damaged; restore a backup") from None


def new(storage: StorageKey, now_ms: int) -> tuple[Keyring, RootKey]:
    """A keyring with a first data key."""
    root = RootKey(secrets.token_bytes(ID_BYTES), secrets.token_bytes(KEY_BYTES))
    keyring = Keyring(
        root.id,
        (slot(root, storage),),
        root.wrap("names", secrets.token_bytes(KEY_BYTES)),
        root.wrap("files", secrets.token_bytes(KEY_BYTES)),
        (_new_data_key(root, 1, now_ms),),
    )
    return keyring, root


def slot(root: RootKey, storage: StorageKey) -> Slot:
    """The root key under a storage key."""
    scrypt, key = storage.fresh()
    return Slot(scrypt, _wrap(_slot_key(key, root.id), root.id, "root", root.key))


def open_root(keyring: Keyring, storage: StorageKey, source: str) -> RootKey:
    """The root key; StorageKeyError if no slot opens under this storage key."""
    for one in keyring.slots:
        if (one.scrypt is not None) != storage.is_passphrase:
            continue
        key = _slot_key(storage.key(one.scrypt), keyring.id)
        try:
            return RootKey(keyring.id, _unwrap(key, keyring.id, "root", one.wrapped))
        except InvalidTag:
            continue
    raise StorageKeyError(
        f"{source}: does not open: {storage.told} is not the storage key of this folder"
    )


def with_new_key(keyring: Keyring, root: RootKey, now_ms: int) -> Keyring:
    """A further data key, which seals from now on. StorageKeyError if there are too many."""
    newest = keyring.keys[-1].number
    if len(keyring.keys) >= DATA_KEYS_MAX or newest >= NUMBER_MAX:
        raise StorageKeyError(
            f"{len(keyring.keys)} data keys, the newest number {newest}: let the gateway run until "
            "rows of older ones are resealed"
        )
    return replace(keyring, keys=(*keyring.keys, _new_data_key(root, newest + 1, now_ms)))


def without_before(keyring: Keyring, number: int) -> Keyring:
    """Without the data keys below a number: no row is sealed under them any more."""
    return replace(keyring, keys=tuple(key for key in keyring.keys if key.number >= number))


def with_step(keyring: Keyring) -> Keyring:
    """A step more of seals under the newest key is written down."""
    newest = keyring.keys[-1]
    counted = replace(newest, seals=min(newest.seals + SEALS_A_STEP, SEALS_A_KEY_MAX))
    return replace(keyring, keys=(*keyring.keys[:-1], counted))


def data_keys(keyring: Keyring, root: RootKey) -> dict[int, bytes]:
    """Every data key by its number. StorageKeyError as `RootKey.unwrap`."""
    return {key.number: root.unwrap(f"data {key.number}", key.wrapped) for key in keyring.keys}


def with_archive_key(keyring: Keyring, root: RootKey, now_ms: int) -> Keyring:
    """With an archive key of the newest data key's number, as it is if there is one or there are
    ARCHIVE_KEYS_MAX: then the newest goes on."""
    number = keyring.keys[-1].number
    kept = keyring.archive
    if kept and (kept[-1].number >= number or len(kept) >= ARCHIVE_KEYS_MAX):
        return keyring
    wrapped = root.wrap(f"archive {number}", secrets.token_bytes(KEY_BYTES))
    return replace(keyring, archive=(*kept, ArchiveKey(number, now_ms, wrapped)))


def without_archive_before(keyring: Keyring, number: int) -> Keyring:
    """Without the archive keys below a number: no file is sealed under them any more."""
    return replace(keyring, archive=tuple(key for key in keyring.archive if key.number >= number))


def _new_data_key(root: RootKey, number: int, now_ms: int) -> DataKey:
    wrapped = root.wrap(f"data {number}", secrets.token_bytes(KEY_BYTES))
    return DataKey(number, now_ms, 0, wrapped)


def _slot_key(storage_key: bytes, ring_id: bytes) -> bytes:
    """One storage key may serve several folders: each wraps under a key of its own (RFC 5869)."""
    return HKDF(SHA256(), KEY_BYTES, ring_id, b"wattle/1/slot").derive(storage_key)


def _wrap(under: bytes, ring_id: bytes, name: str, key: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(under).encrypt(nonce, key, _bound(ring_id, name))


def _unwrap(under: bytes, ring_id: bytes, name: str, wrapped: bytes) -> bytes:
    cipher = AESGCM(under)
    return cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _bound(ring_id, name))


def _bound(ring_id: bytes, name: str) -> bytes:
    return b"wattle/1/keyring\0" + ring_id + name.encode()
