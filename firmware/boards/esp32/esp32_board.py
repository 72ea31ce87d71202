"""The ESP32: wireless network, UART, NVS and the flash file system as the meter's board.

In the configuration, `board` is {"file": "..", "wifi": {"ssid", "password"}}: /boards/<file>.json
says which pin does what (wattle_meter/board_file.py, firmware/BOARDS.md).
"""

import asyncio
import os
import sys
import time

import machine
import network
import tls
from flash_slots import FlashSlots
from nvs_store import NvsStore
from panel import Panel
from serial_port import UartSerialPort
from wattle_meter import board_file, config, datagram, small_file, tls_stream
from wattle_meter.app import Meter
from wattle_meter.board import (
    ERROR,
    INFO,
    RESET_POWER,
    RESET_SOFTWARE,
    RESET_UNKNOWN,
    RESET_WATCHDOG,
    Board,
    Files,
    Random,
    Relay,
    SerialPort,
    Stream,
)
from wattle_meter.config import GatewayConfig
from wattle_meter.directory import Directory
from wattle_meter.errors import MeterError
from wattle_meter.fields import FieldError, Fields
from wattle_meter.line import Line
from wattle_meter.names import Names
from wattle_meter.ticks import TickClock

CERTIFICATE = "tls.crt.der"
CERTIFICATE_BYTES_MAX = 4096
# Association and DHCP take seconds; the MQTT client gives a whole connection 20 s.
WIFI_MS = 15000
WIFI_POLL_MS = 100
# The longest the event loop stands still is the look-up of a name that names.py leaves to the chip.
WATCHDOG_MS = 60000
# A radio that finds nothing for so many attempts in a row is switched off and on again: about ten
# minutes with the pauses of the client in between.
WIFI_FAILURES_MAX = 20
_FILE_CHARS_MAX = 64
_SSID_CHARS_MAX = 32  # IEEE 802.11
_PASSWORD_CHARS_MAX = 63  # WPA2 passphrase
_LEVELS = "EWID"
_SECONDS_TO_2000 = 946684800  # from 1970: MicroPython on this chip counts from 2000


class ChipRandom(Random):
    """The chip's random source; it is a true one while the radio is on."""

    def bytes(self, count: int) -> bytes:
        return os.urandom(count)


class PinRelay(Relay):
    """A relay at an output of the chip."""

    def __init__(self, pin: int, active_low: int) -> None:
        self._active_low = active_low
        self._pin = machine.Pin(pin, machine.Pin.OUT, value=active_low)

    def switch(self, on: bool) -> None:
        self._pin.value(on != self._active_low)


