"""Rounds over several devices: one Reading each, never an old value, nobody waits for the dead."""

from wattle_meter import modbus
from wattle_meter.bus import LATE_ANSWER_MS, Bus
from wattle_meter.line import Line
from wattle_meter.metering import Device, Metering
from wattle_meter.profile import Profile
from wattle_meter.read_plan import lateness_ms, plan_reads, plan_round
from wattle_meter.register import Register
from wattle_testkit.meter_fakes import FakeClock, FakeSlave, ScriptedPort, run, with_crc

SLOT_MS = 1700000000000
TIMEOUT_MS = 200
PAUSE_MS = 100
INTERVAL_MS = 1000
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
    profile.registers = {
        "u": Register(0, "float32", 1),
        "ei": Register(0x48, "float32", 3, None, None, 1),
    }
    return profile


class Bench:
    """`units` devices, number and unit alike, each with a voltage and an energy register."""

    def __init__(self, units=1, profile=None, quantities=("u", "ei")):
        self.clock = FakeClock(50000)
        self.slave = FakeSlave({})
        self.port = ScriptedPort(self.clock, self.slave.answer)
        self.bus = Bus(self.port, Line(), self.clock)
        self.devices = []
        profile = profile or two_registers()
        reads = plan_reads(profile, list(quantities))
        for unit in range(1, units + 1):
            self.slave.set_words(unit, 0, VOLTS)
            self.slave.set_words(unit, 0x48, KWH)
            self.devices.append(Device(unit, unit, profile, reads))
        slots, _ = plan_round([(profile, reads)] * units, Line(), INTERVAL_MS)
        late_ms = lateness_ms(INTERVAL_MS)
        self.metering = Metering(self.bus, self.devices, slots, late_ms, self.clock)

    def round(self):
        """Readings of one round; then the clock stands at the next full second."""
        self.began_ms = self.clock.now_ms // INTERVAL_MS * INTERVAL_MS
        readings = run(self.metering.read_round(SLOT_MS, self.clock.now_ms - self.began_ms))
        self.took_ms = self.clock.now_ms - self.began_ms
        self.clock.now_ms = max(self.clock.now_ms, self.began_ms + INTERVAL_MS)
        return readings

    def speak(self, unit, rows):
        """Unit `unit` answers with `rows(request, sound answer rows)` instead."""
        sound = self.slave.answer

        def answer(request, now_ms):
            found = sound(request, now_ms)
            return rows(request, found) if request[0] == unit else found

        self.port._answer = answer

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
    assert bench.took_ms < INTERVAL_MS // 2


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
    assert bench.devices[0].failures == {"exception": 1}
    assert bench.devices[0].figures() == {"exception": 1}


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


def test_silent_device_is_asked_again_in_its_own_slot_and_returns():
    bench = Bench(2)
    bench.slave.delays[1] = None
    for _ in range(4):
        assert [reading.status for reading in bench.round()] == ["T", "G"]
    assert bench.asked().count((1, 0x48)) == 2  # not while an old answer may come
    bench.slave.delays[1] = 5
    bench.clock.now_ms += LATE_ANSWER_MS
    assert [reading.status for reading in bench.round()] == ["G", "G"]


def no_answer(request, sound):
    return []


def slow_answer(request, sound):
    return [(TIMEOUT_MS - 20, sound[0][1])]


def late_answer(request, sound):
    return [(TIMEOUT_MS + 60, sound[0][1])]


def lie(request, sound):
    return [(5, with_crc(bytes((9,)) + sound[0][1][1:-2]))]


def damage(request, sound):
    return [(5, sound[0][1][:-1] + b"\x00")]


def babble(request, sound):
    return [(at, b"\x55\xaa") for at in range(0, 120, 2)]


def refuse(request, sound):
    return [(5, with_crc(bytes((request[0], request[1] | 0x80, 6))))]


def ask_others(request, sound):
    return [(5, modbus.read_request(request[0], 4, 0x10, 2)), (20, sound[0][1])]


def test_no_device_delays_another_beyond_its_own_slot():
    for misbehave in (no_answer, slow_answer, late_answer, lie, damage, babble, refuse, ask_others):
        for units in (2, 5):
            bench = Bench(units)
            times = {unit: [] for unit in range(2, units + 1)}
            for number in range(12):
                if number == 4:
                    bench.speak(1, misbehave)
                readings = bench.round()
                assert [reading.status for reading in readings[1:]] == ["G"] * (units - 1)
                for at_ms, request in bench.port.sent:
                    if request[0] != 1 and request[3] == 0x48:
                        times[request[0]].append(at_ms)
                bench.port.sent.clear()
            for begun in times.values():
                periods = [after - before for before, after in zip(begun, begun[1:])]
                assert len(periods) == 11
                worst = max(abs(period - INTERVAL_MS) for period in periods)
                assert worst <= INTERVAL_MS // 10, (misbehave.__name__, units, periods)


def test_many_that_fail_at_once_do_not_delay_the_sound_one():
    bench = Bench(5)
    begun = []
    for number in range(10):
        if number == 3:
            for unit in range(1, 5):
                bench.slave.delays[unit] = None
        assert bench.round()[4].status == "G"
        begun += [at_ms for at_ms, request in bench.port.sent if request[0] == 5]
        bench.port.sent.clear()
    periods = [after - before for before, after in zip(begun, begun[2:])]
    assert max(periods) - min(periods) <= INTERVAL_MS // 10


