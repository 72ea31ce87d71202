"""The archive of a sealed folder: what stands in the target is sealed, too.

Outside this module a file has the name and the bytes that ledger.db notes, those of the plain
Parquet file; in the target it is `<name>.sealed`. So nothing has to be written down when a file
changes its form, an older ledger.db reads on, and a power cut leaves one form or both.
"""

import time

from wattle_gateway.archive.fetching import AlteredFileError
from wattle_gateway.archive.target import MissingFileError, Store, Target, store_of
from wattle_gateway.config import ArchiveConfig
from wattle_gateway.errors import ArchiveError, StorageKeyError
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.sealing import file_seal
from wattle_gateway.sealing import ring as rings
from wattle_gateway.sealing.ring import Ring

SUFFIX = ".sealed"


class SealedTarget:
    """A `Target` before another one that sees no plain byte; with `plain` what is put is in the
    clear, and what was sealed before is still read."""

    def __init__(self, inner: Store, ring: Ring, *, plain: bool = False) -> None:
        self._inner = inner
        self._ring = ring
        self._plain = plain

    def put(self, name: str, content: bytes) -> None:
        """As `Target.put`; a file of the other form is removed."""
        if self._plain:
            self._inner.put(name, content)
            self._inner.remove(name + SUFFIX)
            return
        number, key = self._ring.archive_key(_now_ms())
        sealed = file_seal.close(number, key, name, content)
        self._inner.put(name + SUFFIX, sealed)
        if self._inner.has(name):
            if self._inner.get(name + SUFFIX) != sealed:
                raise ArchiveError(f"{name}{SUFFIX}: other bytes than were put there")
            self._inner.remove(name)

    def get(self, name: str) -> bytes:
        """As `Target.get`, of either form; AlteredFileError for a file that does not open."""
        forms = (self._inner.get, self._get_sealed)
        first, second = forms if self._plain else forms[::-1]
        try:
            return first(name)
        except MissingFileError as missing:
            try:
                return second(name)
            except MissingFileError:
                raise missing from None

    def newest(self) -> int:
        """The number of the archive key that `put` seals under. Raises StorageKeyError."""
        return self._ring.archive_key(_now_ms())[0]

    def forget_before(self, number: int) -> int:
        """Nothing is sealed under archive keys below a number: they leave the keyring; how many.
        Raises StorageKeyError."""
        return self._ring.forget_archive_before(number)

    def is_as_put(self, name: str, least: int) -> bool:
        """Whether the file has the form that `put` gives it, under archive key `least` or a newer
        one, and no other form beside it. Raises ArchiveError."""
        if self._plain:
            return self._inner.has(name) and not self._inner.has(name + SUFFIX)
        if self._inner.has(name) or not self._inner.has(name + SUFFIX):
            return False
        try:
            return file_seal.number_of(self._inner.get(name + SUFFIX)) >= least
        except StorageKeyError as error:
            raise AlteredFileError(f"{name}{SUFFIX}: {error}") from error

    def _get_sealed(self, name: str) -> bytes:
        sealed = self._inner.get(name + SUFFIX)
        try:
            number = file_seal.number_of(sealed)
            key = self._ring.archive_key_of(number)
            if key is None:
                raise StorageKeyError(
                    f"sealed under archive key {number}, which the keyring does not have; was it "
                    "resealed after the backup that this folder is from?"
                )
            return file_seal.open_file(key, name, sealed)
        except StorageKeyError as error:
            raise AlteredFileError(f"{name}{SUFFIX}: {error}") from error


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def open_target(config: ArchiveConfig, home: GatewayHome) -> Target:
    """The target of a configuration that names one; of a sealed folder it seals what is put there,
    unless `plain` says otherwise. Raises ArchiveError, ConfigError, StorageKeyError."""
    store = store_of(config, home)
    ring = rings.beside(home.config)
    return store if ring is None else SealedTarget(store, ring, plain=config.plain)
