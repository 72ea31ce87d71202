"""The board's key-value store as one small file a key, replaced by rename: whole or as before."""

import binascii
import os

from host import sync_folder
from wattle_meter.board import Store
from wattle_meter.errors import MeterError

_SUM_BYTES = 4
_VALUE_BYTES_MAX = 512


class StoreDamagedError(MeterError):
    """A file of the store is not what was written."""


class FileStore(Store):
    """Keys as files in the folder `path`, which is made if absent (its parent must exist)."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._pending: dict[str, bytes] = {}
        try:
            os.mkdir(path)
        except OSError:
            os.listdir(path)  # raises what is wrong, unless it is that the folder exists
        else:
            sync_folder(path.rpartition("/")[0] or "/")

    def get(self, key: str) -> bytes | None:
        """The value of `key`, or None. Raises StoreDamagedError, OSError."""
        if key in self._pending:
            return self._pending[key]
        path = self._path + "/" + key
        if key not in os.listdir(self._path):
            return None
        with open(path, "rb") as file:
            data = file.read(_VALUE_BYTES_MAX + _SUM_BYTES + 1)
        value = data[:-_SUM_BYTES]
        if len(data) < _SUM_BYTES or data[-_SUM_BYTES:] != _sum(value):
            raise StoreDamagedError(
                "%s is damaged (%d bytes, check sum wrong); restore it, or enrol this meter anew "
                "with an empty folder" % (path, len(data))
            )
        return value

    def set(self, key: str, value: bytes) -> None:
        assert len(key) <= 15
        assert len(value) <= _VALUE_BYTES_MAX
        self._pending[key] = bytes(value)

    def commit(self) -> None:
        for key in list(self._pending):
            value = self._pending[key]
            path = self._path + "/" + key
            with open(path + ".new", "wb") as file:
                file.write(value + _sum(value))
                file.flush()  # MicroPython: fsync
            os.rename(path + ".new", path)
            del self._pending[key]
        sync_folder(self._path)


def _sum(value: bytes) -> bytes:
    return binascii.crc32(value).to_bytes(_SUM_BYTES, "big")
