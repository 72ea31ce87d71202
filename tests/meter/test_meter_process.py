"""A meter as a process of real MicroPython, between a real serial line and a real broker."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_hil.children.processes import ProcessGroup
from wattle_hil.clock import BenchClock, host_ms
from wattle_hil.devices.faults import FaultRule, FaultScript, NoReply
from wattle_hil.devices.line import Line
from wattle_testkit import waiting
from wattle_testkit.meter_site import Board, MeterSite, emulated_sdm120
from wattle_tools.board_folder import DeviceChoice
from wattle_wire import downlink
from wattle_wire.sample import GAP_RESTART

SAMPLES_S = 20.0
# After an outage the next attempt to connect may be a minute away.
RETURN_S = 90.0
STOP_S = 10.0
NONCE = bytes(16)

pytestmark = pytest.mark.slow


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with Line(tmp_path / "line", [emulated_sdm120(host_ms() - 1_000)], host_ms) as line:
        yield line


@pytest.fixture(params=["64", "32", "rom"])
def kind(request: pytest.FixtureRequest) -> str:
    try:
        parts.micropython(64 if request.param == "64" else 32)
    except parts.PartMissingError as error:
        pytest.skip(str(error))
    return str(request.param)


def samples_reach(board: Board, seq: int) -> None:
    waiting.until(lambda: max(board.meter.samples, default=0) >= seq, SAMPLES_S, f"sample {seq}")


def count(board: Board, name: str) -> int:
    """A number of the link's status, once there is one."""
    table = waiting.until(lambda: board.status().get("link"), SAMPLES_S, "status")
    assert isinstance(table, dict)
    return int(table[name])


def test_samples_of_a_first_boot_form_a_chain(
    site: MeterSite, group: ProcessGroup, line: Line, kind: str
) -> None:
    board = site.board("meter", kind, line.link)
    site.start_broker()
    group.start(board.process)
    samples_reach(board, 5)
    meter = board.meter
    assert meter.broken == []
    first = meter.samples[1][0]
    assert (first.seq, first.boot, first.prev, first.clock) == (1, 1, None, "I")
    for seq in range(2, 6):
        sample = meter.samples[seq][0]
        assert sample.prev == meter.samples[seq - 1][1]
        [reading] = sample.readings
        assert (reading.device, reading.status) == (1, "G")
        assert reading.time_ms % 1_000 == 0
        assert reading.values["p"] == 23_000
        assert 0 <= host_ms() - reading.time_ms < 60_000
    times = [meter.samples[seq][0].readings[0].time_ms for seq in range(1, 6)]
    assert [after - before for before, after in pairwise(times)] == [1_000] * 4
    [birth] = meter.births
    assert birth["site"] == "substation-7"
    assert birth["interval_ms"] == 1_000
    [device] = birth["devices"]  # type: ignore[misc]
    assert (device["d"], device["profile"], device["unit"]) == (1, "sdm120", 1)
    board.process.stop(STOP_S)


def test_any_mqtt_broker_does(site: MeterSite, group: ProcessGroup, line: Line) -> None:
    try:
        parts.mosquitto()
    except parts.PartMissingError as error:
        pytest.skip(str(error))
    board = site.board("meter", "64", line.link)
    site.start_broker("mosquitto")
    group.start(board.process)
    samples_reach(board, 3)
    waiting.until(lambda: board.status().get("final", 0), SAMPLES_S, "final in the status")
    assert board.meter.broken == []
    board.process.stop(STOP_S)
    waiting.until(lambda: not board.meter.states[-1][0], SAMPLES_S, "last will")


def test_a_silent_device_is_reported_as_silent(
    site: MeterSite, group: ProcessGroup, line: Line
) -> None:
    board = site.board("meter", "64", line.link)
    site.start_broker()
    group.start(board.process)
    samples_reach(board, 2)
    line.inject(FaultScript([FaultRule(NoReply())]))

    def newest_status() -> str:
        newest = board.meter.samples[max(board.meter.samples)][0]
        return newest.readings[-1].status

    waiting.until(lambda: newest_status() == "T", SAMPLES_S, "a reading that timed out")
    silent = board.meter.samples[max(board.meter.samples)][0].readings[-1]
    assert set(silent.values.values()) == {"T"}
    line.inject(FaultScript())
    waiting.until(lambda: newest_status() == "G", SAMPLES_S, "the device's answer")
    assert sorted(board.meter.samples) == list(range(1, max(board.meter.samples) + 1))


