"""One load's setpoint: limits, ramp, least times and fail-safe hold whatever is commanded."""

from wattle_meter.fields import Fields
from wattle_meter.load import LoadType
from wattle_meter.setpoint import RETRY_MS, STEP_MS, Setpoint

T = 1700000000000
ONE = bytes(31) + b"\x01"
TWO = bytes(31) + b"\x02"
REST_W = 3000


def kind_of(ramp=0, on_s=0, off_s=0, least=0, repeat_s=0):
    top = {
        "format": 1,
        "name": "test",
        "min_w": 0,
        "max_w": 5000,
        "least_w": least,
        "ramp_w_per_s": ramp,
        "min_on_s": on_s,
        "min_off_s": off_s,
        "repeat_s": repeat_s,
        "setpoint": {"function": 6, "address": "0x0010", "type": "uint16", "factor10": 0},
        "answer_ms": 20,
        "answer_timeout_ms": 200,
        "pause_ms": 0,
        "line": {"baud": 9600, "parity": "N", "stop_bits": 1},
    }
    return LoadType(Fields(top, "test.json:"))


class Bench:
    """A load that takes what it is told; looked at every 50 ms."""

    def __init__(self, low=0, high=4000, rest=REST_W, **limits):
        self.now_ms = 100000
        self.setpoint = Setpoint(kind_of(**limits), low, high, rest, self.now_ms)
        self.outcome = "acknowledged"
        self.writes = []  # (ms, W)

    def run(self, ms):
        """What was written in `ms` of time: (ms since the beginning of this call, W)."""
        began, until = self.now_ms, self.now_ms + ms
        writes = []
        while self.now_ms < until:
            watts = self.setpoint.due(self.now_ms)
            if watts is not None:
                writes.append((self.now_ms - began, watts))
                if self.outcome == "acknowledged":
                    self.setpoint.acknowledged(watts, self.now_ms)
                elif self.outcome == "lost":
                    self.setpoint.lost(watts, self.now_ms)
                else:
                    self.setpoint.refused(self.now_ms)
            self.now_ms += 50
        self.writes += writes
        return writes

    def command(self, watts, digest=ONE, left_ms=3600000):
        self.setpoint.command(digest, watts, T + left_ms, left_ms, self.now_ms)


def test_a_board_that_starts_puts_the_load_to_rest():
    bench = Bench()
    assert bench.run(5000) == [(0, REST_W)]
    assert bench.setpoint.confirmation() is None


def test_a_command_is_written_at_once_and_confirmed_once():
    bench = Bench()
    bench.run(1000)
    bench.command(1500)
    assert bench.setpoint.confirmation() is None  # nothing has been tried
    assert bench.run(5000) == [(0, 1500)]
    row = bench.setpoint.confirmation()
    assert row == (ONE, 1500)
    bench.setpoint.told(row)
    assert bench.setpoint.confirmation() is None


def test_own_limits_hold_whatever_is_commanded():
    bench = Bench(low=500)
    bench.run(1000)
    for watts in (4001, 10**18, 499, -(10**18), 0):
        bench.command(watts)
        bench.run(3000)
    assert {watts for _, watts in bench.writes} == {REST_W, 4000, 500}
    assert bench.setpoint.confirmation() == (ONE, 500)


def test_a_release_and_an_end_lead_back_to_rest():
    bench = Bench()
    bench.run(1000)
    bench.command(1500)
    bench.run(1000)
    bench.setpoint.release(TWO)
    assert not bench.setpoint.holds()
    assert bench.run(1000) == [(0, REST_W)]
    assert bench.setpoint.confirmation() == (TWO, REST_W)
    bench.command(100)
    bench.run(1000)
    bench.setpoint.told((ONE, 100))
    bench.setpoint.end()
    assert bench.run(1000) == [(0, REST_W)]
    assert bench.setpoint.confirmation() == (ONE, REST_W)


def test_a_command_ends_at_the_earlier_of_two_clocks():
    setpoint = Bench().setpoint
    setpoint.command(ONE, 5, T + 1000, 1000, 7000)
    assert not setpoint.has_expired(T + 999, 7999)
    assert setpoint.has_expired(T + 1000, 7001)
    assert setpoint.has_expired(T - 86400000, 8000)  # the clock was set back meanwhile


def test_a_ramp_is_never_exceeded():
    bench = Bench(ramp=100)
    bench.run(1000)
    bench.command(2000)
    writes = bench.run(15000)
    at_ms, before = 0, REST_W
    for ms, watts in writes:
        assert before - watts <= 100 * (ms - at_ms + 50) // 1000
        at_ms, before = ms, watts
    assert writes[-1][1] == 2000
    assert 9500 <= writes[-1][0] <= 11000
    assert len(writes) <= 15000 // STEP_MS
    bench.setpoint.release(TWO)
    writes = bench.run(3000)
    assert 2000 < writes[0][1] < writes[-1][1] <= 2300


def test_each_step_of_a_ramp_is_told():
    bench = Bench(ramp=100)
    bench.run(1000)
    bench.command(2000)
    told = []
    for _ in range(12):
        bench.run(1000)
        row = bench.setpoint.confirmation()
        if row is not None:
            bench.setpoint.told(row)
            told.append(row[1])
    assert told == sorted(told, reverse=True)
    assert told[-1] == 2000
    assert len(told) >= 10


