"""A meter board that is a process of the real MicroPython on Linux; its folder is its flash.

config.json  profiles/*.json  *.der (authorities)  tls.crt.der (the meter's certificate)
nvs/ (keys, reserved seqs, counters, time)  outbox/  enrol.cbor (made by --identity)
slot1/ slot2/ (what updates brought)
"""

import json
import os
import sys
import time

import host
from bench_clock import BenchClock, host_ms
from file_store import FileStore
from serial_port import PosixSerialPort
from wattle_meter import datagram, small_file, tls_stream
from wattle_meter.board import Board, Files, Random, Relay, SerialPort, Stream
from wattle_meter.config import GatewayConfig
from wattle_meter.directory import Directory
from wattle_meter.fields import Fields
from wattle_meter.line import Line
from wattle_meter.names import SERVERS_MAX, Names
from wattle_meter.slots import Slots
from wattle_meter.ticks import TickClock

CERTIFICATE = "tls.crt.der"
CERTIFICATE_BYTES_MAX = 4096
_EUI64 = "eui64"
_LEVELS = "EWID"
_PATH_CHARS_MAX = 200
_RELAYS_MAX = 32


class HostRandom(Random):
    """The kernel's random source."""

    def bytes(self, count: int) -> bytes:
        return os.urandom(count)


class FileRelay(Relay):
    """A relay behind a file that takes 1 and 0: /sys/class/gpio/gpio17/value or the like."""

    def __init__(self, path: str) -> None:
        self._path = path

    def switch(self, on: bool) -> None:
        with open(self._path, "w") as file:
            file.write("1" if on else "0")


class Options:
    """How the process was started.

    `bench`: BenchClock or None; `rtc`: whether the host's clock may be looked at; `status_path`:
    file for counters or None; `log_level`: the least important level that is logged; `probe`:
    units to look for on the line instead of metering, or None.
    """

    def __init__(self) -> None:
        self.bench: BenchClock | None = None
        self.rtc = True
        self.status_path: str | None = None
        self.log_level = 2
        self.probe: list[int] | None = None


class LinuxBoard(Board):
    """The board whose flash is `folder`."""

    watched = True

    def __init__(self, folder: str, options: Options) -> None:
        """Raises OSError when the folder cannot be used."""
        host.make_files_private()
        self.folder = folder
        self.clock = TickClock()
        self.random = HostRandom()
        self.store = FileStore(folder + "/nvs")
        self.slots = Slots(folder, host.sync_folder)
        self.platform = "linux, micropython %d.%d.%d" % sys.implementation[1][:3]
        self.protection = "file"
        self._options = options
        if options.bench is not None:
            self.speed = options.bench.speed
        self._contexts: dict[str, object] = {}
        self._settings = Fields({}, "config.json: board")
        self._name_servers: list[object] | None = None
        self._names = Names(self._servers, datagram.ask, self.random)
        self._stop = host.StopSignals()

    def uptime_ms(self) -> int:
        bench = self._options.bench
        return self.clock.ticks_ms() if bench is None else bench.uptime_ms()

    def rtc_ms(self) -> int | None:
        if not self._options.rtc:
            return None
        bench = self._options.bench
        return host_ms() if bench is None else bench.unix_ms()

    def eui64(self) -> bytes:
        """A locally administered MAC-48, made at the first start and kept, as EUI-64."""
        known = self.store.get(_EUI64)
        if known is not None:
            return known
        mac = bytearray(self.random.bytes(6))
        mac[0] = mac[0] & 0xFC | 0x02  # IEEE 802: unicast, locally administered
        made = bytes(mac[:3]) + b"\xff\xfe" + bytes(mac[3:])
        self.store.set(_EUI64, made)
        self.store.commit()
        return made

    def outbox(self) -> Files:
        path = self.folder + "/outbox"
        files = Directory(path, lambda: host.sync_folder(path))
        host.sync_folder(self.folder)  # it may have been made just now
        return files

    def serial_port(self, line: Line, settings: Fields) -> SerialPort:
        path = settings.text("port", _PATH_CHARS_MAX)
        self._settings = settings
        settings.get("relays")
        if settings.get("name_servers") is not None:
            self._name_servers = settings.items("name_servers", 1, SERVERS_MAX)
        settings.done()
        return PosixSerialPort(path, line)

    def relay(self, number: int) -> Relay:
        paths = self._settings.items("relays", number + 1, _RELAYS_MAX)
        if not isinstance(paths[number], str):
            raise self._settings.error("relays", "paths")
        return FileRelay(paths[number])

    async def connect(self, gateway: GatewayConfig, tls_key: bytes) -> Stream:
        context = self._contexts.get(gateway.ca)
        if context is None:
            context = tls_stream.context(self._der(gateway.ca), self._der(CERTIFICATE), tls_key)
            # Kept: it needs 2 kB in one piece, which a heap that has run for a while may not have.
            self._contexts[gateway.ca] = context
        address = await self._address_of(gateway.host)
        return await tls_stream.dial(address, gateway.port, context, gateway.server_name)

    async def ask(self, host: str, port: int, question: bytes, timeout_ms: int) -> bytes:
        return await datagram.ask(await self._address_of(host), port, question, timeout_ms)

    async def _address_of(self, name: str) -> str:
        return host.listed_address(name) or await self._names.address_of(name)

    def _servers(self) -> list[str]:
        if self._name_servers is None:
            return host.name_servers()
        return [str(server) for server in self._name_servers]

    async def stop_requested(self) -> None:
        await self._stop.wait()

    def log(self, level: int, text: str) -> None:
        if level <= self._options.log_level:
            now = time.gmtime()
            sys.stderr.write(
                "%02d:%02d:%02d %s %s\n" % (now[3], now[4], now[5], _LEVELS[level], text)
            )

    def status(self, counters: dict[str, object]) -> None:
        path = self._options.status_path
        if path is None:
            return
        with open(path + ".new", "w") as file:
            json.dump(counters, file)
        os.rename(path + ".new", path)

    def _der(self, name: str) -> bytes:
        return small_file.read(self.folder + "/" + name, CERTIFICATE_BYTES_MAX)
