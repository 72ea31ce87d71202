"""Commands to loads on a line that is read: told in time, and no reading waits for a write."""

from wattle_meter import load
from wattle_meter.control import Load
from wattle_meter.line import Line
from wattle_meter.read_plan import PlanError, lateness_ms, plan_reads, plan_round
from wattle_meter.setpoint import Setpoint
from wattle_testkit.control_bench import (
    HOLD_MS,
    INTERVAL_MS,
    LOAD_UNIT,
    ONE,
    REST_W,
    TWO,
    Bench,
    FakeRelay,
    T,
    a_meter,
)
from wattle_testkit.meter_fakes import run
from wattle_wire import downlink


def test_a_setpoint_is_the_next_thing_on_an_idle_line():
    for function in (6, 16):
        bench = Bench(function=function)
        bench.ready()
        bench.command(1500)
        bench.rounds(1)
        (first, *others) = bench.port.sent[:2]
        assert first[1][0] == LOAD_UNIT or others[0][1][0] == LOAD_UNIT
        assert bench.written() == [(LOAD_UNIT, 1500)]
        assert bench.control.confirmation() == (ONE, 1500)


def test_on_a_full_line_it_waits_for_a_few_reads_only():
    bench = Bench(units=5)
    bench.ready()
    seen = []
    for at in range(20):
        bench.command(100 + at)
        bench.rounds(1)
        units = [unit for unit, _ in bench.sent()]
        seen.append(units.index(LOAD_UNIT))
    assert max(seen) <= 6
    times = Bench(units=5)
    times.ready()
    asked_ms = times.clock.now_ms
    times.command(1)
    times.rounds(1)
    (at_ms,) = [at_ms for at_ms, request in times.port.sent if request[0] == LOAD_UNIT]
    assert at_ms - asked_ms < 600


def test_no_write_moves_a_reading():
    for delay_ms in (20, 190, 900, None):
        bench = Bench(units=5, loads=3)
        bench.ready()
        bench.rounds(1)
        undisturbed = bench.sent()
        assert len(undisturbed) == 10
        bench.load_delay_ms = delay_ms
        for at in range(10):
            for number in (1, 2, 3):
                bench.command(100 + at, number=number)
            readings = bench.rounds(1)
            assert {reading.status for reading in readings} == {"G"}
            reads = [row for row in bench.sent() if row[0] < LOAD_UNIT]
            for (unit, at_ms), (same, usual_ms) in zip(reads, undisturbed):
                assert unit == same
                assert abs(at_ms - usual_ms) <= lateness_ms(INTERVAL_MS), (delay_ms, unit)


def test_silent_devices_do_not_keep_a_load_from_its_setpoint():
    bench = Bench(units=5)
    bench.ready()
    for unit in range(1, 6):
        bench.slave.delays[unit] = None
    bench.rounds(2)
    bench.sent()
    bench.command(700)
    bench.rounds(1)
    assert bench.written() == [(LOAD_UNIT, 700)]


def test_a_line_that_has_no_time_for_a_write_is_refused():
    profile = a_meter(20)
    reads = plan_reads(profile, ["u", "ei"])
    devices = [(profile, reads)] * 9
    round_ms = plan_round(devices, Line(), INTERVAL_MS)[1]
    assert 800 < round_ms < INTERVAL_MS
    try:
        plan_round(devices, Line(), INTERVAL_MS, 50)
    except PlanError:
        pass
    else:
        raise AssertionError("no gap needed")
    for units, interval_ms, expected in ((5, 1000, 1), (8, 2000, 2), (8, 1000, 1)):
        slots, _ = plan_round([(profile, reads)] * units, Line(), interval_ms, 50)
        gaps = 0
        for at in range(len(slots) - 1):
            gaps += slots[at + 1].start_ms - slots[at].end_ms >= 50 + lateness_ms(interval_ms)
        assert gaps == expected, units
        assert slots[-1].end_ms == interval_ms - 50 - lateness_ms(interval_ms)


def test_commands_that_are_refused():
    bench = Bench()
    bench.rounds(1)
    body = [ONE, 1, 5, T + 10]
    assert "clock is U" in bench.refused(downlink.SETPOINT, body)
    assert "clock is U" in bench.refused(downlink.RELEASE, [ONE, 1])
    bench.ready()
    now_ms = bench.wall.now_ms(bench.clock.now_ms)
    assert "expired 0 ms" in bench.refused(downlink.SETPOINT, [ONE, 1, 5, now_ms])
    assert "device 2 has no load" in bench.refused(downlink.SETPOINT, [ONE, 2, 5, now_ms + 10])
    assert "device 2 has no load" in bench.refused(downlink.RELEASE, [ONE, 2])
    bench.rounds(3)
    assert bench.written() == []
    assert bench.control.confirmation() is None


def test_an_expired_setpoint_ends():
    bench = Bench()
    bench.ready()
    bench.command(1500, valid_ms=5000)
    bench.rounds(5)
    assert bench.written() == [(LOAD_UNIT, 1500)]
    bench.control.told(bench.control.confirmation())
    bench.rounds(2)
    assert bench.written() == [(LOAD_UNIT, REST_W)]
    assert bench.control.confirmation() == (ONE, REST_W)
    assert "expired" in bench.board.logged[-1]


