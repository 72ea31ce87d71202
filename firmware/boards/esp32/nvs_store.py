"""The board's key-value store in the NVS partition of the ESP32."""

import esp32
from wattle_meter.board import Store

_VALUE_BYTES_MAX = 512
_NOT_FOUND = -0x1102  # ESP_ERR_NVS_NOT_FOUND, nvs.h
_MARK = b"\x01"  # before each value, so that an empty one is no empty blob


class NvsStore(Store):
    """Keys of the NVS namespace `name` (at most 15 characters)."""

    def __init__(self, name: str) -> None:
        self._nvs = esp32.NVS(name)

    def get(self, key: str) -> bytes | None:
        buffer = bytearray(len(_MARK) + _VALUE_BYTES_MAX)
        try:
            length = self._nvs.get_blob(key, buffer)
        except OSError as error:
            if error.args[0] == _NOT_FOUND:
                return None
            raise
        return bytes(buffer[len(_MARK) : length])

    def set(self, key: str, value: bytes) -> None:
        assert len(value) <= _VALUE_BYTES_MAX
        self._nvs.set_blob(key, _MARK + value)

    def commit(self) -> None:
        self._nvs.commit()
