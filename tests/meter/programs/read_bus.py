"""Runs on MicroPython: reads several devices over a real serial line, a round per line of stdin,
which says its time in Unix ms.

    read_bus.py PATH PROFILES UNIT:PROFILE:QUANTITY,QUANTITY ...
Each round's readings, by unit, and what was counted are printed as one line of JSON.
"""

import asyncio
import json
import sys

from serial_port import PosixSerialPort
from wattle_meter import profile, read_plan
from wattle_meter.bus import Bus
from wattle_meter.line import Line
from wattle_meter.metering import Device, Metering
from wattle_meter.ticks import TickClock

# Long: a slot holds the whole time-out, and a busy host is no slow device.
INTERVAL_MS = 20000


async def main(path, profiles, rows):
    clock = TickClock()
    line = Line()
    bus = Bus(PosixSerialPort(path, line), line, clock)
    devices = []
    plans = []
    for number, row in enumerate(rows, 1):
        unit, name, quantities = row.split(":")
        found, _ = profile.load(profiles + "/" + name + ".json")
        reads = read_plan.plan_reads(found, quantities.split(","))
        plans.append((found, reads))
        devices.append(Device(number, int(unit), found, reads))
    slots, _ = read_plan.plan_round(plans, line, INTERVAL_MS)
    for slot in slots:
        slot.start_ms = 0  # one read right behind the other: nobody waits for a test
    metering = Metering(bus, devices, slots, 0, clock)
    while True:
        slot_ms = sys.stdin.readline()
        if not slot_ms:
            break
        readings = await metering.read_round(int(slot_ms), 0)
        print(
            json.dumps(
                {
                    "bus": bus.counts,
                    "readings": {
                        str(device.unit): [
                            readings[at].status,
                            readings[at].values,
                            device.figures(),
                        ]
                        for at, device in enumerate(devices)
                    },
                }
            )
        )


asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
