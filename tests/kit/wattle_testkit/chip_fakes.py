"""What MicroPython gives a program on an ESP32 (machine, network, esp32), in memory.

With it the real esp32_board and panel run on any interpreter. What the chip and its radio do is
not shown by this: only what the program makes of what they say.
"""

import sys

import wattle_meter.board_file

_MODULES = ("esp32_board", "flash_slots", "nvs_store", "panel", "serial_port")


class _Names:
    """An object for a module."""


class Pin:
    """A GPIO; `made` lists (number, mode, level or resistor) of all, `levels` what they are."""

    IN, OUT, PULL_UP, PULL_DOWN = 1, 3, 2, 1
    made = []
    levels = {}
    history = []  # (number, level) of every change by the program

    def __init__(self, number, mode, pull=None, value=None):
        self.number = number
        Pin.made.append((number, mode, pull if value is None else value))
        if value is not None:
            self.value(value)

    def value(self, level=None):
        if level is None:
            return Pin.levels.get(self.number, 1)
        Pin.levels[self.number] = int(level)
        Pin.history.append((self.number, int(level)))
        return None


class Uart:
    """Stands for the board's UartSerialPort, and remembers how it was made."""

    made = []

    def __init__(self, number, tx, rx, direction, line):
        Uart.made.append((number, tx, rx, direction, line.baud))


class Wlan:
    """A radio: joins after `joins_after_ms` of `clock` where there is a network (None: never)."""

    clock = None
    joins_after_ms = None
    rssi = -61
    name_server = "0.0.0.0"
    calls = []
    wanted_at = None
    mac = bytes(range(6))

    def __init__(self, interface):
        self.interface = interface

    def active(self, on):
        Wlan.calls.append("on" if on else "off")

    def isconnected(self):
        if Wlan.joins_after_ms is None or Wlan.wanted_at is None:
            return False
        return Wlan.clock.now_ms - Wlan.wanted_at >= Wlan.joins_after_ms

    def connect(self, ssid, password):
        Wlan.calls.append((ssid, password))
        Wlan.wanted_at = Wlan.clock.now_ms

    def disconnect(self):
        if Wlan.wanted_at is None:
            raise OSError("Wifi Not Started")
        Wlan.wanted_at = None

    def status(self, what):
        assert what == "rssi"
        if not self.isconnected():
            raise OSError("not connected")
        return Wlan.rssi

    def ifconfig(self):
        return ("10.0.0.5", "255.255.255.0", "10.0.0.1", Wlan.name_server)

    def config(self, what):
        assert what == "mac"
        return Wlan.mac


class Rtc:
    """The chip's clock."""

    set_to = []

    def datetime(self, moment):
        Rtc.set_to.append(moment)


class Wdt:
    """The watchdog; `fed` counts."""

    fed = 0

    def __init__(self, timeout):
        self.timeout = timeout

    def feed(self):
        Wdt.fed += 1


class Partition:
    """There is none."""

    TYPE_DATA = 1

    @staticmethod
    def find(kind, label):
        return []


def _machine():
    found = _Names()
    found.Pin, found.UART, found.RTC, found.WDT = Pin, Uart, Rtc, Wdt
    found.PWRON_RESET, found.HARD_RESET, found.WDT_RESET = 1, 2, 3
    found.DEEPSLEEP_RESET, found.SOFT_RESET = 4, 5
    found.cause = 1
    found.reset_cause = lambda: found.cause
    found.strip = []  # bytes sent to WS2812s, by pin
    found.bitstream = lambda pin, coding, timing, data: found.strip.append((pin.number, data))
    return found


def _esp32():
    found = _Names()
    found.NVS = lambda name: None
    found.Partition = Partition
    return found


def _network():
    found = _Names()
    found.WLAN, found.STA_IF = Wlan, 0
    return found


MACHINE = _machine()
_FAKES = {"machine": MACHINE, "esp32": _esp32(), "network": _network()}


def board_module(clock):
    """The module esp32_board over these fakes; all of them are as new, and `clock` is the board's.

    Nothing of it stays in the search path or among the interpreter's modules.
    """
    for recorded in (Pin.made, Pin.history, Uart.made, Wlan.calls, Rtc.set_to, MACHINE.strip):
        recorded.clear()
    Pin.levels.clear()
    Wlan.clock, Wlan.joins_after_ms, Wlan.wanted_at = clock, None, None
    Wlan.rssi, Wlan.name_server = -61, "0.0.0.0"
    fakes = dict(_FAKES)
    if sys.implementation.name == "cpython":
        fakes["tls"] = _Names()
        fakes["tls"].SSLContext = None
    # From the leaves up: one import within the other is deep, and the stack of a 32-bit one small.
    for name in ("wattle_wire.p256", "wattle_meter.journal", "wattle_meter.app"):
        __import__(name)
    before = {name: sys.modules.get(name) for name in fakes}
    folder = wattle_meter.board_file.__file__.rpartition("/wattle_meter/")[0]
    sys.path.insert(0, folder + "/boards/esp32")
    sys.modules.update(fakes)
    try:
        module = __import__("esp32_board")
    finally:
        sys.path.pop(0)
        for name in list(fakes) + list(_MODULES):
            sys.modules.pop(name, None)
        for name in before:
            if before[name] is not None:
                sys.modules[name] = before[name]
    module.TickClock = lambda: clock
    module.UartSerialPort = Uart
    module.sys = _Names()
    module.sys.implementation = ("micropython", (1, 25, 0, ""), "Generic ESP32 module with ESP32")
    return module
