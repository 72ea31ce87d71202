"""Reads the devices at each slot of the grid and keeps the readings until they are signed.

Reading and signing are separate tasks: a board needs a tenth of a second for a signature, and
the next slot does not wait. When signing falls behind, readings of several slots share a sample;
so do those that nobody could receive now, because ten readings in one sample take a quarter of the
flash that ten samples do.
"""

import asyncio

from wattle_wire.quantity import OTHER_ERROR
from wattle_wire.sample import READINGS_MAX, SAMPLE_BYTES_MAX, Reading

from wattle_meter.board import Board
from wattle_meter.clock import WallClock
from wattle_meter.grid import Grid
from wattle_meter.metering import Metering

# Values that wait for a signature; one takes about 40 bytes of heap. When they are that many,
# reading pauses and the slots passed over are reported as unread.
WAITING_VALUES_MAX = 512
# What readings may take of a sample's 16,384 bytes: the rest holds the meter's own records (gaps,
# digests) and the envelope, 700 bytes at most.
READINGS_BYTES_MAX = SAMPLE_BYTES_MAX - 1024
# Upper bounds of what one reading and one value take in a sample (SPEC section 5).
_READING_BYTES = 48
_VALUE_BYTES = 28
# While there is no link, slots share a sample: as many as hold this many readings, but none that
# is older than this, which is what a power cut then takes from memory.
GATHER_READINGS = 10
GATHER_MS = 10000
# Values that are enough for a sample, so that encoding it fits a board's heap.
GATHER_VALUES = 128
# The wall clock may be set while we wait for a slot of a long interval.
SLEEP_MS_MAX = 1000
# How often is looked for room while reading pauses.
_FULL_LOOK_MS = 100


class Sampling:
    """Rounds of readings, oldest first. One task runs run(), another take() again and again.

    `numbers`: those of the devices. `counts`: rounds read, readings that failed, slots that
    passed unread and those of them that could not even be reported. `got_on_at`: tick at which
    it last looked for a slot with room for what it would read; `reads`: whether the last round had
    only good readings.
    """

    def __init__(
        self, board: Board, grid: Grid, metering: Metering, numbers: list[int], wall: WallClock
    ) -> None:
        self._board = board
        self._grid = grid
        self._metering = metering
        self._numbers = numbers
        self._wall = wall
        self._rounds: list[tuple[str, list[Reading]]] = []  # clock state while it was read
        self._waiting = 0
        self._changed = asyncio.Event()
        rounds = min(GATHER_READINGS // len(numbers), GATHER_MS // grid.interval_ms)
        self._enough_readings = max(1, rounds) * len(numbers)
        self._gathers = False
        self._most = READINGS_MAX  # in one sample; less while the heap has no room for one
        self.got_on_at = board.clock.ticks_ms()
        self.reads = False
        self.counts = {"failed_readings": 0, "missed_slots": 0, "rounds": 0, "unreported": 0}

    def clock_set(self, jump_ms: int) -> None:
        """The wall clock jumped: slots that it jumped over did not pass unread."""
        if abs(jump_ms) >= self._grid.interval_ms:
            self._grid.clock_was_set()

    def gather(self, on: bool) -> None:
        """Whether readings may wait for others to share a sample with: while there is no link."""
        self._gathers = on
        if not on:
            self._changed.set()

    def finish(self) -> None:
        """No more will be read: what is there waits for nothing."""
        self._enough_readings = 1
        self._changed.set()

    def is_empty(self) -> bool:
        """Whether no reading waits."""
        return not self._rounds

    def is_ready(self) -> bool:
        """Whether there is enough for a sample: anything, or while readings gather, a whole one."""
        if not self._gathers or self._waiting >= GATHER_VALUES:
            return bool(self._rounds)
        return sum([len(readings) for _, readings in self._rounds]) >= self._enough_readings

    async def run(self) -> None:
        """Reads at each slot, for ever."""
        while True:
            wait_ms = await self.step()
            await self._metering.idle(self._board.clock.ticks_ms() + min(wait_ms, SLEEP_MS_MAX))

    async def step(self) -> int:
        """Reads the slot that has begun, if any; gives the real ms until the next look."""
        if self._waiting >= WAITING_VALUES_MAX:
            return _FULL_LOOK_MS
        self.got_on_at = self._board.clock.ticks_ms()
        uptime_ms = self._board.uptime_ms()
        now_ms = self._wall.now_ms(uptime_ms)
        slot_ms, wait_ms, missed, more = self._grid.next(now_ms)
        self.counts["missed_slots"] += len(missed) + more
        self.counts["unreported"] += more
        state = self._wall.state(uptime_ms)
        for passed_ms in missed:
            self._report_missed(state, passed_ms)
        if slot_ms is None:
            return -(-wait_ms // self._board.speed)
        late_ms = (now_ms - slot_ms) // self._board.speed
        readings = await self._metering.read_round(slot_ms, late_ms)
        self.counts["rounds"] += 1
        self.reads = True
        for reading in readings:
            if reading.status != "G":
                self.counts["failed_readings"] += 1
                self.reads = False
        self._put(state, readings)
        return 0

    async def take(self) -> tuple[str, list[Reading]]:
        """Waits for readings; gives (clock state, readings) for one sample, in its order.

        As many rounds as one sample holds; a round that is larger is shared out.
        """
        while not self.is_ready():
            self._changed.clear()
            await self._changed.wait()
        state = self._rounds[0][0]
        taken: list[Reading] = []
        room = READINGS_BYTES_MAX
        while self._rounds and self._rounds[0][0] == state:
            readings = self._rounds[0][1]
            if taken and readings[0].time_ms <= taken[-1].time_ms:
                break  # the clock was set back: a sample's times rise
            while readings and len(taken) < self._most and room >= _reading_bytes(readings[0]):
                room -= _reading_bytes(readings[0])
                taken.append(readings.pop(0))
            if readings:
                break
            self._rounds.pop(0)
        self._waiting -= _values(taken)
        return state, taken

    def give_back(self, state: str, readings: list[Reading]) -> None:
        """Takes back what could not be signed; it comes first at the next take()."""
        self._rounds = [(state, readings)] + self._rounds
        self._waiting += _values(readings)

    def no_room(self, state: str, readings: list[Reading]) -> None:
        """As give_back, where the heap had no room for their sample: the next one is of half."""
        self._most = max(1, len(readings) // 2)
        self.give_back(state, readings)

    def signed(self) -> None:
        """A sample was: the next one may have a reading more again."""
        self._most = min(READINGS_MAX, self._most + 1)

    def _report_missed(self, state: str, slot_ms: int) -> None:
        if self._waiting >= WAITING_VALUES_MAX:
            self.counts["unreported"] += 1
            return
        self._put(state, [Reading(number, slot_ms, OTHER_ERROR, {}) for number in self._numbers])

    def _put(self, state: str, readings: list[Reading]) -> None:
        self._rounds.append((state, readings))
        self._waiting += _values(readings)
        self._changed.set()


def _reading_bytes(reading: Reading) -> int:
    return _READING_BYTES + _VALUE_BYTES * len(reading.values)


def _values(readings: list[Reading]) -> int:
    """How many values they hold; one without values counts as one."""
    count = 0
    for reading in readings:
        count += max(1, len(reading.values))
    return count
