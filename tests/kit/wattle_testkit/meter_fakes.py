"""Fakes of what a board provides, in memory and on a clock of their own.

Written for CPython and MicroPython alike: the same cases run on both. Nothing here ever waits:
a sleep moves the fake clock, so a coroutine over fakes runs to its end in one step.
"""

import asyncio
import io

from wattle_meter.board import Clock, Files, Random, SerialPort, Store, Stream
from wattle_meter.modbus import crc16


def run(coroutine):
    """The result of a coroutine that waits for nothing but fakes."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("waits for something that is no fake")


class FakeClock(Clock):
    """A clock that stands still until someone sleeps on it."""

    def __init__(self, now_ms=0):
        self.now_ms = now_ms

    def ticks_ms(self):
        return self.now_ms

    async def sleep_ms(self, ms):
        assert ms >= 0
        self.now_ms += ms


class ScriptedPort(SerialPort):
    """A line whose other end is a function.

    `answer(request, now_ms)` returns a list of (delay in ms, bytes): what arrives later.
    `sent` lists (time, request). While `lost` is set every call raises OSError.
    """

    def __init__(self, clock, answer):
        self._clock = clock
        self._answer = answer
        self._coming = []
        self.sent = []
        self.lost = False

    def inject(self, at_ms, data):
        """Lets `data` arrive at `at_ms` without having been asked for."""
        self._coming.append((at_ms, data))
        self._coming.sort()

    def write(self, data):
        self._check()
        now_ms = self._clock.ticks_ms()
        self.sent.append((now_ms, bytes(data)))
        for delay_ms, piece in self._answer(bytes(data), now_ms):
            self.inject(now_ms + delay_ms, piece)

    def read_available(self):
        self._check()
        taken = b""
        while self._coming and self._coming[0][0] <= self._clock.ticks_ms():
            taken += self._coming.pop(0)[1]
        return taken

    async def wait_readable(self, timeout_ms):
        self._check()
        wait_ms = self._coming[0][0] - self._clock.ticks_ms() if self._coming else timeout_ms + 1
        await self._clock.sleep_ms(max(0, min(wait_ms, timeout_ms)))
        return wait_ms <= timeout_ms

    def _check(self):
        if self.lost:
            raise OSError(5, "line lost")


class FakeSlave:
    """Metering devices on one line: `registers` maps (unit, address) to a word.

    `delays` maps a unit to the ms after which it answers (default 5; None: never). A register
    that is not there is refused with exception 2.
    """

    def __init__(self, registers):
        self.registers = registers
        self.delays = {}

    def set_words(self, unit, address, words):
        for offset in range(len(words)):
            self.registers[unit, address + offset] = words[offset]

    def answer(self, request, now_ms):
        delay_ms = self.delays.get(request[0], 5)
        if delay_ms is None or not any(unit == request[0] for unit, _ in self.registers):
            return []
        return [(delay_ms, self.frame(request))]

    def frame(self, request):
        unit, function = request[0], request[1]
        address = request[2] << 8 | request[3]
        body = bytes((unit, function, 2 * request[5]))
        for at in range(address, address + request[5]):
            word = self.registers.get((unit, at))
            if word is None:
                return with_crc(bytes((unit, function | 0x80, 2)))
            body += bytes((word >> 8, word & 255))
        return with_crc(body)


def with_crc(body):
    """`body` as a Modbus RTU frame."""
    crc = crc16(body)
    return body + bytes((crc & 255, crc >> 8))


class FakeStore(Store):
    """A store that keeps only what was committed when `cut` is called."""

    def __init__(self):
        self.safe = {}
        self._set = {}
        self.commits = 0

    def get(self, key):
        return self._set.get(key, self.safe.get(key))

    def set(self, key, value):
        assert len(key) <= 15
        assert len(value) <= 512
        self._set[key] = bytes(value)

    def commit(self):
        self.commits += 1
        self.safe.update(self._set)
        self._set = {}

    def cut(self):
        """The power fails: what was not committed is gone."""
        self._set = {}


class PowerCut(Exception):  # noqa: N818 - an event, not an error of the code under test
    """The power failed in the middle of a write."""


class MemoryFiles(Files):
    """Files in memory. `budget`: bytes that may still be written before the power fails (None:
    for ever); the bytes of the append in which it fails are there up to that one.
    `error`: errno that every further append raises after writing half of its bytes (None: none).
    """

    def __init__(self):
        self.content = {}
        self.budget = None
        self.error = None
        self.written = 0
        self.appends = []

    def names(self):
        return list(self.content)

    def open(self, name):
        if name not in self.content:
            raise OSError(2, name)
        return io.BytesIO(bytes(self.content[name]))

    def append(self, name, pieces):
        data = b"".join(pieces)
        if self.error is not None:
            self.content[name] = self.content.get(name, b"") + data[: len(data) // 2]
            raise OSError(self.error, name)
        if self.budget is not None and self.budget < len(data):
            self.content[name] = self.content.get(name, b"") + data[: self.budget]
            raise PowerCut
        if self.budget is not None:
            self.budget -= len(data)
        self.content[name] = self.content.get(name, b"") + data
        self.appends.append(len(data))
        self.written += len(data)

    def remove(self, name):
        if name not in self.content:
            raise OSError(2, name)
        del self.content[name]


class ExtremeRandom(Random):
    """Waiting times at their limits: always the greatest, or always the least."""

    def __init__(self, greatest):
        self._greatest = greatest

    def below(self, limit):
        return limit - 1 if self._greatest else 0


class LoopClock(Clock):
    """A clock for tasks of an event loop: it moves when `advance` says so."""

    def __init__(self):
        self.now_ms = 1000
        self._sleepers = []  # [due, order, event]
        self._order = 0

    def ticks_ms(self):
        return self.now_ms

    async def sleep_ms(self, ms):
        event = asyncio.Event()
        self._order += 1
        self._sleepers.append((self.now_ms + ms, self._order, event))
        await event.wait()

    async def advance(self, ms):
        """Lets `ms` pass, waking each sleeper in its time, and all tasks run."""
        until = self.now_ms + ms
        await settle()
        while True:
            due = sorted(sleeper[:2] for sleeper in self._sleepers if sleeper[0] <= until)
            if not due:
                break
            for sleeper in self._sleepers[:]:
                if sleeper[:2] == due[0]:
                    self._sleepers.remove(sleeper)
                    self.now_ms = max(self.now_ms, sleeper[0])
                    sleeper[2].set()
            await settle()
        self.now_ms = until
        await settle()


async def settle():
    """Lets every task run as far as it can without time or bytes."""
    for _ in range(30):
        await asyncio.sleep(0)


class FakeStream(Stream):
    """One end of a connection; the test is the other end.

    `written` lists what each write() was given. `feed` and `finish` let bytes, or the end of the
    stream, arrive. While `hangs` is set, a write never ends.
    """

    def __init__(self, on_write=None):
        self.written = []
        self.hangs = False
        self.closed = False
        self._on_write = on_write
        self._coming = b""
        self._finished = False
        self._arrived = asyncio.Event()

    def feed(self, data):
        self._coming += data
        self._arrived.set()

    def finish(self):
        self._finished = True
        self._arrived.set()

    async def read(self, limit):
        while not self._coming and not self._finished:
            self._arrived.clear()
            await self._arrived.wait()
        data, self._coming = self._coming[:limit], self._coming[limit:]
        return data

    async def write(self, data):
        if self._finished:
            raise OSError(104, "connection reset")
        self.written.append(bytes(data))
        if self.hangs:
            await asyncio.Event().wait()
        if self._on_write is not None:
            self._on_write(self, bytes(data))

    async def close(self):
        self.closed = True
