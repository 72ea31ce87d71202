"""Rounds over several devices: one Reading each, never an old value, nobody waits for the dead."""

from wattle_meter.bus import LATE_ANSWER_MS, Bus
from wattle_meter.line import Line
from wattle_meter.metering import ASK_ANYWAY_ROUNDS, Device, Metering
from wattle_meter.profile import Profile
from wattle_meter.read_plan import plan_reads
from wattle_testkit.meter_fakes import FakeClock, FakeSlave, ScriptedPort, run, with_crc

SLOT_MS = 1700000000000
TIMEOUT_MS = 200
PAUSE_MS = 100
SILENT_MS = 9 + TIMEOUT_MS  # request on the line, then the time-out
VOLTS = [0x4366, 0x3334]  # 230.2 V
KWH = [0x3F80, 0x0000]  # 1 kWh
NAN = [0x7FC0, 0x0000]


def two_registers():
    profile = Profile()
    profile.name = "test"
    profile.function = 4
    profile.low_first = False
    profile.registers_per_read = 80
    profile.answer_ms = 5
    profile.answer_timeout_ms = TIMEOUT_MS
    profile.pause_ms = PAUSE_MS
    profile.readable = []
    profile.registers = {"u": (0, "float32", 1), "ei": (0x48, "float32", 3)}
    return profile


class Bench:
    """`units` devices, number and unit alike, each with a voltage and an energy register."""

    def __init__(self, units=1):
        self.clock = FakeClock(50000)
        self.slave = FakeSlave({})
        self.port = ScriptedPort(self.clock, self.slave.answer)
        self.bus = Bus(self.port, Line(), self.clock)
        self.devices = []
        profile = two_registers()
        for unit in range(1, units + 1):
            self.slave.set_words(unit, 0, VOLTS)
            self.slave.set_words(unit, 0x48, KWH)
            self.devices.append(Device(unit, unit, profile, plan_reads(profile, ["u", "ei"])))
        self.metering = Metering(self.bus, self.devices, self.clock)

    def round(self, budget_ms=1000):
        """Readings of one round; then the clock stands at the next full second."""
        readings = run(self.metering.read_round(SLOT_MS, budget_ms))
        self.took_ms = self.clock.now_ms % 1000
        self.clock.now_ms += 1000 - self.took_ms
        return readings

    def asked(self):
        """(unit, address) of every request so far; forgets them."""
        result = [(request[0], request[3]) for _, request in self.port.sent]
        self.port.sent.clear()
        return result


def test_values_of_a_sound_device():
    (reading,) = Bench().round()
    assert (reading.device, reading.time_ms, reading.status) == (1, SLOT_MS, "G")
    assert reading.values == {"u": 2302, "ei": 1000}


def test_devices_take_turns_so_that_pauses_overlap():
    bench = Bench(3)
    readings = bench.round()
    assert [reading.device for reading in readings] == [1, 2, 3]
    assert bench.asked() == [(1, 0x48), (2, 0x48), (3, 0x48), (1, 0), (2, 0), (3, 0)]
    assert bench.took_ms < 2 * PAUSE_MS


def test_no_number_is_out_of_range():
    bench = Bench()
    bench.slave.set_words(1, 0, NAN)
    (reading,) = bench.round()
    assert reading.status == "O"
    assert reading.values == {"u": "O", "ei": 1000}


def test_refused_quantity():
    bench = Bench()
    del bench.slave.registers[1, 0]
    (reading,) = bench.round()
    assert reading.status == "E"
    assert reading.values == {"u": "E", "ei": 1000}
    assert bench.devices[0].failed_reads == 1


def test_damaged_answer():
    bench = Bench()
    sound = bench.slave.answer

    def damaged(request, now_ms):
        rows = sound(request, now_ms)
        if request[3] == 0x48:
            rows = [(5, rows[0][1][:-1] + b"\0")]
        return rows

    bench.port._answer = damaged
    (reading,) = bench.round()
    assert reading.status == "F"
    assert reading.values == {"u": 2302, "ei": "F"}


