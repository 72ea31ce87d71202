"""A board whose line, network and time are the world's, and whose flash can fail or lose power.

Keys, seqs and samples stand in real files, through the classes that a Linux board uses.
"""

import asyncio
import gc
import hashlib
import os
import struct

from file_store import FileStore
from soak_world import CUT
from wattle_meter import directory
from wattle_meter.board import Board, Clock, Random, SerialPort, Stream

_SHOWN = ["heap_used", "heap_free", "restarts", "unsaved", "missed_slots", "unreported", "rounds"]
_SHOWN += ["dropped", "torn", "damaged", "write_failed", "outbox_flash_bytes", "gaps"]
_SHOWN += ["seq", "final", "samples"]


class SoakClock(Clock):
    def __init__(self, world):
        self._world = world

    def ticks_ms(self):
        return self._world.now_ms

    async def sleep_ms(self, ms):
        await asyncio.sleep_ms(ms)


class SeededRandom(Random):
    """SHA-256 over a seed and a counter."""

    def __init__(self, seed):
        self._seed = seed
        self._count = 0

    def bytes(self, count):
        result = b""
        while len(result) < count:
            self._count += 1
            result += hashlib.sha256(self._seed + struct.pack(">I", self._count)).digest()
        return result[:count]


class SoakPort(SerialPort):
    """The line: each write is told, what comes back waits here."""

    def __init__(self, world):
        self._world = world
        self._arrived = asyncio.Event()
        self._data = b""
        self._errno = 0
        world.handlers[b"s"] = self._receive
        world.handlers[b"l"] = self._lose

    def write(self, data):
        self._check()
        self._world.tell(b"S", struct.pack(">I", self._world.now_ms), data)

    def read_available(self):
        self._check()
        data, self._data = self._data, b""
        return data

    async def wait_readable(self, timeout_ms):
        self._check()
        if not self._data:
            self._arrived.clear()
            try:
                await asyncio.wait_for_ms(self._arrived.wait(), timeout_ms)
            except asyncio.TimeoutError:  # noqa: UP041 - MicroPython's is another one
                return False
        self._check()
        return True

    def _receive(self, data):
        self._data = (self._data + data)[-4096:]  # a driver's buffer is no longer
        self._arrived.set()

    def _lose(self, body):
        self._errno = body[0]
        self._data = b""
        self._arrived.set()

    def _check(self):
        if self._errno:
            raise OSError(self._errno, "line lost")


class SoakStream(Stream):
    """A connection to a broker; `number` names it in frames."""

    def __init__(self, world, number):
        self._world = world
        self._number = bytes((number,))
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()
        self._taken.set()
        self._data = b""
        self.opened = None  # None while the attempt lasts, else an errno
        self._end = None
        self._closed = False

    async def open(self):
        while self.opened is None:
            self._changed.clear()
            await self._changed.wait()
        if self.opened:
            raise OSError(self.opened)

    async def read(self, limit):
        while not self._data and self._end is None:
            self._changed.clear()
            await self._changed.wait()
        if self._data:
            data, self._data = self._data[:limit], self._data[limit:]
            return data
        if self._end:
            raise OSError(self._end)
        return b""

    async def write(self, data):
        if self._end:
            raise OSError(self._end)
        self._world.tell(b"D", self._number, data)
        await self._taken.wait()  # full buffers of a peer that reads nothing

    async def close(self):
        if not self._closed:
            self._closed = True
            self._world.tell(b"X", self._number)

    def event(self, kind, body):
        if kind == b"c":
            self.opened = body[0]
        elif kind == b"d":
            self._data += body
        elif kind == b"e":
            self._end = body[0]
            self._taken.set()
        elif kind == b"h":
            self._taken.clear()
        self._changed.set()


class SoakStore(FileStore):
    """The store of a Linux board, whose power may fail between two keys."""

    def __init__(self, path, world):
        super().__init__(path)
        self._world = world

    def commit(self):
        verdict, keys = self._world.ask(b"N", bytes((len(self._pending),)))
        if verdict and verdict != CUT:
            raise OSError(verdict)
        if verdict == CUT:
            for key in list(self._pending)[keys:]:
                del self._pending[key]
        super().commit()
        if verdict == CUT:
            self._world.cut()


