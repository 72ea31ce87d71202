"""A board that takes updates, in memory: slots whose writes can fail at any one, members' keys.

Written for CPython and MicroPython alike, as meter_fakes.
"""

import asyncio
import hashlib

import boot_choice
from wattle_meter.board import Board
from wattle_meter.slots import PIECE_BYTES, Slots
from wattle_meter.updating import Updater
from wattle_meter.version import Versions
from wattle_wire import bundle, cose, p256, update

from wattle_testkit.meter_fakes import FakeStore, LoopClock, PowerCut

LEDGER = bytes(range(16))
PRIVATES = [hashlib.sha256(b"update member %d" % number).digest() for number in range(3)]
PUBLICS = [p256.public_from_private(private) for private in PRIVATES]


def signature(which, payload, ledger_id=LEDGER):
    """The signature of member `which` (0 .. 2)."""
    kid = cose.kid_of(PUBLICS[which])
    digest = cose.digest("update", ledger_id, kid, payload)
    raw = cose.sign1(kid, payload, p256.sign(PRIVATES[which], digest))
    return cose.parse_sign1("update", ledger_id, raw)


def made(version, files, board="linux", members=(0, 1)):
    """A bundle of `files` signed by `members`."""
    whole = bundle.make(LEDGER, version, "test", board, files)
    for which in members:
        whole = whole.with_signature(signature(which, whole.payload))
    return whole


class MemorySlots(Slots):
    """Slots in memory. `budget`: writes (begin, write, end, each one) before the power fails;
    `room`: bytes of the largest file; `flips`: what is read back differs in its last byte;
    `error`: errno that every write raises.
    """

    def __init__(self):
        self.content = {}
        self.budget = None
        self.room = 1 << 20
        self.flips = False
        self.error = None
        self._file = None

    def begin(self, slot, name, size):
        if size > self.room:
            return False
        self._spend(None, 0)
        self._file = (slot, name)
        self.content[self._file] = b""
        return True

    def write(self, data):
        self._spend(data, len(data) // 2)
        self.content[self._file] += bytes(data)

    def end(self):
        self._spend(None, 0)

    def read(self, slot, name, offset):
        data = self.content[slot, name][offset : offset + PIECE_BYTES]
        if self.flips and data:
            return data[:-1] + bytes((data[-1] ^ 1,))
        return data

    def _spend(self, data, half):
        if self.error is not None:
            raise OSError(self.error)
        if self.budget is not None:
            if not self.budget:
                if data is not None:
                    self.content[self._file] += bytes(data[:half])
                raise PowerCut
            self.budget -= 1


class CutStore(FakeStore):
    """A store whose commits are among the writes that fail with the budget of `slots`."""

    def __init__(self, slots):
        super().__init__()
        self._slots = slots

    def commit(self):
        self._slots._spend(None, 0)
        super().commit()


class UpdateBoard(Board):
    """A board of which only what an update needs is there; `logged` lists its lines."""

    def __init__(self):
        self.clock = LoopClock()
        self.slots = MemorySlots()
        self.store = CutStore(self.slots)
        self.platform = "linux, test"
        self.logged = []

    def uptime_ms(self):
        return self.clock.ticks_ms()

    def log(self, level, text):
        self.logged.append(text)

    def start(self):
        """A start of the board: the slot that its first program chose."""
        record = self.store.safe.get(boot_choice.RECORD_KEY, b"")
        slot, changed = boot_choice.choose(record)
        if changed != record:
            self.store.safe[boot_choice.RECORD_KEY] = changed
        return slot

    def updater(self):
        """The updater of the version that runs."""
        members = {cose.kid_of(public): public for public in PUBLICS[:2]}
        return Updater(self, LEDGER, members, Versions(self.store))


class Session:
    """One life of the board: its updater and the task of it; `told` counts calls of tell."""

    def __init__(self, board):
        self.board = board
        self.slot = board.start()
        self.updater = board.updater()
        self.updater.tell = self._tell
        self.task = asyncio.create_task(self.updater.run())
        self.told = 0

    def _tell(self):
        self.told += 1

    async def work(self):
        """Lets the task run until it waits for a message."""
        for _ in range(2000):
            await self.board.clock.advance(0)
            if self.task.done() or not self.updater._message:
                break
        if self.task.done():
            await self.task

    async def take(self, message):
        self.updater.take(message)
        await self.work()
        return self.updater.news

    async def receive(self, whole):
        """Plays the gateway: each chunk that is asked for, until the board asks no more."""
        news = await self.take(whole.message())
        chunks = whole.chunks()
        for _ in range(2 * len(chunks)):
            if self.updater.restart.is_set() or news[1] != update.RECEIVING:
                break
            news = await self.take(chunks[news[2] // update.CHUNK_BYTES_MAX])
        return news

    def end(self):
        self.task.cancel()


def run(make):
    """Runs `make(board)` to its end in an event loop of its own."""
    return asyncio.run(make(UpdateBoard()))
