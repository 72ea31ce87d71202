"""The file of an ESP32 board: which pin does what, checked against what its chip can do.

    {"format": 1, "name": "..", "chip": "esp32", "sources": ["https://.."],
     "uart": {"number": 1, "tx": 17, "rx": 16, "direction": 4},
     "relays": [{"pin": 23, "active_low": 1}], "led": {"pin": 2, "kind": "plain"},
     "button": {"pin": 0, "pull": 1}, "set": [{"pin": 16, "value": 1}],
     "strapping": [0, 2], "reserved": [12]}

Only the first five are needed; firmware/BOARDS.md explains all of them.
"""

import json

from wattle_meter import small_file
from wattle_meter.fields import FieldError, Fields

FORMAT = 1
FILE_BYTES_MAX = 4096
RELAYS_MAX = 8
_SET_MAX = 8
_LISTED_MAX = 16
_SOURCES_MAX = 8
_NAME_CHARS_MAX = 64
_SOURCE_CHARS_MAX = 200
PLAIN, WS2812 = "plain", "ws2812"


class _Chip:
    """Pins by their kind, each a row of first, last, first, last ..; `uarts`: how many there are,
    the console's included.
    """

    def __init__(
        self,
        uarts: int,
        pins: bytes,
        inputs: bytes,
        flash: bytes,
        strapping: bytes,
        console: bytes,
    ) -> None:
        self.uarts = uarts
        self.pins = pins
        self.inputs = inputs
        self.flash = flash
        self.strapping = strapping
        self.console = console


def _chip(name: str) -> _Chip | None:
    """ESP-IDF Programming Guide, "GPIO & RTC GPIO" of each chip: table and notes."""
    if name == "esp32":
        return _Chip(
            3,
            bytes((0, 19, 21, 23, 25, 27, 32, 39)),
            bytes((34, 39)),
            bytes((6, 11)),
            bytes((0, 0, 2, 2, 5, 5, 12, 12, 15, 15)),
            bytes((1, 1, 3, 3)),
        )
    if name == "esp32s3":
        return _Chip(
            3,
            bytes((0, 21, 26, 48)),
            b"",
            bytes((26, 32)),
            bytes((0, 0, 3, 3, 45, 46)),
            bytes((19, 20, 43, 44)),
        )
    if name == "esp32c3":
        return _Chip(
            2,
            bytes((0, 21)),
            b"",
            bytes((11, 17)),
            bytes((2, 2, 8, 9)),
            bytes((18, 21)),
        )
    return None


def chip_of(machine: str) -> str:
    """The chip that MicroPython's `sys.implementation._machine` names: "Generic ESP32S3 module
    with ESP32S3" is an esp32s3, "M5Stack ATOM with ESP32-PICO-D4" an esp32.
    """
    name = machine.split(" with ")[-1].lower().replace("-", "")
    return name[:7] if name[5:6] in ("s", "c", "h") else name[:5]