def test_each_failure_has_its_reason():
    for misbehave, reason, letter in (
        (no_answer, "timeout", "T"),
        (late_answer, "timeout", "T"),
        (lie, "frame", "F"),
        (damage, "crc", "F"),
        (babble, "frame", "F"),
        (refuse, "exception", "E"),
        (ask_others, "foreign", "F"),
    ):
        bench = Bench()
        bench.speak(1, misbehave)
        (reading,) = bench.round()
        assert reading.status == letter, misbehave.__name__
        assert set(reading.values.values()) == {letter}
        assert set(bench.devices[0].failures) == {reason}, misbehave.__name__
        assert bench.bus.counts[reason] >= 1


def test_a_late_round_catches_up_and_leaves_the_next_alone():
    bench = Bench(2)
    bench.clock.now_ms += 400
    assert [reading.status for reading in bench.round()] == ["G", "G"]
    assert bench.took_ms < INTERVAL_MS
    bench.port.sent.clear()
    bench.round()
    assert bench.port.sent[0][0] == bench.began_ms


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


def with_energy(bench, watt_hours):
    """A round in which device 1 shows so many kWh / 1000."""
    words = {0: [0, 0], 10: [0x3C23, 0xD70A], 990: [0x3F7D, 0x70A4], 400: [0x3ECC, 0xCCCD]}
    bench.slave.set_words(1, 0x48, words[watt_hours])
    (reading,) = bench.round()
    assert reading.values["ei"] == watt_hours
    return reading.status


def test_a_counter_that_rolls_over_is_marked_once():
    bench = Bench()
    assert [with_energy(bench, wh) for wh in (990, 990, 10, 10)] == ["G", "G", "O", "G"]
    assert bench.devices[0].figures() == {"rollovers": 1}


def test_a_fallen_counter_outranks_a_failed_quantity():
    bench = Bench()
    with_energy(bench, 400)
    bench.slave.set_words(1, 0, NAN)
    assert with_energy(bench, 10) == "X"
    assert with_energy(bench, 10) == "O"


# ---- SunSpec


def sunspec_profile():
    profile = two_registers()
    profile.function = 3
    profile.models = [203]
    profile.bases = [40000, 0]
    profile.readable = [(0, 40)]
    profile.registers = {
        "u": Register(8, "int16", 1, 15, 0x8000),
        "u2": Register(9, "int16", 1, 15, 0x8000),
    }
    return profile


def sunspec_bench(base, models):
    """A device whose map begins at `base` with `models` [(number, length)]."""
    bench = Bench(2, sunspec_profile(), ("u", "u2"))
    bench.slave.registers.clear()
    bench.slave.set_words(2, 0, [0])
    place_models(bench, base, models)
    return bench


def place_models(bench, base, models):
    bench.slave.set_words(1, base, [0x5375, 0x6E53])
    base += 2
    for number, length in models:
        bench.slave.set_words(1, base, [number, length] + [0] * (length if length < 200 else 0))
        bench.slave.set_words(1, base + 8, [2304, 0x8000])
        bench.slave.set_words(1, base + 15, [0xFFFF])
        base += 2 + length


def statuses(bench, rounds):
    result = []
    for _ in range(rounds):
        bench.clock.now_ms += LATE_ANSWER_MS
        result.append(bench.round()[0].status)
    return result


def test_a_model_is_found_behind_others_one_step_a_round():
    bench = sunspec_bench(40000, [(1, 66), (103, 50), (203, 105)])
    assert statuses(bench, 4) == ["R", "R", "R", "N"]
    assert bench.devices[0].discovery.base == 40002 + 68 + 52
    assert bench.round()[0].values == {"u": 2304, "u2": "N"}


def test_a_long_interval_has_time_for_the_whole_search():
    bench = sunspec_bench(0, [(1, 66), (203, 105), (0xFFFF, 0)])
    for slot in bench.metering._slots:
        slot.start_ms, slot.end_ms = 10000 * slot.index, 10000 * slot.index + 9000
    assert statuses(bench, 2) == ["R", "N"]
    bench.slave.registers.clear()
    bench.slave.set_words(1, 5, [0])
    assert statuses(bench, 3) == ["E", "R", "R"]
    assert bench.devices[0].discovery.rounds == 2


def test_a_model_is_found_at_the_second_base():
    bench = sunspec_bench(0, [(1, 66), (203, 105), (0xFFFF, 0)])
    assert statuses(bench, 4) == ["R", "R", "R", "N"]
    assert bench.devices[0].discovery.base == 70


def test_a_device_whose_blocks_moved_is_searched_again():
    bench = sunspec_bench(40000, [(203, 105)])
    assert statuses(bench, 2) == ["R", "N"]
    bench.slave.registers.clear()
    place_models(bench, 0, [(1, 66), (203, 105)])
    assert statuses(bench, 5) == ["E", "R", "R", "R", "N"]


def test_a_silent_device_is_silent_not_unknown():
    bench = sunspec_bench(40000, [(203, 105)])
    bench.slave.delays[1] = None
    assert statuses(bench, 2) == ["T", "T"]
    assert bench.devices[0].discovery.rounds == 0
