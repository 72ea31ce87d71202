"""The Modbus master against everything that a line does: time is a fake clock throughout."""

from wattle_meter import bus as bus_module
from wattle_meter import modbus
from wattle_meter.bus import Bus, LineLostError
from wattle_meter.line import Line
from wattle_testkit.meter_fakes import FakeClock, FakeSlave, ScriptedPort, run, with_crc

TIMEOUT_MS = 200
WORDS = [0x4366, 0x3334]
ANSWER = with_crc(bytes((1, 4, 4, 0x43, 0x66, 0x33, 0x34)))


class Bench:
    """A bus at 9600 8N1 whose other end is `answer`, a slave with unit 1 by default."""

    def __init__(self, answer=None):
        self.clock = FakeClock(10000)
        self.slave = FakeSlave({})
        self.slave.set_words(1, 0, WORDS)
        self.slave.set_words(1, 12, [7, 8])
        self.slave.set_words(2, 0, [1, 2])
        self.port = ScriptedPort(self.clock, answer or self.slave.answer)
        self.bus = Bus(self.port, Line(), self.clock)

    def read(self, unit=1, address=0, count=2, pause_ms=0, until=1 << 62):
        return run(self.bus.read(unit, 4, address, count, TIMEOUT_MS, pause_ms, until))

    def failure(self, kind, **arguments):
        """Milliseconds that a read took to fail with `kind`."""
        start_ms = self.clock.now_ms
        try:
            self.read(**arguments)
        except kind as error:
            assert type(error) is kind, repr(error)
            return self.clock.now_ms - start_ms
        raise AssertionError("no " + kind.__name__)


def pieces(*rows):
    return lambda request, now_ms: list(rows)


def test_answer():
    bench = Bench()
    assert bench.read() == WORDS
    assert bench.port.sent == [(10000, modbus.read_request(1, 4, 0, 2))]
    assert bench.bus.counts["answer"] == 1
    assert bench.read(address=12) == [7, 8]


def test_frames_are_set_apart_by_three_and_a_half_characters():
    bench = Bench()
    bench.read()
    answered_ms = bench.clock.now_ms
    bench.read()
    assert bench.port.sent[1][0] - answered_ms == Line().silence_ms() == 4


def test_a_device_gets_its_pause_and_others_do_not_wait_for_it():
    bench = Bench()
    bench.read(unit=1, pause_ms=100)
    answered_ms = bench.clock.now_ms
    bench.read(unit=2)
    assert bench.port.sent[1][0] - answered_ms == 4
    bench.read(unit=1)
    assert bench.port.sent[2][0] - answered_ms == 100


def test_answer_in_single_bytes():
    rows = [(10 + at, ANSWER[at : at + 1]) for at in range(len(ANSWER))]
    assert Bench(pieces(*rows)).read() == WORDS


def test_answer_behind_noise_and_echo():
    echo = modbus.read_request(1, 4, 0, 2)
    assert Bench(pieces((0, echo), (3, b"\0\xff"), (30, ANSWER))).read() == WORDS
    assert Bench(pieces((0, echo + b"\x01\x04\x04" + ANSWER))).read() == WORDS


def test_answer_that_begins_in_time_may_end_late():
    last_ms = 9 + TIMEOUT_MS  # the request takes 9 ms on the line
    assert Bench(pieces((last_ms, ANSWER[:3]), (last_ms + 6, ANSWER[3:]))).read() == WORDS
    bench = Bench(pieces((last_ms + 1, ANSWER)))
    bench.failure(modbus.ResponseTimeoutError)


def test_answer_that_lay_there_while_others_ran_counts():
    bench = Bench(pieces((20, ANSWER)))

    async def held_up(timeout_ms):
        bench.clock.now_ms += 3 * TIMEOUT_MS
        return False

    bench.port.wait_readable = held_up
    assert bench.read() == WORDS
    assert bench.bus.counts["timeout"] == 0


def test_noise_that_lay_there_while_others_ran_is_no_answer():
    bench = Bench(pieces((20, b"\x55" * 20)))

    async def held_up(timeout_ms):
        bench.clock.now_ms += 3 * TIMEOUT_MS
        return False

    bench.port.wait_readable = held_up
    assert bench.failure(modbus.FrameError) < 4 * TIMEOUT_MS


def test_silent_device_costs_its_timeout_only():
    bench = Bench()
    assert bench.failure(modbus.ResponseTimeoutError, unit=3) == 9 + TIMEOUT_MS
    assert bench.bus.counts["timeout"] == 1
    assert bench.read(unit=1) == WORDS
    assert bench.port.sent[1][0] - bench.port.sent[0][0] == 9 + TIMEOUT_MS + 4


def test_damaged_answer_ends_the_wait_early():
    damaged = ANSWER[:4] + b"\0" + ANSWER[5:]
    bench = Bench(pieces((20, damaged)))
    assert bench.failure(modbus.CrcError) == 20 + bus_module.FRAME_PIECES_MS
    assert bench.bus.counts["crc"] == 1


def test_sound_answer_behind_a_damaged_one_counts():
    damaged = ANSWER[:4] + b"\0" + ANSWER[5:]
    assert Bench(pieces((20, damaged), (40, ANSWER))).read() == WORDS


def test_exception_is_raised_at_once():
    bench = Bench()
    assert bench.failure(modbus.ExceptionResponse, address=99) == 5
    assert bench.bus.counts["exception"] == 1


def test_answers_of_others_are_no_answer():
    foreign = with_crc(bytes((2, 4, 4, 1, 2, 3, 4)))
    bench = Bench(pieces((20, foreign)))
    bench.failure(modbus.FrameError)
    assert bench.bus.counts["frame"] == 1


