"""The emulated board's second UART, which qemu ties to a tty of the host.

A CMSDK UART (Arm DDI 0479, section 4.3). It holds one byte and qemu keeps the rest back, so
nothing is lost between two looks at it.
"""

import asyncio

from machine import mem32
from wattle_meter.board import SerialPort

_UART1 = 0x40005000
_DATA, _STATE, _CONTROL, _BAUD_DIVIDER = _UART1, _UART1 + 4, _UART1 + 8, _UART1 + 16
_SEND_FULL, _RECEIVED = 1, 2
_SEND_AND_RECEIVE = 3
_BAUD_DIVIDER_MIN = 16  # qemu moves bytes at once, whatever the speed
_BYTES_MAX = 512  # two of the longest frames
_LOOK_AGAIN_MS = 1


class UartSerialPort(SerialPort):
    """UART 1."""

    def __init__(self) -> None:
        mem32[_BAUD_DIVIDER] = _BAUD_DIVIDER_MIN
        mem32[_CONTROL] = _SEND_AND_RECEIVE
        # qemu asks again for bytes when one was taken; else the first answer comes a second late.
        mem32[_DATA]

    def write(self, data: bytes) -> None:
        for byte in data:
            while mem32[_STATE] & _SEND_FULL:
                pass
            mem32[_DATA] = byte

    def read_available(self) -> bytes:
        data = bytearray()
        while mem32[_STATE] & _RECEIVED and len(data) < _BYTES_MAX:
            data.append(mem32[_DATA] & 255)
        return bytes(data)

    async def wait_readable(self, timeout_ms: int) -> bool:
        while not mem32[_STATE] & _RECEIVED:
            if timeout_ms <= 0:
                return False
            await asyncio.sleep_ms(_LOOK_AGAIN_MS)
            timeout_ms -= _LOOK_AGAIN_MS
        return True
