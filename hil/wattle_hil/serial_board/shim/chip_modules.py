"""What an ESP32's MicroPython has and the unix port lacks: machine, esp32 and network, emulated.

The dialect is MicroPython's; raw_repl.py puts them into the place of the unix port's.
"""

import io
import select
import sys
import termios

_NVS_BYTES = 4096
_NVS_NOT_FOUND = -0x1102  # nvs.h
_EINVAL = 22
_SIGNAL_DBM = -61
_STREAM_POLL, _POLL_IN, _POLL_OUT = 3, 1, 4


class Nvs:
    """esp32.NVS: blobs by key, kept in the flash as lines of hex that commit() writes."""

    def __init__(self, flash, at, namespace):
        self._flash = flash
        self._at = at
        self._prefix = namespace + "."
        self._flash.seek(self._at)
        rows = self._flash.read(_NVS_BYTES).partition(b"\xff")[0].split(b"\n")
        self._blobs = {}
        for row in rows:
            key, _, value = row.partition(b"=")
            if key:
                self._blobs[key.decode()] = bytes.fromhex(value.decode())

    def get_blob(self, key, buffer):
        value = self._blobs.get(self._prefix + key)
        if value is None:
            raise OSError(_NVS_NOT_FOUND)
        buffer[: len(value)] = value
        return len(value)

    def set_blob(self, key, value):
        self._blobs[self._prefix + key] = bytes(value)

    def commit(self):
        rows = [key + "=" + value.hex() for key, value in self._blobs.items()]
        self._flash.seek(self._at)
        self._flash.write("\n".join(rows).encode() + b"\xff")
        self._flash.flush()


class Wlan:
    """network.WLAN: a radio with the board's MAC, and this machine's network if it has any."""

    def __init__(self, mac, has_network):
        self._mac = mac
        self._has_network = has_network
        self._is_active = False

    def active(self, on=None):
        if on is not None:
            self._is_active = on
        return self._is_active

    def config(self, name):
        if name != "mac":
            raise ValueError("unknown config param")
        if not self._is_active:
            raise OSError("STA not active")
        return self._mac

    def isconnected(self):
        return self._has_network

    def ifconfig(self):
        return ("127.0.0.1", "255.0.0.0", "127.0.0.1", "0.0.0.0")

    def connect(self, ssid, password):
        pass

    def disconnect(self):
        pass

    def status(self, what):
        if not self._has_network:
            raise OSError("Wifi Not Connected")
        return _SIGNAL_DBM


class Uart(io.IOBase):
    """machine.UART on a pty: what comes is taken from it when somebody looks."""

    def __init__(self, file):
        if file is None:
            raise ValueError("the emulated board has no UART")
        self._file = file
        self._poll = select.poll()
        self._poll.register(file, select.POLLIN)
        self._heard = b""

    def _listen(self):
        while self._poll.poll(0):
            byte = self._file.read(1)
            if not byte:
                return
            self._heard += byte

    def any(self):
        self._listen()
        return len(self._heard)

    def read(self, count=-1):
        self._listen()
        count = len(self._heard) if count < 0 else count
        data, self._heard = self._heard[:count], self._heard[count:]
        return data

    def write(self, data):
        return self._file.write(data)

    def flush(self):
        pass

    def ioctl(self, operation, argument):
        if operation != _STREAM_POLL:
            return -_EINVAL
        self._listen()
        return argument & (_POLL_OUT | (_POLL_IN if self._heard else 0))


class Pin:
    """machine.Pin: nothing hangs on an output, nobody presses the button on an input, which closes
    to ground on every board that has none to pull it down."""

    IN, OUT, PULL_UP, PULL_DOWN = 0, 1, 2, 3

    def __init__(self, number, mode=IN, pull=None, value=0):
        self._level = int(pull != self.PULL_DOWN) if mode == self.IN else value

    def value(self, level=None):
        if level is not None:
            self._level = level
        return self._level


class Watchdog:
    """machine.WDT: one that never bites; whoever kills the board is the bench."""

    def __init__(self, timeout):
        pass

    def feed(self):
        pass


class Clock:
    """machine.RTC: it takes the time; TLS on the unix port judges by the host's."""

    def datetime(self, fields):
        pass


class Partition:
    """esp32.Partition: none that an update could go to."""

    TYPE_DATA = 1

    @staticmethod
    def find(kind, label=None):
        return []


class PlainCopy:
    """What stands in for a built-in module: its names, some of them changed."""


def opened_uart(path):
    """The pty that is the board's UART; opened while the host's files are still there."""
    file = open(path, "r+b")
    termios.setraw(file.fileno())
    return file


def modules(mac, uart, flash, nvs_at):
    """The modules by name; `uart` None: no UART and no network. `flash` has NVS at `nvs_at`."""
    machine = PlainCopy()
    machine.unique_id = lambda: mac
    machine.reset = lambda: sys.exit(0)
    machine.UART = lambda number, **settings: Uart(uart)
    machine.Pin = Pin
    machine.WDT = Watchdog
    machine.RTC = Clock
    machine.PWRON_RESET, machine.HARD_RESET, machine.WDT_RESET, machine.SOFT_RESET = 1, 2, 3, 5
    machine.reset_cause = lambda: machine.PWRON_RESET
    esp32 = PlainCopy()
    esp32.NVS = lambda namespace: Nvs(flash, nvs_at, namespace)
    esp32.Partition = Partition
    network = PlainCopy()
    network.STA_IF = 0
    network.WLAN = lambda interface: Wlan(mac, uart is not None)
    return {"esp32": esp32, "machine": machine, "network": network}
