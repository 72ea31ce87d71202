"""Runs on the emulated board: one round over its second UART, printed as one line of JSON.

The ROM image holds /rom/profiles and /rom/devices.json: [[unit, profile, [quantity, ..]], ..].
"""

import asyncio
import json

from serial_port import UartSerialPort
from wattle_meter import profile, read_plan
from wattle_meter.bus import Bus
from wattle_meter.line import Line
from wattle_meter.metering import Device, Metering
from wattle_meter.ticks import TickClock

INTERVAL_MS = 10000  # a slot holds the whole time-out: a busy host is no slow device


async def _read() -> None:
    with open("/rom/devices.json") as file:
        rows = json.load(file)
    clock = TickClock()
    line = Line()
    bus = Bus(UartSerialPort(), line, clock)
    devices = []
    plans = []
    for number, (unit, name, quantities) in enumerate(rows, 1):
        found, _ = profile.load("/rom/profiles/" + name + ".json")
        plans.append((found, read_plan.plan_reads(found, quantities)))
        devices.append(Device(number, unit, found, plans[-1][1]))
    slots, _ = read_plan.plan_round(plans, line, INTERVAL_MS)
    for slot in slots:
        slot.start_ms = 0  # one read right behind the other: nobody waits for a test
    readings = await Metering(bus, devices, slots, 0, clock).read_round(1700000000000, 0)
    print(json.dumps([[reading.status, reading.values] for reading in readings]))
    print(json.dumps(bus.counts))


def main() -> None:
    asyncio.run(_read())