def test_silent_device_is_asked_once_a_round():
    bench = Bench()
    bench.slave.delays[1] = None
    (reading,) = bench.round()
    assert reading.status == "T"
    assert reading.values == {"u": "T", "ei": "T"}
    assert bench.asked() == [(1, 0x48)]
    assert bench.took_ms == SILENT_MS


def test_device_that_falls_silent_within_a_round_keeps_what_it_gave():
    bench = Bench()
    sound = bench.slave.answer
    bench.port._answer = lambda request, now: [] if request[3] == 0 else sound(request, now)
    (reading,) = bench.round()
    assert reading.status == "T"
    assert reading.values == {"u": "T", "ei": 1000}


def test_no_frame_at_all_counts_like_silence_but_is_told_apart():
    bench = Bench()
    bench.port._answer = lambda request, now: [(5, b"\xff\xff")]
    (reading,) = bench.round()
    assert reading.status == "F"
    assert reading.values == {"u": "F", "ei": "F"}
    assert bench.asked() == [(1, 0x48)]


def test_silent_device_moves_behind_the_others_and_returns():
    bench = Bench(2)
    bench.slave.delays[1] = None
    bench.round()
    assert bench.asked()[0] == (1, 0x48)
    bench.clock.now_ms += LATE_ANSWER_MS
    readings = bench.round()
    assert [reading.status for reading in readings] == ["T", "G"]
    assert bench.asked() == [(2, 0x48), (2, 0), (1, 0x48)]
    bench.slave.delays[1] = 5
    bench.clock.now_ms += LATE_ANSWER_MS
    readings = bench.round()
    assert [reading.status for reading in readings] == ["G", "G"]
    bench.asked()
    bench.round()
    assert bench.asked() == [(1, 0x48), (2, 0x48), (1, 0), (2, 0)]


def test_silent_device_is_not_asked_while_its_old_answer_may_come():
    bench = Bench()
    bench.slave.delays[1] = SILENT_MS + 900  # answers in the next second
    bench.round()
    bench.slave.set_words(1, 0x48, [0, 0])
    (reading,) = bench.round()
    assert reading.values == {"u": "T", "ei": "T"}
    bench.slave.delays[1] = 5
    bench.asked()
    (reading,) = bench.round()
    assert reading.values == {"u": 2302, "ei": 0}
    assert bench.bus.counts["stale_bytes"] > 0


def test_many_silent_devices_never_delay_the_sound_one():
    bench = Bench(6)
    for unit in range(1, 6):
        bench.slave.delays[unit] = None
    bench.round(1000)  # finds out: the only round that costs
    asked = set()
    for _ in range(2 * ASK_ANYWAY_ROUNDS - 2):
        bench.asked()
        start_ms = bench.clock.now_ms
        readings = bench.round(600)
        assert [reading.status for reading in readings] == 5 * ["T"] + ["G"]
        assert bench.port.sent[0][1][0] == 6
        assert bench.port.sent[0][0] - start_ms <= 4
        assert bench.took_ms <= 600 + SILENT_MS
        asked.update(unit for unit, _ in bench.asked())
    assert asked == {1, 2, 3, 4, 5, 6}


def test_silent_device_returns_even_on_a_bus_that_has_no_time():
    bench = Bench(2)
    bench.slave.delays[1] = None
    bench.round()
    bench.slave.delays[1] = 5
    for _ in range(ASK_ANYWAY_ROUNDS + 1):
        readings = bench.round(0)
    assert [reading.status for reading in readings] == ["G", "G"]


def test_lost_line():
    bench = Bench(2)
    bench.port.lost = True
    readings = bench.round()
    assert [reading.status for reading in readings] == ["D", "D"]
    assert readings[0].values == {"u": "D", "ei": "D"}
    bench.port.lost = False
    assert [reading.status for reading in bench.round()] == ["G", "G"]


def test_frame_of_the_wrong_length_is_no_value():
    bench = Bench()
    bench.port._answer = lambda request, now: [(5, with_crc(bytes((1, 4, 2, 1, 2))))]
    (reading,) = bench.round()
    assert reading.values == {"u": "F", "ei": "F"}