def test_truncated_answer():
    bench = Bench(pieces((20, ANSWER[:-1])))
    bench.failure(modbus.FrameError)


def test_late_answer_never_answers_the_next_question():
    for delay_ms in (9 + TIMEOUT_MS + 1, 300, 700, 9 + TIMEOUT_MS + bus_module.LATE_ANSWER_MS):
        bench = Bench()
        bench.slave.delays[1] = delay_ms
        bench.failure(modbus.ResponseTimeoutError)
        assert bench.bus.expects_late_answer(1)
        assert not bench.bus.expects_late_answer(2)
        bench.slave.delays[1] = 5
        assert bench.read(address=12) == [7, 8], delay_ms
        assert bench.bus.counts["stale_bytes"] == len(ANSWER)
        assert not bench.bus.expects_late_answer(1)


def test_late_answer_does_not_disturb_another_unit():
    bench = Bench()
    bench.slave.delays[1] = 9 + TIMEOUT_MS + 6
    bench.failure(modbus.ResponseTimeoutError)
    assert bench.read(unit=2) == [1, 2]  # the answer of unit 1 arrives in front of it


def test_stale_bytes_are_dropped_before_a_request():
    bench = Bench()
    bench.port.inject(10000, ANSWER)
    assert bench.read(address=12) == [7, 8]
    assert bench.bus.counts["stale_bytes"] == len(ANSWER)


def test_request_waits_until_the_line_is_silent():
    bench = Bench()
    for at_ms in range(10000, 10030, 3):
        bench.port.inject(at_ms, b"\x55")
    assert bench.read() == WORDS
    assert bench.port.sent[0][0] == 10032


def test_babbling_line_is_given_up():
    bench = Bench()
    for at_ms in range(10000, 11000):
        bench.port.inject(at_ms, b"\x55")
    took_ms = bench.failure(modbus.LineBusyError)
    assert bus_module.BABBLE_MS - 4 <= took_ms <= bus_module.BABBLE_MS
    assert bench.port.sent == []
    assert bench.bus.counts["busy"] == 1


def test_a_read_ends_in_time_whatever_the_line_does():
    silent = Bench(lambda request, now_ms: [])
    late = Bench(pieces((30, ANSWER[:3]), (48, ANSWER[3:])))
    endless = Bench(lambda request, now_ms: [(at, b"\x55") for at in range(400)])
    babbling = Bench()
    for at_ms in range(10000, 11000):
        babbling.port.inject(at_ms, b"\x55")
    for bench, kind in (
        (silent, modbus.ResponseTimeoutError),
        (late, modbus.FrameError),
        (endless, modbus.FrameError),
        (babbling, modbus.LineBusyError),
    ):
        assert bench.failure(kind, until=10047) <= 47
    assert late.bus.expects_late_answer(1)


def test_a_read_without_time_left_sends_nothing():
    bench = Bench()
    bench.read()
    bench.failure(modbus.LineBusyError, until=bench.clock.now_ms + 21)  # 4 of silence, 9 and 10
    assert len(bench.port.sent) == 1
    assert bench.read(until=bench.clock.now_ms + 32) == WORDS


def test_another_master_is_told_from_our_own_echo():
    foreign = modbus.read_request(1, 4, 12, 2)
    answer = with_crc(bytes((1, 4, 4, 0, 7, 0, 8)))
    bench = Bench(pieces((2, foreign), (30, answer)))
    bench.failure(modbus.ForeignMasterError)  # its values are not those that were asked for
    assert bench.bus.counts["foreign"] == 1
    assert bench.bus.expects_late_answer(1)


def test_another_master_that_asks_other_units_does_not_disturb():
    foreign = modbus.read_request(9, 3, 0, 4)
    assert Bench(pieces((2, foreign), (30, ANSWER))).read() == WORDS
    bench = Bench()
    bench.port.inject(9999, foreign)
    assert bench.read() == WORDS
    assert bench.bus.counts["foreign"] == 1
    assert bench.bus.expects_late_answer(9)


def test_a_unit_that_another_master_has_asked_is_left_alone():
    bench = Bench()
    bench.port.inject(9999, modbus.read_request(1, 4, 12, 2))
    bench.port.inject(10060, with_crc(bytes((1, 4, 4, 0, 7, 0, 8))))
    bench.failure(modbus.LineBusyError)
    assert bench.port.sent == []
    assert bench.bus.expects_late_answer(1)
    assert bench.read() == WORDS
    assert bench.port.sent[0][0] >= 10000 + bus_module.LATE_ANSWER_MS


def test_noise_without_end_is_bounded():
    bench = Bench(lambda request, now_ms: [(at, 40 * b"\x01\x04") for at in range(1, 400)])
    took_ms = bench.failure(modbus.FrameError)
    assert took_ms <= 9 + TIMEOUT_MS + Line().transfer_ms(9)


def test_lost_line_is_told_and_recovers():
    bench = Bench()
    bench.port.lost = True
    assert bench.failure(LineLostError) == 0
    assert bench.bus.counts["line"] == 1
    bench.port.lost = False
    assert bench.read() == WORDS


def test_line_closed_by_the_other_end():
    bench = Bench(pieces((20, b"")))
    bench.failure(LineLostError)


def test_wrong_request_sends_nothing():
    bench = Bench()
    bench.failure(modbus.RequestError, unit=0)
    assert bench.port.sent == []
    assert sum(bench.bus.counts.values()) == 0
