"""Sampling: each slot read once or reported, never delayed by signing."""

from wattle_meter.board import Board
from wattle_meter.clock import WallClock
from wattle_meter.grid import Grid
from wattle_meter.sampling import (
    GATHER_MS,
    GATHER_READINGS,
    GATHER_VALUES,
    WAITING_VALUES_MAX,
    Sampling,
)
from wattle_testkit.meter_fakes import FakeClock, run
from wattle_wire import quantity, sample
from wattle_wire.sample import READINGS_MAX, Reading

T = 1700006400000  # a full hour
NUMBERS = [1, 2]


class FakeBoard(Board):
    """Uptime that runs `speed` times as fast as the fake clock."""

    def __init__(self, speed=1):
        self.clock = FakeClock()
        self.speed = speed

    def uptime_ms(self):
        return self.clock.now_ms * self.speed


class FakeMetering:
    """Rounds that take `round_ms` of the clock and give `status`."""

    def __init__(self, clock):
        self.clock = clock
        self.round_ms = 100
        self.status = "G"
        self.late_ms = []
        self.numbers = NUMBERS
        self.values = 1

    async def read_round(self, slot_ms, late_ms):
        self.late_ms.append(late_ms)
        self.clock.now_ms += self.round_ms
        names = quantity.names()[: self.values]
        return [
            Reading(number, slot_ms, self.status, dict.fromkeys(names, -(2**63)))
            for number in self.numbers
        ]


class Bench:
    """Sampling at one a second that begins at T."""

    def __init__(self, speed=1, interval_ms=1000):
        self.board = FakeBoard(speed)
        self.clock = self.board.clock
        self.metering = FakeMetering(self.clock)
        self.wall = WallClock(0, 0, speed)
        self.wall.inform(0, T)
        self.sampling = Sampling(self.board, Grid(interval_ms), self.metering, NUMBERS, self.wall)

    def until(self, now_ms):
        """Steps until the clock shows `now_ms`."""
        while self.clock.now_ms < now_ms:
            wait_ms = run(self.sampling.step())
            self.clock.now_ms += min(wait_ms, now_ms - self.clock.now_ms)

    def take(self):
        state, readings = run(self.sampling.take())
        sample.encode(sample.Sample(bytes(8), 1, 1, None, state, readings))
        return state, [
            (reading.device, reading.time_ms - T, reading.status) for reading in readings
        ]


def test_a_round_at_each_slot():
    bench = Bench()
    bench.until(100)
    assert bench.take() == ("I", [(1, 0, "G"), (2, 0, "G")])
    assert bench.sampling.is_empty()
    bench.until(1100)
    assert bench.take() == ("I", [(1, 1000, "G"), (2, 1000, "G")])
    assert bench.metering.late_ms == [0, 0]


def test_slots_that_wait_for_a_signature_share_a_sample():
    bench = Bench()
    bench.until(2500)
    assert bench.take()[1] == [
        (1, 0, "G"),
        (2, 0, "G"),
        (1, 1000, "G"),
        (2, 1000, "G"),
        (1, 2000, "G"),
        (2, 2000, "G"),
    ]