class _TornFile:
    """A file that takes `room` bytes more; then the power, or the write, fails."""

    def __init__(self, file, verdict, room, world):
        self._file = file
        self._verdict = verdict
        self._room = room
        self._world = world

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()

    def write(self, piece):
        taken = bytes(piece[: self._room])
        self._room -= len(taken)
        if taken:
            self._file.write(taken)
        if len(taken) < len(piece):
            self._file.flush()
            if self._verdict == CUT:
                self._world.cut()
            raise OSError(self._verdict)

    def flush(self):
        self._file.flush()
        if self._verdict == CUT:
            self._world.cut()
        raise OSError(self._verdict)


class FaultyFlash:
    """Stands between wattle_meter.directory and the files: `open` and `os` as it uses them."""

    def __init__(self, world):
        self._world = world

    def open(self, path, mode):
        if mode != "ab":
            return open(path, mode)
        verdict, room = self._world.ask(b"F", path.rsplit("/", 1)[-1].encode())
        file = open(path, mode)  # noqa: SIM115 - the caller closes it
        return _TornFile(file, verdict, room, self._world) if verdict else file

    def remove(self, path):
        verdict, done = self._world.ask(b"R", path.rsplit("/", 1)[-1].encode())
        if verdict == CUT:
            if done:
                os.remove(path)
            self._world.cut()
        if verdict:
            raise OSError(verdict)
        os.remove(path)

    def mkdir(self, path):
        os.mkdir(path)

    def listdir(self, path):
        return os.listdir(path)


class SoakBoard(Board):
    """`rtc_offset_ms`: Unix ms of the real-time clock at tick 0, None if it has no time."""

    platform = "soak"
    watched = True
    protection = "file"
    slots = None  # no update comes

    def __init__(self, world, folder, seed, rtc_offset_ms):
        self.folder = folder
        self.clock = SoakClock(world)
        self.random = SeededRandom(seed)
        self.store = SoakStore(folder + "/nvs", world)
        self._world = world
        self._rtc_offset_ms = rtc_offset_ms
        self._stop = asyncio.Event()
        self._streams = {}
        self._number = 0
        self._fed_ms = 0
        for kind in (b"c", b"d", b"e", b"h"):
            world.handlers[kind] = self._to_stream(kind)
        world.handlers[b"q"] = lambda body: self._stop.set()
        world.handlers[b"r"] = self._set_rtc
        flash = FaultyFlash(world)
        directory.open = flash.open
        directory.os = flash

    def uptime_ms(self):
        return self._world.now_ms

    def rtc_ms(self):
        if self._rtc_offset_ms is None:
            return None
        return self._rtc_offset_ms + self._world.now_ms

    def eui64(self):
        return b"\x02\x00\x00\xff\xfe\x00\x00\x01"

    def outbox(self):
        return directory.Directory(self.folder + "/outbox")

    def serial_port(self, line, settings):
        settings.done()
        return SoakPort(self._world)

    async def connect(self, gateway, tls_key):
        gc.collect()  # as tls_stream.dial does
        self._number = self._number % 250 + 1
        stream = SoakStream(self._world, self._number)
        self._streams = {self._number: stream}
        self._world.tell(b"C", bytes((self._number,)), gateway.host.encode())
        await stream.open()
        return stream

    async def stop_requested(self):
        await self._stop.wait()

    def log(self, level, text):
        self._world.tell(b"L", bytes((level,)), text.encode())

    def status(self, counters):
        values = [counters[name] for name in _SHOWN] + [self._fed_ms]
        self._world.tell(b"H", struct.pack(">" + len(values) * "I", *values))

    def feed_watchdog(self):
        self._fed_ms = self._world.now_ms

    def _to_stream(self, kind):
        def deliver(body):
            stream = self._streams.get(body[0])
            if stream is not None:
                stream.event(kind, body[1:])

        return deliver

    def _set_rtc(self, body):
        (unix_ms,) = struct.unpack(">Q", body)
        self._rtc_offset_ms = unix_ms - self._world.now_ms if unix_ms else None
