"""RS-485 on a UART of the ESP32."""

import asyncio

from machine import UART, Pin
from wattle_meter.board import SerialPort
from wattle_meter.line import Line

_RECEIVE_BUFFER_BYTES = 512  # two of the longest frames
_SEND_BUFFER_BYTES = 256
_PARITIES = {"N": None, "E": 0, "O": 1}


class UartSerialPort(SerialPort):
    """UART `number` on pins `tx` and `rx`.

    `direction` is the pin that switches the transceiver to sending (DE and /RE tied together),
    or None for one that switches by itself.
    """

    def __init__(self, number: int, tx: int, rx: int, direction: int | None, line: Line) -> None:
        self._uart = UART(
            number,
            baudrate=line.baud,
            bits=8,
            parity=_PARITIES[line.parity],
            stop=line.stop_bits,
            tx=tx,
            rx=rx,
            txbuf=_SEND_BUFFER_BYTES,
            rxbuf=_RECEIVE_BUFFER_BYTES,
        )
        self._direction = None if direction is None else Pin(direction, Pin.OUT, value=0)
        self._reader = asyncio.StreamReader(self._uart)

    def write(self, data: bytes) -> None:
        if self._direction is None:
            self._uart.write(data)
            return
        # A device may answer 3.5 characters after our last bit: nothing else may run between that
        # and the switch. A request of 8 bytes blocks for 9 ms at 9600 Bd.
        self._direction.value(1)
        self._uart.write(data)
        self._uart.flush()
        self._direction.value(0)

    def read_available(self) -> bytes:
        count = self._uart.any()
        return (self._uart.read(count) or b"") if count else b""

    async def wait_readable(self, timeout_ms: int) -> bool:
        try:
            # A read of nothing takes nothing: bytes cannot be lost to a time-out.
            await asyncio.wait_for_ms(self._reader.read(0), timeout_ms)
        except asyncio.TimeoutError:
            return False
        return True