class Esp32Board(Board):
    """The board that this runs on."""

    watched = False  # nobody reads counters from a chip: what fails is in the log, and in `state`

    def __init__(self) -> None:
        self.folder = ""  # the root of the flash file system
        self.clock = TickClock()
        # First, because of the random source: see ChipRandom.
        self._wifi = network.WLAN(network.STA_IF)
        self._wifi.active(True)
        self.random = ChipRandom()
        self.store = NvsStore("wattle")
        self.slots = FlashSlots()
        made = sys.implementation[1]  # type: ignore[index]  # a tuple, whatever the stubs say
        self.platform = "esp32, micropython %d.%d.%d" % made[:3]
        self.protection = "file"  # NVS is not encrypted unless flash encryption is burnt in
        self._ssid = self._password = ""
        self._failures = 0  # attempts in a row to join the network
        self._relays: list[tuple[int, int]] = []
        self._panel: Panel | None = None
        self._names = Names(self._servers, datagram.ask, self.random)
        self._contexts: dict[str, tls.SSLContext] = {}
        self._watchdog: machine.WDT | None = None

    def uptime_ms(self) -> int:
        return self.clock.ticks_ms()

    def rtc_ms(self) -> int | None:
        return None  # nothing keeps the chip's clock going while it is without power

    def eui64(self) -> bytes:
        mac = self._wifi.config("mac")
        return bytes(mac[:3]) + b"\xff\xfe" + bytes(mac[3:])

    def outbox(self) -> Files:
        return Directory("/outbox")

    def serial_port(self, line: Line, settings: Fields) -> SerialPort:
        wifi = settings.child("wifi")
        self._ssid = wifi.text("ssid", _SSID_CHARS_MAX)
        self._password = wifi.text("password", _PASSWORD_CHARS_MAX)
        wifi.done()
        name = settings.text("file", _FILE_CHARS_MAX)
        settings.done()
        chip = board_file.chip_of(sys.implementation[2])  # type: ignore[index]  # _machine
        found = board_file.load("/boards/%s.json" % name, chip)
        for pin, value in found.outputs:
            machine.Pin(pin, machine.Pin.OUT, value=value)
        self._relays = found.relays
        self._panel = Panel(found, self.clock)
        number, tx, rx, direction = found.uart
        return UartSerialPort(number, tx, rx, direction, line)

    def relay(self, number: int) -> Relay:
        if number >= len(self._relays):
            raise FieldError(
                "relay %d, expected one of the board's %d" % (number, len(self._relays))
            )
        return PinRelay(*self._relays[number])

    async def connect(self, gateway: GatewayConfig, tls_key: bytes) -> Stream:
        await self._associate()
        context = self._contexts.get(gateway.ca)
        if context is None:
            trusted = small_file.read("/" + gateway.ca, CERTIFICATE_BYTES_MAX)
            certificate = small_file.read("/" + CERTIFICATE, CERTIFICATE_BYTES_MAX)
            context = tls_stream.context(trusted, certificate, tls_key)
            # Kept: it needs 2 kB in one piece, which a heap that has run for a while may not have.
            self._contexts[gateway.ca] = context
        address = await self._names.address_of(gateway.host)
        return await tls_stream.dial(address, gateway.port, context, gateway.server_name)

    async def ask(self, host: str, port: int, question: bytes, timeout_ms: int) -> bytes:
        if not self._wifi.isconnected():  # to join it is the business of connect()
            raise OSError("no wireless network %s" % self._ssid)
        address = await self._names.address_of(host)
        return await datagram.ask(address, port, question, timeout_ms)

    async def stop_requested(self) -> None:
        # From here on the meter runs: if it gets on no more, the chip starts anew.
        self._watchdog = machine.WDT(timeout=WATCHDOG_MS)
        assert self._panel is not None
        await self._panel.run()
        self.log(INFO, "stopped by the button; without power off, the watchdog starts it again")

    def log(self, level: int, text: str) -> None:
        if level <= INFO:
            print(_LEVELS[level], text)

    def status(self, counters: dict[str, object]) -> None:
        pass  # not called, as it is not watched

    def feed_watchdog(self) -> None:
        if self._watchdog is not None:
            self._watchdog.feed()

    def reset_cause(self) -> int:
        cause = machine.reset_cause()
        if cause == machine.PWRON_RESET:  # also a brown-out, and the reset pin
            return RESET_POWER
        if cause == machine.WDT_RESET:
            return RESET_WATCHDOG
        # Of the chip by program or by panic, or of MicroPython alone.
        if cause in (machine.HARD_RESET, machine.SOFT_RESET):
            return RESET_SOFTWARE
        return RESET_UNKNOWN

    def rssi_dbm(self) -> int | None:
        try:
            return max(-128, min(0, self._wifi.status("rssi")))
        except OSError:  # not joined
            return None

    def light(self) -> None:
        """The LED, once the board file has told of it, says that the meter has stopped."""
        if self._panel is not None:
            self._panel.light(True)

    def show(self, reads: bool, sends: bool) -> None:
        if self._panel is not None:
            self._panel.show(reads, sends)

    def time_proved(self, unix_ms: int) -> None:
        # TLS looks whether certificates have expired by this clock, which begins at 2000.
        epoch_s = _SECONDS_TO_2000 if time.gmtime(0)[0] == 2000 else 0
        now = time.gmtime(unix_ms // 1000 - epoch_s)
        machine.RTC().datetime((now[0], now[1], now[2], now[6], now[3], now[4], now[5], 0))

    def _servers(self) -> list[str]:
        server = self._wifi.ifconfig()[3]
        return [] if server == "0.0.0.0" else [server]

    async def _associate(self) -> None:
        """Joins the wireless network if it is not joined. Raises OSError."""
        if self._wifi.isconnected():
            self._failures = 0
            return
        if self._failures >= WIFI_FAILURES_MAX:
            self._failures = 0
            self._wifi.active(False)
            self._wifi.active(True)
        self._failures += 1
        try:
            self._wifi.disconnect()
        except OSError:
            pass  # there was nothing to leave
        self._wifi.connect(self._ssid, self._password)
        until_ms = self.clock.ticks_ms() + WIFI_MS
        while not self._wifi.isconnected():
            if self.clock.ticks_ms() >= until_ms:
                raise OSError("no wireless network %s" % self._ssid)
            await self.clock.sleep_ms(WIFI_POLL_MS)


def show_line(units: str = "1-247") -> None:
    """Prints what answers on the line, and how; for a technician, the meter stopped.

    No meter calls it: a technician brings it along (`wattle-tool image --probe`).
    """
    from wattle_meter import probe  # here, so that a meter that runs does not hold it in its heap

    board = Esp32Board()
    settings = config.load("")
    searching = probe.Probe(
        lambda line: board.serial_port(line, settings.board),
        board.clock,
        probe.load_profiles("/profiles", os.listdir("/profiles"), print),
        print,
    )
    asyncio.run(searching.run(probe.units_of(units)))


def main() -> None:
    """Runs the meter until an update starts the board anew; returns only if a person must mend
    something.
    """
    board = Esp32Board()
    try:
        meter = Meter(board)
    except (MeterError, OSError, ValueError) as error:
        board.log(ERROR, "%s: %s" % (type(error).__name__, error))
        board.light()
        return
    if asyncio.run(meter.run()):
        machine.reset()