def test_on_a_bench_samples_carry_the_time_of_the_curve(
    site: MeterSite, group: ProcessGroup, tmp_path: Path
) -> None:
    start_ms = 1_170_288_000_000
    clock = BenchClock(start_ms, host_ms(), 60)
    clock.save(tmp_path / "clock.json")
    with Line(tmp_path / "line", [emulated_sdm120(start_ms)], clock.now_ms) as line:
        options = ("--bench-clock", str(tmp_path / "clock.json"))
        board = site.board("meter", "64", line.link, *options, interval_ms=60_000)
        site.gateway.clock_ms = clock.now_ms
        site.start_broker()
        group.start(board.process)
        samples_reach(board, 4)
        times = [sample.readings[0].time_ms for sample, _, _ in board.meter.samples.values()]
        assert all(after - before == 60_000 for before, after in pairwise(sorted(times)))
        assert start_ms <= times[0] < start_ms + 3_600_000
        assert board.meter.samples[4][0].clock == "S"
        for seq, (sample, _, _) in board.meter.samples.items():
            [reading] = sample.readings
            if seq > 1 and reading.status == "G":  # the first slot may be read late
                flowed_wh = 2_300 * (reading.time_ms - start_ms) / 3_600_000
                assert reading.values["ei"] == pytest.approx(1_000 + flowed_wh, abs=8)
        board.process.stop(STOP_S)


def test_acks_end_retransmission_and_show_up_in_the_next_sample(
    site: MeterSite, group: ProcessGroup, line: Line
) -> None:
    board = site.board("meter", "64", line.link)
    site.start_broker()
    group.start(board.process)
    samples_reach(board, 6)
    waiting.until(lambda: board.status().get("final", 0), SAMPLES_S, "final in the status")
    meter = board.meter
    assert meter.arrivals == sorted(set(meter.arrivals))
    seen = meter.samples[6][0].seen
    assert seen is not None
    assert 0 < seen[0] <= site.gateway.commits
    assert count(board, "retries") == 0
    assert board.status()["write_failed"] == 0


def test_what_was_lost_on_the_way_is_sent_again(
    site: MeterSite, group: ProcessGroup, line: Line
) -> None:
    board = site.board("meter", "64", line.link)
    site.gateway.lose = {2, 3}
    site.start_broker()
    group.start(board.process)
    waiting.until(lambda: {1, 2, 3, 4} <= set(board.meter.samples), SAMPLES_S, "lost samples")
    assert board.meter.broken == []
    assert board.meter.broken_links() == []
    assert board.meter.arrivals[:2] == [1, 4]
    assert not board.meter.samples[4][0].gaps


def test_a_meter_that_nobody_acks_sends_what_it_has_to_whoever_comes_later(
    site: MeterSite, group: ProcessGroup, line: Line
) -> None:
    board = site.board("meter", "64", line.link)
    site.gateway.acking = False
    site.start_broker()
    site.gateway.lose = set(range(1, 5))
    group.start(board.process)
    samples_reach(board, 5)
    site.gateway.acking = True
    site.gateway.send_ack(board.meter)
    waiting.until(lambda: set(range(1, 6)) <= set(board.meter.samples), SAMPLES_S, "backlog")
    assert board.meter.broken_links() == []


def test_a_restarted_broker_costs_nothing_but_time(
    site: MeterSite, group: ProcessGroup, line: Line
) -> None:
    board = site.board("meter", "64", line.link)
    site.start_broker()
    group.start(board.process)
    samples_reach(board, 2)
    assert site.broker is not None
    site.broker.kill()
    waiting.until(lambda: not count(board, "connected"), SAMPLES_S, "lost link")
    before = max(board.meter.samples)
    site.start_broker()
    samples_reach(board, before + 3)
    waiting.until(
        lambda: set(range(1, before + 3)) <= set(board.meter.samples), SAMPLES_S, "what was made"
    )
    assert board.meter.broken == []
    assert board.meter.broken_links() == []
    assert all(not sample.gaps for sample, _, _ in board.meter.samples.values())


def test_an_outage_ends_with_the_newest_sample_then_the_others_ten_readings_in_each(
    site: MeterSite, group: ProcessGroup, line: Line
) -> None:
    power = DeviceChoice(1, "sdm120", 1, quantities=("p",))  # read fast enough for a short test
    board = site.board("meter", "64", line.link, interval_ms=500, devices=[power])
    site.start_broker()
    group.start(board.process)
    samples_reach(board, 2)
    assert site.broker is not None
    site.broker.kill()
    waiting.until(lambda: not count(board, "connected"), SAMPLES_S, "lost link")
    arrived = len(board.meter.arrivals)
    before = int(str(board.status()["seq"]))  # MQTT itself may repeat what is up to here
    made = waiting.until(
        lambda: seq if (seq := int(str(board.status()["seq"]))) > before + 2 else None,
        2 * SAMPLES_S,
        "samples of the outage",
    )
    site.start_broker()
    waiting.until(
        lambda: set(range(before + 1, made + 1)) <= set(board.meter.samples),
        RETURN_S,
        "the backlog",
    )
    order = [seq for seq in dict.fromkeys(board.meter.arrivals[arrived:]) if seq > before]
    assert order[0] >= made
    backlog = [seq for seq in order if seq < order[0]]
    assert backlog == sorted(backlog)
    readings = [len(board.meter.samples[seq][0].readings) for seq in range(made - 1, made + 1)]
    assert min(readings) >= 10
    assert board.meter.broken == []
    assert board.meter.broken_links() == []


