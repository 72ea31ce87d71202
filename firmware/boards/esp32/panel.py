"""What a person at the board sees and can do: its LED and its button (firmware/BOARDS.md).

The LED flashes some times, pauses, and begins anew: once when all is well, twice when no gateway
takes samples, three times when a device is not read, four times for both. It stays on when the
meter has stopped. Who holds the button down for two seconds stops the meter.
"""

import machine
from wattle_meter.board import Clock
from wattle_meter.board_file import WS2812, BoardFile

LOOK_MS = 100
HOLD_MS = 2000
# A flash is one look on and two off; a turn is long enough to count four, and to see them end.
_FLASH_LOOKS = 3
_TURN_LOOKS = 30
# Bit times of a WS2812 in ns: high and low of a 0, of a 1 (its data sheet, table of timings).
_WS2812_NS = (400, 850, 800, 450)
_GREEN = b"\x08\x00\x00"  # in its order: green, red, blue; dim, since it is looked at
_DARK = b"\x00\x00\x00"


class Panel:
    """LED and button of `board`, either of which it may lack."""

    def __init__(self, board: BoardFile, clock: Clock) -> None:
        self._clock = clock
        self._led: machine.Pin | None = None
        self._is_ws2812 = False
        self._lit = 0  # level of a plain one that is on
        self._button: machine.Pin | None = None
        self._pressed = 0
        self._flashes = 0
        if board.led is not None:
            pin, kind, active_low = board.led
            self._is_ws2812 = kind == WS2812
            self._lit = 1 - active_low
            self._led = machine.Pin(
                pin, machine.Pin.OUT, value=0 if self._is_ws2812 else active_low
            )
        if board.button is not None:
            pin, active_low, pull = board.button
            self._pressed = 1 - active_low
            resistor = machine.Pin.PULL_UP if active_low else machine.Pin.PULL_DOWN
            if pull:
                self._button = machine.Pin(pin, machine.Pin.IN, resistor)
            else:
                self._button = machine.Pin(pin, machine.Pin.IN)

    def show(self, reads: bool, sends: bool) -> None:
        """What the LED tells from now on: whether devices are read, whether samples get through."""
        self._flashes = 1 + (0 if reads else 2) + (0 if sends else 1)

    def light(self, on: bool) -> None:
        """Switches the LED."""
        if self._led is None:
            return
        if self._is_ws2812:
            machine.bitstream(self._led, 0, _WS2812_NS, _GREEN if on else _DARK)
        else:
            self._led.value(self._lit if on else 1 - self._lit)

    async def run(self) -> None:
        """Flashes until somebody has held the button down; the LED is on then."""
        held = turn = 0
        lit = False
        while held * LOOK_MS < HOLD_MS:
            pressed = self._button is not None and self._button.value() == self._pressed
            held = held + 1 if pressed else 0
            turn = (turn + 1) % _TURN_LOOKS
            due = turn % _FLASH_LOOKS == 0 and turn < self._flashes * _FLASH_LOOKS
            if due != lit:
                lit = due
                self.light(lit)
            await self._clock.sleep_ms(LOOK_MS)
        self.light(True)