def test_a_setpoint_ends_when_no_gateway_is_heard():
    bench = Bench()
    bench.ready()
    bench.control.heard()
    bench.command(1500)
    bench.rounds(HOLD_MS // INTERVAL_MS - 2)
    bench.control.heard()
    bench.rounds(HOLD_MS // INTERVAL_MS - 2)
    assert bench.written() == [(LOAD_UNIT, 1500)]
    bench.rounds(4)
    assert bench.written() == [(LOAD_UNIT, REST_W)]
    assert "no gateway" in bench.board.logged[-1]
    bench.control.heard()
    bench.rounds(2)
    assert bench.written() == []  # it takes a new command


def test_a_clock_set_back_does_not_prolong_a_setpoint():
    bench = Bench()
    bench.ready()
    bench.command(1500, valid_ms=5000)
    bench.rounds(1)
    bench.wall.inform(bench.clock.now_ms, T - 50000)
    bench.rounds(6)
    assert bench.written() == [(LOAD_UNIT, 1500), (LOAD_UNIT, REST_W)]


def test_the_loads_of_a_meter_are_told_of_in_turn():
    bench = Bench(loads=3)
    bench.ready()
    for number, digest in ((1, ONE), (2, TWO), (3, ONE)):
        bench.command(100 * number, digest, number)
    bench.rounds(2)
    told = []
    for _ in range(3):
        row = bench.control.confirmation()
        bench.control.told(row)
        told.append(row)
    assert sorted(told) == [(ONE, 100), (ONE, 300), (TWO, 200)]
    assert bench.control.confirmation() is None


def test_a_load_that_moves_all_the_time_leaves_room_for_news_of_others():
    bench = Bench(loads=2)
    bench.ready()
    bench.command(700, TWO, 2)
    told = []
    for at in range(4):
        bench.command(100 + at, ONE, 1)
        bench.rounds(1)
        row = bench.control.confirmation()
        bench.control.told(row)
        told.append(row)
    assert told.count((TWO, 700)) == 1
    assert len([row for row in told if row[0] == ONE]) == 3


def test_what_does_not_fit_before_the_next_read_is_not_begun():
    bench = Bench()
    bench.ready()
    (row,) = bench.control.loads
    writes = row.counts["writes"]
    bench.command(1500)
    run(bench.metering.idle(bench.clock.now_ms + row.write_ms - 1))
    assert row.counts["writes"] == writes
    run(bench.metering.idle(bench.clock.now_ms + row.write_ms))
    assert row.counts["writes"] == writes + 1
    assert bench.control.confirmation() == (ONE, 1500)


def test_a_load_that_may_still_answer_the_last_setpoint_is_not_told_the_next():
    bench = Bench()
    bench.ready()
    (row,) = bench.control.loads
    bench.load_delay_ms = None
    bench.command(1500)
    run(bench.metering.idle(bench.clock.now_ms + 250))
    writes = row.counts["writes"]
    bench.load_delay_ms = 20
    bench.command(1600)
    run(bench.metering.idle(bench.clock.now_ms + 700))
    assert row.counts["writes"] == writes
    run(bench.metering.idle(bench.clock.now_ms + 400))
    assert row.counts == {"writes": writes + 1, "refused": 0, "failed": 1}
    assert bench.control.confirmation() == (ONE, 1600)


def test_a_refusal_is_counted_and_said_once():
    bench = Bench()
    bench.ready()
    bench.refusal = 4
    bench.command(1500)
    bench.rounds(7)
    assert bench.control.confirmation() == (ONE, REST_W)
    assert [text for text in bench.board.logged if "exception 4" in text] == bench.board.logged
    assert len(bench.board.logged) == 1
    assert bench.control.figures() == {
        "1": {"writes": 5, "refused": 4, "failed": 0, "reached_w": REST_W}
    }
    bench.refusal = 0
    bench.rounds(3)
    assert bench.control.confirmation() == (ONE, 1500)


def test_a_load_without_answer_is_tried_again_and_not_confirmed():
    bench = Bench()
    bench.ready()
    bench.load_delay_ms = None
    bench.command(1500)
    bench.rounds(5)
    assert bench.control.confirmation() is None
    bench.load_delay_ms = 20
    bench.rounds(3)
    assert bench.control.confirmation() == (ONE, 1500)


def test_an_answer_that_is_our_own_echo_confirms_nothing():
    bench = Bench()
    sound = bench.port._answer
    bench.port._answer = lambda request, now: [(0, request)] + sound(request, now)
    bench.ready()
    bench.load_delay_ms = None
    bench.command(1500)
    bench.rounds(2)
    assert bench.control.confirmation() is None
    bench.load_delay_ms = 20
    bench.rounds(4)
    assert bench.control.confirmation() == (ONE, 1500)


def test_a_lost_line_costs_nothing_but_time():
    bench = Bench()
    bench.ready()
    bench.port.lost = True
    bench.command(1500)
    readings = bench.rounds(3)
    assert {reading.status for reading in readings} == {"D"}
    bench.port.lost = False
    bench.rounds(4)
    assert bench.control.confirmation() == (ONE, 1500)


def test_a_relay_needs_no_line():
    bench = Bench(loads=0)
    kind = load.parse(b'{"format": 1, "name": "r", "relay_w": 2000}', "r.json")
    relay = FakeRelay()
    setpoint = Setpoint(kind, 0, 2000, 0, bench.clock.now_ms)
    bench.control.loads.append(Load(1, kind, setpoint, 0, relay, 0))
    bench.ready()
    assert relay.told == [False]
    bench.command(5000)
    bench.rounds(1)
    assert relay.told == [False, True]
    assert bench.control.confirmation() == (ONE, 2000)
    bench.command(1999)
    bench.rounds(1)
    assert relay.told == [False, True, False]
    relay.broken = True
    bench.command(2000, TWO)
    bench.rounds(1)
    assert bench.control.confirmation() is None
    relay.broken = False
    bench.rounds(3)
    assert bench.control.confirmation() == (TWO, 2000)
