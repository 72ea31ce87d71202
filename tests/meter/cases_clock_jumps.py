"""A wall clock that is set again and again: the grid stays a grid, seq and chain do not notice."""

from wattle_meter.board import Board
from wattle_meter.clock import EPOCH_2000_MS, WallClock
from wattle_meter.grid import Grid
from wattle_meter.journal import Journal
from wattle_meter.outbox import CAPACITY_BYTES_MIN, Outbox
from wattle_meter.sampling import Sampling
from wattle_meter.signer import Signer
from wattle_testkit.meter_fakes import FakeClock, FakeStore, MemoryFiles, run
from wattle_wire import cose, sample_reader
from wattle_wire.sample import Reading

T = 1700006400000
INTERVAL_MS = 1000
LEDGER_ID = bytes(16)
EUI64 = bytes(8)
# What a gateway or a time server may do to a clock, in ms: drift, a wrong zone, a leap, years.
JUMPS = (
    7,
    -3,
    499,
    -499,
    501,
    -501,
    999,
    1000,
    -1000,
    3600000,
    -3600000,
    2500,
    -86400000,
    31536000000,
)


class FakeBoard(Board):
    def __init__(self):
        self.clock = FakeClock()

    def uptime_ms(self):
        return self.clock.now_ms


class FakeMetering:
    """A round takes 120 ms."""

    def __init__(self, clock):
        self._clock = clock

    async def read_round(self, slot_ms, late_ms):
        assert 0 <= late_ms <= INTERVAL_MS // 2
        self._clock.now_ms += 120
        return [Reading(1, slot_ms, "G", {"ei": 5})]


class NoSigner(Signer):
    """Signs with zeros, at once."""

    kid = bytes(range(8))

    def steps(self, digest):
        yield bytes(64)


class Bench:
    """A meter without line and link, and everything that it has signed."""

    def __init__(self):
        self.board = FakeBoard()
        self.clock = self.board.clock
        self.wall = WallClock(0)
        self.sampling = Sampling(
            self.board, Grid(INTERVAL_MS), FakeMetering(self.clock), [1], self.wall
        )
        outbox = Outbox(MemoryFiles(), CAPACITY_BYTES_MIN)
        self.journal = Journal(EUI64, LEDGER_ID, NoSigner(), FakeStore(), outbox)
        self.signed = []

    def rounds(self, count):
        """Reads and signs until `count` more samples are made."""
        until = len(self.signed) + count
        while len(self.signed) < until:
            self.clock.now_ms += run(self.sampling.step())
            if self.sampling.is_empty():
                continue
            state, readings = run(self.sampling.take())
            seq = run(self.journal.record(readings, state, self.clock, True))
            signed = cose.parse_sign1("sample", LEDGER_ID, self.journal.data(seq))
            self.signed.append((sample_reader.decode(signed.payload), signed.digest))

    def set_to(self, unix_ms):
        """A gateway tells the time."""
        nonce = bytes(16)
        self.wall.ask(self.clock.now_ms, nonce)
        self.sampling.clock_set(self.wall.answer(self.clock.now_ms, nonce, unix_ms))

    def jump(self, ms):
        self.set_to(self.wall.now_ms(self.clock.now_ms) + ms)


def check_chain(bench):
    """Every sample follows the one before it, on the grid, in its time."""
    before = None
    for number, (made, digest) in enumerate(bench.signed, 1):
        assert made.seq == number
        assert made.prev == before
        assert made.gaps == []
        times = [reading.time_ms for reading in made.readings]
        assert all(time_ms % INTERVAL_MS == 0 for time_ms in times), times
        assert times == sorted(times)
        before = digest


def test_jumps_of_any_size_leave_seq_chain_and_grid_alone():
    bench = Bench()
    bench.set_to(T)
    for jump_ms in JUMPS + tuple(reversed(JUMPS)):
        bench.rounds(4)
        bench.jump(jump_ms)
    bench.rounds(4)
    check_chain(bench)
    assert {made.clock for made, _ in bench.signed} == {"S"}
    assert bench.sampling.counts["failed_readings"] == 0


def test_a_jump_is_no_outage():
    for jump_ms in JUMPS:
        bench = Bench()
        bench.set_to(T)
        bench.rounds(5)
        before_ms = bench.clock.now_ms
        bench.jump(jump_ms)
        bench.rounds(5)
        assert bench.sampling.counts["missed_slots"] <= 1, jump_ms
        # five samples take five intervals, give or take the one in which the clock was set
        assert 3400 <= bench.clock.now_ms - before_ms <= 7000, jump_ms


def test_without_time_it_signs_marked_and_goes_on_once_it_has_some():
    bench = Bench()
    bench.rounds(3)
    bench.sampling.clock_set(bench.wall.inform(bench.clock.now_ms, T))
    bench.rounds(3)
    bench.set_to(T + 90000)
    bench.rounds(3)
    bench.clock.now_ms += 2 * 3600000
    bench.rounds(3)
    check_chain(bench)
    states = "".join(made.clock for made, _ in bench.signed)
    assert states[:9] == "UUUIIISSS"
    assert set(states[9:]) <= {"S", "R"}
    assert states[-1] == "R"
    for made, _ in bench.signed[:3]:
        assert 0 <= made.readings[0].time_ms - EPOCH_2000_MS < 10000
