"""Runs on MicroPython: reads one device over a real serial line, a round per line of stdin.

    read_line.py PATH UNIT TIMEOUT_MS
Each round's status, values and bus counters are printed as one line of JSON.
"""

import asyncio
import json
import sys

from serial_port import PosixSerialPort
from wattle_meter.bus import Bus
from wattle_meter.line import Line
from wattle_meter.metering import Device, Metering
from wattle_meter.profile import Profile
from wattle_meter.read_plan import plan_reads, plan_round
from wattle_meter.register import Register
from wattle_meter.ticks import TickClock

INTERVAL_MS = 1000


def two_registers(timeout_ms):
    profile = Profile()
    profile.name = "two"
    profile.function = 4
    profile.low_first = False
    profile.registers_per_read = 80
    profile.answer_ms = timeout_ms // 10
    profile.answer_timeout_ms = timeout_ms
    profile.pause_ms = 0
    profile.readable = []
    profile.registers = {"u": Register(0, "float32", 1), "ei": Register(0x48, "float32", 3)}
    return profile


async def main(path, unit, timeout_ms):
    clock = TickClock()
    line = Line(9600, "E", 1)
    bus = Bus(PosixSerialPort(path, line), line, clock)
    profile = two_registers(timeout_ms)
    reads = plan_reads(profile, ["u", "ei"])
    slots, _ = plan_round([(profile, reads)], line, INTERVAL_MS)
    metering = Metering(bus, [Device(1, unit, profile, reads)], slots, 0, clock)
    while sys.stdin.readline():
        begun = clock.ticks_ms()
        (reading,) = await metering.read_round(1700000000000, 0)
        took_ms = clock.ticks_ms() - begun
        row = {"status": reading.status, "values": reading.values, "counts": bus.counts}
        row["took_ms"] = took_ms
        print(json.dumps(row))


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