class BoardFile:
    """A checked board. Pins are numbers of GPIOs.

    `chip`; `uart` (number, tx, rx, direction or None); `relays` [(pin, active_low)]; `led`
    (pin, kind, active_low) or None; `button` (pin, active_low, pull) or None; `outputs`
    [(pin, value)], set once at the start.
    """

    def __init__(self, fields: Fields, chip: str | None = None) -> None:
        """`chip`: what the board is known to have, None to believe the file. Raises FieldError."""
        fields.integer("format", FORMAT, FORMAT)
        fields.text("name", _NAME_CHARS_MAX)
        fields.texts("sources", 1, _SOURCES_MAX, _SOURCE_CHARS_MAX)  # where it is documented
        self.chip = fields.text("chip", _NAME_CHARS_MAX)
        known = _chip(self.chip)
        if known is None or (chip is not None and chip != self.chip):
            raise fields.error("chip", chip or "esp32, esp32s3 or esp32c3")
        self._chip = known
        self._used: dict[int, str] = {}
        self._straps = fields.integers("strapping", 0, 255, 0, _LISTED_MAX)
        for pin in fields.integers("reserved", 0, 255, 0, _LISTED_MAX):
            self._take(fields, "reserved", pin)
        self.uart = self._uart(fields.child("uart"))
        rows = fields.children("relays", 0, RELAYS_MAX)
        self.relays = [self._output(row, "active_low") for row in rows]
        rows = fields.children("set", 0, _SET_MAX)
        self.outputs = [self._output(row, "value") for row in rows]
        self.led = self._led(fields)
        self.button = self._button(fields)
        for pin in self._straps:
            if pin not in self._used or not _within(pin, known.strapping):
                raise fields.error("strapping", "strapping pins that are used, not %d" % pin)
        fields.done()

    def _uart(self, fields: Fields) -> tuple[int, int, int, int | None]:
        number = fields.integer("number", 1, self._chip.uarts - 1)  # 0 is the console
        tx = self._pin(fields, "tx", True)
        rx = self._pin(fields, "rx", False)
        direction = None
        if fields.get("direction") is not None:
            direction = self._pin(fields, "direction", True)
        fields.done()
        return number, tx, rx, direction

    def _output(self, fields: Fields, level: str) -> tuple[int, int]:
        found = self._pin(fields, "pin", True), fields.integer(level, 0, 1, 0)
        fields.done()
        return found

    def _led(self, fields: Fields) -> tuple[int, str, int] | None:
        if fields.get("led") is None:
            return None
        row = fields.child("led")
        kind = row.choice("kind", (PLAIN, WS2812), PLAIN)
        pin, active_low = self._output(row, "active_low")
        return pin, kind, active_low

    def _button(self, fields: Fields) -> tuple[int, int, int] | None:
        if fields.get("button") is None:
            return None
        row = fields.child("button")
        pin = self._pin(row, "pin", False)
        inputs = _within(pin, self._chip.inputs)
        pull = row.integer("pull", 0, 1, 0 if inputs else 1)
        if pull and inputs:
            raise row.error("pull", "0: pin %d has no resistor of its own" % pin)
        active_low = row.integer("active_low", 0, 1, 1)
        row.done()
        return pin, active_low, pull

    def _pin(self, fields: Fields, key: str, drives: bool) -> int:
        """A pin that is free and can be what it shall be."""
        pin = fields.integer(key, 0, self._chip.pins[-1])
        if drives and _within(pin, self._chip.inputs):
            raise fields.error(key, "a pin that can drive, which those of %s cannot" % self.chip)
        self._take(fields, key, pin)
        if _within(pin, self._chip.console):
            raise fields.error(key, "no pin of the console, by which the board is programmed")
        if _within(pin, self._chip.strapping) and pin not in self._straps:
            raise fields.error(
                key, "a pin that does not decide how the chip starts (or it in 'strapping')"
            )
        return pin

    def _take(self, fields: Fields, key: str, pin: int) -> None:
        if not _within(pin, self._chip.pins):
            raise fields.error(key, "a pin of the %s, which has no %d" % (self.chip, pin))
        if _within(pin, self._chip.flash):
            raise fields.error(key, "no pin of the chip's flash")
        if pin in self._used:
            raise fields.error(key, "a free pin: %d is %s" % (pin, self._used[pin]))
        self._used[pin] = fields.place(key).split(" ")[-1]


def load(path: str, chip: str | None = None) -> BoardFile:
    """Reads and checks the board file at `path`; `chip` as in BoardFile.

    Raises FieldError, FileTooLargeError, OSError.
    """
    name = path.split("/")[-1]
    try:
        top = json.loads(small_file.read(path, FILE_BYTES_MAX))
    except (ValueError, UnicodeError):
        raise FieldError("%s: not JSON" % name) from None
    return BoardFile(Fields(top, name + ":"), chip)


def _within(pin: int, pairs: bytes) -> bool:
    return any(pairs[at] <= pin <= pairs[at + 1] for at in range(0, len(pairs), 2))
