"""A line with metering devices and adjustable loads, with the clock in the test's hand.

Runs on MicroPython like the cases that use it.
"""

from wattle_meter import load
from wattle_meter.board import Board, Relay
from wattle_meter.bus import Bus
from wattle_meter.clock import WallClock
from wattle_meter.commands import CommandError
from wattle_meter.control import Control, Load
from wattle_meter.line import Line
from wattle_meter.metering import Device, Metering
from wattle_meter.profile import Profile
from wattle_meter.read_plan import lateness_ms, plan_reads, plan_round
from wattle_meter.register import Register
from wattle_meter.setpoint import Setpoint
from wattle_wire import downlink

from wattle_testkit.meter_fakes import FakeClock, FakeSlave, ScriptedPort, run, with_crc

T = 1700000000000
INTERVAL_MS = 1000
HOLD_MS = 60000
LOAD_UNIT = 100
REST_W = 3000
ONE = bytes(31) + b"\x01"
TWO = bytes(31) + b"\x02"
LOAD_FILE = b"""{"format": 1, "name": "test", "min_w": 0, "max_w": 5000,
 "setpoint": {"function": %d, "address": "0x0010", "type": "uint16", "factor10": 0},
 "answer_ms": 20, "answer_timeout_ms": 200, "pause_ms": 0,
 "line": {"baud": 9600, "parity": "N", "stop_bits": 1}}"""


def a_meter(answer_ms):
    profile = Profile()
    profile.name = "test"
    profile.function = 4
    profile.low_first = False
    profile.registers_per_read = 80
    profile.answer_ms = answer_ms
    profile.answer_timeout_ms = 200
    profile.pause_ms = 0
    profile.readable = []
    profile.registers = {"u": Register(0, "float32", 1), "ei": Register(0x48, "float32", 3)}
    return profile


class FakeBoard(Board):
    """A board that is fake time and a log."""

    def __init__(self):
        self.clock = FakeClock(50000)
        self.logged = []

    def uptime_ms(self):
        return self.clock.now_ms

    def log(self, level, text):
        self.logged.append(text)


class FakeRelay(Relay):
    """Remembers what it was told; raises OSError while `broken`."""

    def __init__(self):
        self.told = []
        self.broken = False

    def switch(self, on):
        if self.broken:
            raise OSError(5)
        self.told.append(on)


class Bench:
    """`units` metering devices and `loads` loads (units 100, 101, ..) on one line of 9600 Bd."""

    def __init__(self, units=2, loads=1, function=6, answer_ms=20):
        self.board = FakeBoard()
        self.clock = self.board.clock
        self.wall = WallClock(self.clock.now_ms)
        self.slave = FakeSlave({})
        self.load_delay_ms = 20
        self.refusal = 0
        self.port = ScriptedPort(self.clock, self._answer)
        self.bus = Bus(self.port, Line(), self.clock)
        kind = load.parse(LOAD_FILE % function, "test.json")
        rows = []
        for at in range(loads):
            setpoint = Setpoint(kind, 0, 5000, REST_W, self.clock.now_ms)
            unit = LOAD_UNIT + at
            rows.append(Load(at + 1, kind, setpoint, unit, None, kind.write_ms(Line())))
        self.control = Control(self.board, self.wall, self.bus, rows, HOLD_MS)
        profile = a_meter(answer_ms)
        reads = plan_reads(profile, ["u", "ei"])
        devices = []
        for unit in range(1, units + 1):
            self.slave.set_words(unit, 0, [0x4366, 0x3334])
            self.slave.set_words(unit, 0x48, [0x3F80, 0])
            self.slave.delays[unit] = answer_ms
            devices.append(Device(unit, unit, profile, reads))
        write_ms = kind.write_ms(Line()) if loads else 0
        slots, _ = plan_round([(profile, reads)] * units, Line(), INTERVAL_MS, write_ms)
        late_ms = lateness_ms(INTERVAL_MS)
        self.metering = Metering(self.bus, devices, slots, late_ms, self.clock, self.control)

    def _answer(self, request, now_ms):
        if request[0] < LOAD_UNIT:
            return self.slave.answer(request, now_ms)
        if self.load_delay_ms is None:
            return []
        if self.refusal:
            answer = with_crc(bytes((request[0], request[1] | 0x80, self.refusal)))
        else:
            answer = request if request[1] == 6 else with_crc(request[:6])
        return [(self.load_delay_ms, answer)]

    def rounds(self, count):
        """The readings of `count` rounds, one a second, and of the time between them."""
        result = []
        for _ in range(count):
            began_ms = self.clock.now_ms
            result += run(self.metering.read_round(T, 0))
            run(self.metering.idle(began_ms + INTERVAL_MS))
            assert self.clock.now_ms == began_ms + INTERVAL_MS  # the next one is in time
        return result

    def sent(self):
        """(unit, ms since the beginning of its second) of every request since the last call."""
        rows = [(request[0], at_ms % INTERVAL_MS) for at_ms, request in self.port.sent]
        self.port.sent.clear()
        return rows

    def written(self):
        """The setpoints that loads were told since the last call."""
        rows = [request for _, request in self.port.sent if request[0] >= LOAD_UNIT]
        self.port.sent.clear()
        return [(row[0], row[-4] << 8 | row[-3]) for row in rows]

    def ready(self):
        """Synchronised, and the load at rest."""
        self.wall.inform(self.clock.now_ms, T)
        self.rounds(1)
        self.sent()

    def command(self, watts, digest=ONE, number=1, valid_ms=3600000):
        until_ms = self.wall.now_ms(self.clock.now_ms) + valid_ms
        self.control.take(downlink.SETPOINT, [digest, number, watts, until_ms])

    def refused(self, *arguments):
        try:
            self.control.take(*arguments)
        except CommandError as error:
            return str(error)
        raise AssertionError("taken")