def test_a_killed_meter_uses_no_seq_twice_and_declares_the_gap(
    site: MeterSite, group: ProcessGroup, line: Line, kind: str
) -> None:
    board = site.board("meter", kind, line.link)
    site.start_broker()
    group.start(board.process)
    samples_reach(board, 3)
    board.process.kill()
    group.start(board.process)
    samples_reach(board, 1_026)
    meter = board.meter
    assert meter.broken == []
    after = meter.samples[1_025][0]
    assert (after.boot, after.prev) == (2, None)
    [(first, to, reason)] = after.gaps
    assert (to, reason) == (1_024, GAP_RESTART)
    assert 1 <= first <= 4  # what memory held is lost, whether the gateway has it or not
    assert meter.samples[1_026][0].prev == meter.samples[1_025][1]
    waiting.until(lambda: meter.final >= 1_026, SAMPLES_S, "final beyond the gap")
    samples_reach(board, max(meter.samples) + 2)
    assert not meter.samples[max(meter.samples)][0].gaps


def test_a_stopped_meter_goes_on_without_a_gap(
    site: MeterSite, group: ProcessGroup, line: Line, kind: str
) -> None:
    board = site.board("meter", kind, line.link)
    site.start_broker()
    group.start(board.process)
    samples_reach(board, 3)
    board.process.stop(STOP_S)
    waiting.until(lambda: not board.meter.states[-1][0], SAMPLES_S, "last will")
    group.start(board.process)
    last = max(board.meter.samples)
    samples_reach(board, last + 3)
    meter = board.meter
    assert sorted(meter.samples) == list(range(1, max(meter.samples) + 1))
    assert meter.broken_links() == []
    assert all(not sample.gaps for sample, _, _ in meter.samples.values())
    assert [meter.samples[seq][0].boot for seq in (1, max(meter.samples))] == [1, 2]
    assert all(sample.prev for seq, (sample, _, _) in meter.samples.items() if seq > 1)


def test_a_board_without_time_connects_and_says_so_until_it_is_told(
    site: MeterSite, group: ProcessGroup, line: Line, kind: str
) -> None:
    board = site.board("meter", kind, line.link, "--no-rtc")
    site.start_broker()
    group.start(board.process)
    samples_reach(board, 2)
    meter = board.meter
    for seq in (1, 2):
        sample = meter.samples[seq][0]
        assert sample.clock == "U"
        assert 946_684_800_000 <= sample.readings[0].time_ms < 946_684_900_000
    assert meter.births[0]["clk"] == "U"
    site.gateway.clock_ms = host_ms
    online = [state for state in meter.states if state[0]]
    nonce = online[-1][2]
    assert nonce is not None
    site.gateway.send_command(meter, downlink.TIME, [nonce, host_ms()])

    def synchronised() -> bool:
        return any(sample.clock == "S" for sample, _, _ in list(meter.samples.values()))

    waiting.until(synchronised, 30.0, "a sample with clock state S")
    told = next(sample for sample, _, _ in meter.samples.values() if sample.clock == "S")
    assert abs(host_ms() - told.readings[0].time_ms) < 60_000
    clocks = [meter.samples[seq][0].clock for seq in sorted(meter.samples)]
    assert clocks == sorted(clocks, reverse=True)  # first U, then S
    assert meter.broken_links() == []
    assert sorted(meter.samples) == list(range(1, max(meter.samples) + 1))


def test_forged_foreign_and_replayed_messages_change_nothing(
    site: MeterSite, group: ProcessGroup, line: Line
) -> None:
    board = site.board("meter", "64", line.link)
    site.gateway.clock_ms = host_ms
    site.start_broker()
    group.start(board.process)
    samples_reach(board, 3)
    meter = board.meter
    gateway = site.gateway
    gateway.acking = False
    asked = max(meter.samples) + 1
    samples_reach(board, asked)
    replayed = gateway.send_command(meter, downlink.RESEND, [asked, asked])
    waiting.until(lambda: meter.arrivals.count(asked) == 2, SAMPLES_S, "a sample again")
    old = gateway.send_ack(meter)
    gateway.send_ack(meter)
    for raw in (replayed, bytes([*replayed[:-1], replayed[-1] ^ 1]), b"", b"\xff" * 40):
        gateway.send_raw(meter, "cmd", raw)
    for raw in (old, bytes([*old[:-1], old[-1] ^ 1]), replayed):
        gateway.send_raw(meter, "ack", raw)
    gateway.send_command(meter, downlink.TIME, [NONCE, host_ms() + 10**9])
    gateway.send_command(meter, downlink.SETPOINT, [bytes(32), 1, 500, host_ms() + 60_000])
    waiting.until(lambda: count(board, "forged") == 3, SAMPLES_S, "forged messages counted")
    waiting.until(lambda: count(board, "malformed") == 2, SAMPLES_S, "malformed ones counted")
    # the old ack, the replayed command, the time nobody asked for, the setpoint
    waiting.until(lambda: count(board, "stale") == 4, SAMPLES_S, "stale ones counted")
    gateway.acking = True
    samples_reach(board, max(meter.samples) + 2)
    assert meter.arrivals.count(asked) == 2
    newest = meter.samples[max(meter.samples)][0]
    assert abs(host_ms() - newest.readings[0].time_ms) < 60_000
    assert meter.broken == []
    assert board.status()["restarts"] == 0