def test_a_sample_takes_as_many_rounds_as_it_can_hold():
    bench = Bench()
    bench.until((READINGS_MAX // 2 - 1) * 1000 + 100)
    assert len(bench.take()[1]) == READINGS_MAX
    assert bench.sampling.is_empty()


def test_a_slow_round_leaves_slots_unread_and_says_so():
    bench = Bench()
    bench.metering.round_ms = 2600
    bench.until(2600)
    bench.metering.round_ms = 100
    bench.until(3500)
    assert bench.take()[1] == [
        (1, 0, "G"),
        (2, 0, "G"),
        (1, 1000, "E"),
        (2, 1000, "E"),
        (1, 2000, "E"),
        (2, 2000, "E"),
        (1, 3000, "G"),
        (2, 3000, "G"),
    ]
    assert bench.sampling.counts["missed_slots"] == 2


def test_failed_readings_are_kept_and_counted():
    bench = Bench()
    bench.metering.status = "T"
    bench.metering.read_round = failing(bench)
    bench.until(500)
    assert bench.take()[1] == [(1, 0, "T"), (2, 0, "T")]
    assert bench.sampling.counts["failed_readings"] == 2


def failing(bench):
    async def read_round(slot_ms, late_ms):
        return [Reading(number, slot_ms, "T", {"ei": "T"}) for number in NUMBERS]

    return read_round


def test_a_change_of_the_clock_state_starts_a_new_sample():
    bench = Bench()
    bench.until(500)
    bench.wall.ask(500, bytes(16))
    bench.wall.answer(500, bytes(16), T + 500)
    bench.until(1500)
    assert bench.take() == ("I", [(1, 0, "G"), (2, 0, "G")])
    assert bench.take() == ("S", [(1, 1000, "G"), (2, 1000, "G")])


def test_a_jump_of_the_clock_is_no_row_of_missed_slots():
    for jump_ms in (3600000, -3600000, 86400000 + 250):
        bench = Bench()
        bench.until(500)
        bench.wall.ask(500, bytes(16))
        bench.sampling.clock_set(bench.wall.answer(500, bytes(16), T + 500 + jump_ms))
        bench.until(2500)
        assert bench.sampling.counts["missed_slots"] == 0, jump_ms
        assert bench.take()[1] == [(1, 0, "G"), (2, 0, "G")]
        _, readings = bench.take()
        times = [row[1] - jump_ms for row in readings]
        assert 0 <= times[0] <= 1000
        assert (T + readings[0][1]) % 1000 == 0


def test_a_clock_set_back_never_mixes_times_in_one_sample():
    bench = Bench()
    bench.until(1500)
    bench.wall.inform(1500, T + 1500 - 30000)
    bench.sampling.clock_set(-30000)
    bench.until(2500)
    assert [row[1] for row in bench.take()[1]] == [0, 0, 1000, 1000]
    assert [row[1] for row in bench.take()[1]] == [-29000, -29000, -28000, -28000]


def test_a_small_correction_reads_no_slot_twice():
    for jump_ms in (-400, -10, 10, 400):
        bench = Bench()
        bench.until(1450)
        bench.sampling.clock_set(bench.wall.inform(1450, T + 1450 + jump_ms))
        bench.until(3550)
        times = [row[1] for row in bench.take()[1] if row[0] == 1]
        assert times == [0, 1000, 2000, 3000], (jump_ms, times)


def test_where_the_heap_has_no_room_samples_are_smaller_for_a_while():
    bench, taking = gathering()
    gathered_after(bench, taking, 1000)
    bench.sampling.gather(False)
    bench.sampling.no_room("I", taking.got)
    sizes = []
    while not bench.sampling.is_empty():
        _, readings = run(bench.sampling.take())
        sizes.append(len(readings))
        bench.sampling.signed()
    assert sizes == [5, 5], sizes
    bench.sampling.no_room("I", readings[:1])
    assert len(run(bench.sampling.take())[1]) == 1


def test_what_could_not_be_signed_comes_first_again():
    bench = Bench()
    bench.until(500)
    state, readings = run(bench.sampling.take())
    bench.sampling.give_back(state, readings)
    bench.until(1500)
    assert [row[1] for row in bench.take()[1]] == [0, 0, 1000, 1000]


def test_on_a_bench_the_interval_is_in_bench_time():
    bench = Bench(speed=60, interval_ms=60000)
    bench.until(2500)
    times = [row[1] for row in bench.take()[1] if row[0] == 1]
    assert times == [0, 60000, 120000]
    assert bench.metering.late_ms == [0, 0, 0]


def test_reading_pauses_when_nobody_signs():
    bench = Bench()
    bench.metering.values = 16
    full_ms = WAITING_VALUES_MAX // 16 // 2 * 1000
    bench.until(full_ms + 500)
    sampling = bench.sampling
    got_on_at = sampling.got_on_at
    bench.until(full_ms + 5700)
    assert sampling.counts["rounds"] == full_ms // 1000
    assert sampling.got_on_at == got_on_at  # nothing to feed a watchdog for
    run(sampling.take())
    bench.until(full_ms + 6500)
    assert sampling.got_on_at >= got_on_at + 5000
    assert sampling.counts["rounds"] == full_ms // 1000 + 1
    assert sampling.counts["missed_slots"] == 6


class Taking:
    """A recording task that stands at take(); `got` is what it gave, or None."""

    def __init__(self, bench):
        self._coroutine = bench.sampling.take()
        self._coroutine.send(None)
        self.got = None

    def go_on(self):
        """Lets it look again, as the event loop would once something has changed."""
        try:
            self._coroutine.send(None)
        except StopIteration as stop:
            self.got = stop.value[1]


class AlwaysChanging:
    """An event whose wait gives way once, whatever happened: the loop is played by the test."""

    def set(self):
        pass

    def clear(self):
        pass

    def wait(self):
        return GiveWay()


class GiveWay:
    """Something to await that lets the caller decide when to go on."""

    def __init__(self):
        self._given = False

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        if self._given:
            raise StopIteration
        self._given = True
        return


def gathering(interval_ms=1000, devices=1):
    """(bench, task at take()) of a meter without a link."""
    bench = Bench(interval_ms=interval_ms)
    bench.metering.numbers = list(range(1, devices + 1))
    bench.sampling = Sampling(
        bench.board, Grid(interval_ms), bench.metering, bench.metering.numbers, bench.wall
    )
    bench.sampling._changed = AlwaysChanging()
    bench.sampling.gather(True)
    return bench, Taking(bench)


def gathered_after(bench, taking, interval_ms):
    """How many rounds it took until there was a sample, and its readings."""
    for count in range(1, 40):
        bench.until((count - 1) * interval_ms + 500)
        taking.go_on()
        if taking.got is not None:
            return count, len(taking.got)
    raise AssertionError("no sample")


def test_without_a_link_ten_readings_share_a_sample():
    bench, taking = gathering()
    assert gathered_after(bench, taking, 1000) == (10, GATHER_READINGS)
    assert [reading.time_ms - T for reading in taking.got] == list(range(0, 10000, 1000))
    assert bench.sampling.is_empty()


def test_readings_of_several_devices_count_one_by_one():
    for devices, rounds in ((2, 5), (3, 3), (10, 1), (11, 1)):
        bench, taking = gathering(devices=devices)
        assert gathered_after(bench, taking, 1000) == (rounds, rounds * devices), devices


def test_no_reading_waits_for_others_longer_than_its_limit():
    for interval_ms, rounds in ((500, 10), (2000, 5), (4000, 2), (5000, 2), (10000, 1), (60000, 1)):
        bench, taking = gathering(interval_ms)
        assert gathered_after(bench, taking, interval_ms) == (rounds, rounds), interval_ms
        assert rounds == 1 or rounds * interval_ms <= GATHER_MS


def test_many_values_are_enough_for_a_sample():
    bench, taking = gathering()
    bench.metering.values = 25
    count, _ = gathered_after(bench, taking, 1000)
    assert (count - 1) * 25 < GATHER_VALUES <= count * 25


def test_what_was_gathered_goes_as_soon_as_there_is_a_link():
    bench, taking = gathering()
    bench.until(3500)
    taking.go_on()
    assert taking.got is None
    bench.sampling.gather(False)
    taking.go_on()
    assert len(taking.got) == 4


def test_what_was_gathered_goes_at_a_stop_and_nothing_waits_after_it():
    bench, taking = gathering()
    bench.until(3500)
    bench.sampling.finish()
    bench.sampling.gather(True)  # housekeeping runs on
    taking.go_on()
    assert len(taking.got) == 4
    bench.until(4500)
    assert len(run(bench.sampling.take())[1]) == 1


def test_gathering_wakes_the_task_that_waits():
    bench = Bench()
    for wake in (lambda: bench.sampling.gather(False), bench.sampling.finish):
        bench.sampling._changed.clear()
        wake()
        assert bench.sampling._changed.is_set()


def test_a_round_too_large_for_a_sample_is_shared_out():
    bench = Bench()
    bench.metering.values = 25
    bench.metering.numbers = list(range(1, 33))
    bench.until(100)
    devices = []
    while not bench.sampling.is_empty():
        _, readings = run(bench.sampling.take())
        assert {reading.time_ms for reading in readings} == {T}
        made = sample.Sample(
            bytes(8),
            2**53 - 1,
            2**32 - 1,
            bytes(32),
            "S",
            readings,
            (2**53 - 1, bytes(16)),
            [(at * 2**49, at * 2**49 + 2**48, 1) for at in range(8)],
            (bytes(32), -(2**63)),
        )
        assert len(sample.encode(made)) <= sample.SAMPLE_BYTES_MAX - 120  # the envelope
        devices += [reading.device for reading in readings]
    assert devices == list(range(1, 33))


def test_rounds_of_many_values_share_a_sample_only_as_far_as_it_holds_them():
    bench = Bench()
    bench.metering.values = 25
    bench.metering.numbers = [1, 2, 3, 4]
    bench.until(4100)
    _, readings = run(bench.sampling.take())
    assert len(sample.encode(sample.Sample(bytes(8), 1, 1, None, "I", readings))) <= 16384
    assert len(readings) == 20
    assert bench.sampling.is_empty()
    bench.until(9100)
    _, readings = run(bench.sampling.take())
    assert len(readings) == 20
