"""Sampling in a board's heap, an hour of it or less; arguments: FOLDER PROFILE DEVICES MINUTES.

The dialect is MicroPython's. Time passes as fast as the interpreter computes: the clock, the
serial line with its device and the acks are fakes; grid, bus, metering, chain, signature and
outbox (in FOLDER) are those of the meter. Prints one line of JSON.
"""

import gc
import json

from wattle_meter import profile, read_plan
from wattle_meter.board import Board, SerialPort
from wattle_meter.bus import Bus
from wattle_meter.clock import WallClock
from wattle_meter.directory import Directory
from wattle_meter.grid import Grid
from wattle_meter.journal import Journal
from wattle_meter.keys import Pair
from wattle_meter.line import Line
from wattle_meter.metering import Device, Metering
from wattle_meter.outbox import Outbox
from wattle_meter.sampling import Sampling
from wattle_meter.signer import SoftwareSigner
from wattle_testkit.meter_fakes import FakeClock, FakeSlave, FakeStore, run
from wattle_wire.downlink import Ack

INTERVAL_MS = 1000
LINE = Line(115200)  # four devices with all their quantities fit into a second
START_MS = 1700000000000
OUTBOX_BYTES = 65536  # the smallest: so an hour of 1 MB goes around it many times
# After these minutes there is no link: ten readings share a sample, the outbox fills flash, and
# overwrites what it must.
LINK_MINUTES = 10


class FakeBoard(Board):
    """A board whose time is the fake clock's."""

    def __init__(self):
        self.clock = FakeClock()

    def uptime_ms(self):
        return self.clock.now_ms


class DevicePort(SerialPort):
    """A line on which a device answers after 20 ms, and that remembers nothing."""

    def __init__(self, clock, slave):
        self._clock = clock
        self._slave = slave
        self._answer = b""

    def write(self, data):
        self._answer = self._slave.frame(data)

    def read_available(self):
        taken, self._answer = self._answer, b""
        return taken

    async def wait_readable(self, timeout_ms):
        await self._clock.sleep_ms(20)
        return True


def meter(board, folder, profile_path, count):
    """(sampling, journal) of a meter with `count` devices that answer whatever they are asked."""
    found, _ = profile.load(profile_path)
    reads = read_plan.plan_reads(found, sorted(found.registers))
    slave = FakeSlave({})
    numbers = list(range(1, count + 1))
    for number in numbers:
        for read in reads:
            slave.set_words(number, read.address, [0x4366, 0x3334] * ((read.count + 1) // 2))
    bus = Bus(DevicePort(board.clock, slave), LINE, board.clock)
    slots, _ = read_plan.plan_round([(found, reads)] * count, LINE, INTERVAL_MS)
    devices = [Device(number, number, found, reads) for number in numbers]
    late_ms = read_plan.lateness_ms(INTERVAL_MS)
    metering = Metering(bus, devices, slots, late_ms, board.clock)
    wall = WallClock(board.uptime_ms())
    wall.inform(board.uptime_ms(), START_MS)
    sampling = Sampling(board, Grid(INTERVAL_MS), metering, numbers, wall)
    signer = SoftwareSigner(Pair(bytes(31) + b"\x05"))
    outbox = Outbox(Directory(folder), OUTBOX_BYTES)
    return sampling, Journal(bytes(8), bytes(16), signer, FakeStore(), outbox)


def one_minute(board, sampling, journal, acked):
    """Reads, signs and keeps what one minute brings; gives the highest heap use seen."""
    highest = 0
    sampling.gather(not acked)
    until_ms = board.clock.now_ms + 60000
    while board.clock.now_ms < until_ms:
        wait_ms = run(sampling.step())
        if wait_ms:
            board.clock.now_ms += wait_ms
            continue
        if not sampling.is_ready():
            continue
        state, readings = run(sampling.take())
        seq = run(journal.record(readings, state, board.clock, acked))
        journal.service(board.clock.now_ms, acked)
        if acked:
            journal.acked(Ack(seq, seq, [], [], seq, bytes(32)))
        highest = max(highest, gc.mem_alloc())
    return highest


def main(arguments):
    """Runs the hour; gives the exit code."""
    folder, profile_path, count, minutes = arguments
    board = FakeBoard()
    sampling, journal = meter(board, folder, profile_path, int(count))
    used = []
    highest = 0
    for minute in range(int(minutes)):
        acked = minute < LINK_MINUTES
        highest = max(highest, one_minute(board, sampling, journal, acked))
        gc.collect()
        used.append(gc.mem_alloc())
    counts = journal.counts()
    print(
        json.dumps(
            {
                "samples": journal.newest,
                "waiting_rounds": len(sampling._rounds),
                "rounds": sampling.counts["rounds"],
                "failed_readings": sampling.counts["failed_readings"],
                "missed_slots": sampling.counts["missed_slots"],
                "dropped": counts["dropped"],
                "flash_bytes": counts["outbox_flash_bytes"],
                "heap_bytes": gc.mem_alloc() + gc.mem_free(),
                "peak_bytes": highest,
                "used_each_minute": used,
            }
        )
    )
    return 0