def test_a_ramp_leads_through_what_the_load_cannot_take():
    bench = Bench(ramp=100, least=1380, rest=0)
    bench.run(1000)
    bench.command(1500)
    writes = bench.run(20000)
    assert writes[0][1] >= 1380
    assert 13500 <= writes[0][0] <= 15000
    assert writes[-1][1] == 1500


def test_least_times_on_and_off():
    bench = Bench(on_s=60, off_s=30, rest=0)
    assert bench.run(59000) == []  # for all we know it has just been switched on
    assert [watts for _, watts in bench.run(2000)] == [0]
    bench.command(1000)
    assert bench.run(28000) == []
    assert [watts for _, watts in bench.run(3000)] == [1000]
    bench.command(2000)
    assert bench.run(1000) == [(0, 2000)]  # no switch
    bench.command(0)
    assert bench.run(57000) == []
    assert bench.setpoint.confirmation() == (ONE, 2000)
    assert [watts for _, watts in bench.run(3000)] == [0]


def test_the_way_to_rest_keeps_ramp_and_least_times():
    bench = Bench(ramp=1000, on_s=60, off_s=60, rest=0)
    bench.run(61000)
    bench.command(3000)
    bench.run(130000)
    assert bench.setpoint.reached == 3000
    bench.setpoint.end()
    writes = bench.run(10000)
    assert len(writes) >= 3
    assert writes[-1][1] == 0
    bench.command(3000)
    bench.run(30000)
    bench.setpoint.end()
    assert bench.run(5000) == []  # never switched on: there is nothing to switch off


def test_a_ramp_does_not_run_ahead_of_a_switch_that_must_wait():
    bench = Bench(ramp=100, off_s=60, rest=0)
    bench.run(1000)
    bench.command(4000)
    writes = bench.run(70000)
    assert writes[0][0] >= 58000
    assert writes[0][1] <= 100


def test_a_load_that_refuses_keeps_what_it_has_and_is_asked_again():
    bench = Bench()
    bench.run(1000)
    bench.outcome = "refused"
    bench.command(1500)
    writes = bench.run(10 * RETRY_MS)
    assert 9 <= len(writes) <= 10
    assert bench.setpoint.confirmation() == (ONE, REST_W)
    bench.outcome = "acknowledged"
    bench.run(RETRY_MS + 100)
    assert bench.setpoint.confirmation() == (ONE, 1500)


def test_a_load_that_refuses_a_setpoint_is_still_put_to_rest():
    bench = Bench()
    bench.run(1000)
    bench.command(1000)
    bench.run(2000)
    bench.outcome = "refused"
    bench.command(1500)
    bench.run(2000)
    bench.outcome = "acknowledged"
    bench.setpoint.end()
    assert [watts for _, watts in bench.run(3000)] == [REST_W]


def test_a_write_without_answer_leaves_the_setpoint_unknown():
    bench = Bench()
    bench.run(1000)
    bench.outcome = "lost"
    bench.command(1500)
    bench.run(1000)
    assert bench.setpoint.reached is None
    assert bench.setpoint.confirmation() is None
    bench.command(REST_W)
    bench.outcome = "acknowledged"
    assert bench.run(1000) == [(0, REST_W)]  # although that was acknowledged before


def test_a_switch_that_may_have_happened_counts():
    bench = Bench(on_s=60, off_s=0, rest=0)
    bench.run(61000)
    bench.outcome = "lost"
    bench.command(1000)
    bench.run(50)
    bench.outcome = "acknowledged"
    bench.command(0)
    assert bench.run(59000) == []
    assert [watts for _, watts in bench.run(2000)] == [0]


def test_a_command_that_comes_during_a_write_is_not_what_that_write_was_for():
    for outcome in ("acknowledged", "refused", "lost"):
        bench = Bench()
        bench.run(1000)
        bench.command(1500)
        setpoint = bench.setpoint
        assert setpoint.due(bench.now_ms) == 1500
        bench.command(700, TWO)
        if outcome == "refused":
            setpoint.refused(bench.now_ms)
        elif outcome == "lost":
            setpoint.lost(1500, bench.now_ms)
        else:
            setpoint.acknowledged(1500, bench.now_ms)
        assert setpoint.confirmation() is None
        assert bench.run(100) == [(0, 700)]  # no pause
        assert setpoint.confirmation() == (TWO, 700)


def test_a_load_that_forgets_is_told_again():
    bench = Bench(repeat_s=10)
    bench.run(1000)
    bench.command(1500)
    assert [watts for _, watts in bench.run(31000)] == [1500] * 4


def test_a_bench_runs_faster_but_asks_no_more_often():
    bench = Bench()
    fast = Setpoint(kind_of(), 0, 4000, REST_W, 0, 60)
    assert fast.due(0) == REST_W
    fast.refused(0)
    assert fast.due(60 * RETRY_MS - 1) is None
    assert fast.due(60 * RETRY_MS) == REST_W
    assert bench.run(50) == [(0, REST_W)]
