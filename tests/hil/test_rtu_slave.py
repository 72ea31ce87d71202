"""Slaves of one line: who answers, when, and what faults make of it. Time is passed in."""

import struct
from collections.abc import Sequence

import pytest
from wattle_hil.devices.faults import (
    INFINITY,
    Babble,
    CrcFlipped,
    Doubled,
    Echo,
    ExceptionReply,
    Fault,
    FaultRule,
    FaultScript,
    Late,
    Noise,
    NoReply,
    NotANumber,
    Replaced,
    Split,
    Truncated,
    WrongFunction,
    WrongUnit,
)
from wattle_hil.devices.rtu_frame import seal
from wattle_hil.devices.rtu_slave import MAX_PENDING_BYTES, LineTiming, RtuSlave
from wattle_hil.errors import LineError

MS = 1_000_000
TURNAROUND_NS = 5 * MS
REPLY_PDU = b"\x04\x04\x43\x66\x33\x34"


class FixedDevice:
    """Answers every request with the same PDU and remembers when it was asked."""

    def __init__(self, unit: int, pdu: bytes = REPLY_PDU) -> None:
        self.unit = unit
        self.asked_ms: list[int] = []
        self._pdu = pdu

    def answer(self, pdu: bytes, now_ms: int) -> bytes:
        self.asked_ms.append(now_ms)
        return self._pdu


def request(unit: int = 1) -> bytes:
    return seal(struct.pack(">BBHH", unit, 4, 0, 2))


def reply(unit: int = 1) -> bytes:
    return seal(bytes([unit]) + REPLY_PDU)


def slave(
    units: Sequence[int] = (1, 2),
    timing: LineTiming | None = None,
    rules: Sequence[FaultRule] = (),
) -> RtuSlave:
    timing = timing or LineTiming(turnaround_ns=TURNAROUND_NS)
    devices = [FixedDevice(unit) for unit in units]
    return RtuSlave(devices, lambda: 77, timing, FaultScript(rules))


def run_until(machine: RtuSlave, end_ns: int) -> list[tuple[int, bytes]]:
    """Drives the machine from wake to wake; what it writes at which time."""
    written = []
    while (wake_ns := machine.wake_ns()) is not None and wake_ns <= end_ns:
        machine.receive(b"", wake_ns)
        written += machine.take_due(wake_ns)
    return written


def test_a_reply_comes_after_the_turnaround_at_the_bench_time_of_the_request() -> None:
    device = FixedDevice(1)
    machine = RtuSlave([device], lambda: 77, LineTiming(turnaround_ns=TURNAROUND_NS), FaultScript())
    machine.receive(request(), 1_000)
    assert device.asked_ms == [77]
    assert machine.take_due(1_000 + TURNAROUND_NS - 1) == []
    assert machine.wake_ns() == 1_000 + TURNAROUND_NS
    assert machine.take_due(1_000 + TURNAROUND_NS) == [(1_000 + TURNAROUND_NS, reply())]
    assert machine.wake_ns() is None


def test_every_device_of_the_line_answers_for_itself_only() -> None:
    machine = slave()
    machine.receive(request(2) + request(1), 0)
    assert [data for _, data in run_until(machine, 10 * MS)] == [reply(2), reply(1)]
    assert (machine.counts.requests, machine.counts.replies) == (2, 2)


def test_other_units_and_broadcasts_get_silence() -> None:
    machine = slave()
    machine.receive(request(9) + request(0), 0)
    assert run_until(machine, 1_000 * MS) == []
    assert (machine.counts.other_units, machine.counts.broadcasts) == (1, 1)


def test_garbage_is_dropped_after_silence_without_a_byte_more() -> None:
    machine = slave()
    machine.receive(request()[:5], 0)
    assert run_until(machine, 1_000 * MS) == []
    assert machine.counts.garbage_bytes == 5


def test_a_master_that_leaves_takes_its_half_request_with_it() -> None:
    machine = slave()
    machine.receive(request()[:5], 0)
    machine.master_left()
    machine.receive(request(), 1)
    assert run_until(machine, 10 * MS) == [(1 + TURNAROUND_NS, reply())]


@pytest.mark.parametrize(
    ("timing", "delay_ns"),
    [
        # 3.5 characters of 10 bits at 9,600 baud.
        (LineTiming(baud=9_600), 3_645_831),
        (LineTiming(baud=9_600, bits_per_character=11), 4_010_415),
        (LineTiming(baud=38_400), 1_750_000),
        (LineTiming(turnaround_ns=0), 0),
    ],
)
def test_the_turnaround_is_that_of_the_standard_unless_given(
    timing: LineTiming, delay_ns: int
) -> None:
    assert timing.reply_delay_ns == delay_ns


def test_a_paced_line_gives_each_byte_its_time_on_the_wire() -> None:
    timing = LineTiming(baud=9_600, turnaround_ns=TURNAROUND_NS, paced=True)
    machine = slave(timing=timing)
    machine.receive(request(), 0)
    character_ns = 1_041_666
    start_ns = len(request()) * character_ns + TURNAROUND_NS
    assert run_until(machine, 100 * MS) == [
        (start_ns + (index + 1) * character_ns, reply()[index : index + 1])
        for index in range(len(reply()))
    ]


NAN = b"\x7f\xc0\x00\x00"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (NoReply(), []),
        (Late(700), [(705 * MS, reply())]),
        (CrcFlipped(), [(5 * MS, reply()[:-1] + bytes([reply()[-1] ^ 1]))]),
        (Truncated(4), [(5 * MS, reply()[:4])]),
        (Truncated(0), []),
        (ExceptionReply(6), [(5 * MS, seal(b"\x01\x84\x06"))]),
        (Noise(b"\x00\xff"), [(5 * MS, b"\x00\xff" + reply())]),
        (Echo(), [(0, request()), (5 * MS, reply())]),
        (Split(3, 20), [(5 * MS, reply()[:3]), (25 * MS, reply()[3:])]),
        (Split(99, 20), [(5 * MS, reply())]),
        (Doubled(), [(5 * MS, reply() * 2)]),
        (WrongUnit(2), [(5 * MS, reply(2))]),
        (WrongFunction(3), [(5 * MS, seal(b"\x01\x03" + REPLY_PDU[1:]))]),
        (NotANumber(), [(5 * MS, seal(b"\x01\x04\x04" + NAN))]),
        (NotANumber(INFINITY), [(5 * MS, seal(b"\x01\x04\x04" + INFINITY))]),
        (Replaced(b"\xf8\x00"), [(5 * MS, b"\xf8\x00")]),
        (Babble(b"\x55", 2, 3), [(2 * MS, b"\x55"), (4 * MS, b"\x55"), (6 * MS, b"\x55")]),
    ],
    ids=repr,
)
def test_a_fault_changes_the_reply_and_only_while_it_lasts(
    fault: Fault, expected: list[tuple[int, bytes]]
) -> None:
    machine = slave(rules=[FaultRule(fault, times=1)])
    machine.receive(request(), 0)
    assert run_until(machine, 1_000 * MS) == expected
    machine.receive(request(), 2_000 * MS)
    assert run_until(machine, 3_000 * MS) == [(2_005 * MS, reply())]


ALL_FAULTS = [
    Late(1),
    CrcFlipped(),
    Truncated(1),
    ExceptionReply(1),
    Noise(b"x"),
    Split(1, 1),
    Doubled(),
    WrongUnit(3),
    WrongFunction(3),
    NotANumber(),
]


@pytest.mark.parametrize("fault", ALL_FAULTS, ids=repr)
def test_no_fault_makes_a_reply_of_silence(fault: Fault) -> None:
    assert FaultScript([FaultRule(NoReply()), FaultRule(fault)]).apply(request(), ()) == ()


def test_an_exception_has_no_value_to_spoil() -> None:
    machine = RtuSlave(
        [FixedDevice(1, b"\x84\x02")],
        lambda: 0,
        LineTiming(turnaround_ns=0),
        FaultScript([FaultRule(NotANumber())]),
    )
    machine.receive(request(), 0)
    assert run_until(machine, 0) == [(0, seal(b"\x01\x84\x02"))]


def test_faults_of_one_reply_are_applied_in_order() -> None:
    machine = slave(rules=[FaultRule(Truncated(3)), FaultRule(Late(10)), FaultRule(Echo())])
    machine.receive(request(), 0)
    assert run_until(machine, 100 * MS) == [(0, request()), (15 * MS, reply()[:3])]


def test_a_rule_counts_the_requests_to_its_unit() -> None:
    rule = FaultRule(NoReply(), unit=2, skip=1, every=2, times=2)
    machine = slave(rules=[rule])
    answered = []
    for turn in range(8):
        at_ns = turn * 100 * MS
        machine.receive(request(1) + request(2), at_ns)
        answered.append([data[0] for _, data in run_until(machine, at_ns + 50 * MS)])
    assert answered == [[1, 2], [1], [1, 2], [1], [1, 2], [1, 2], [1, 2], [1, 2]]


@pytest.mark.parametrize(("skip", "every"), [(-1, 1), (0, 0)])
def test_a_rule_that_counts_backwards_is_refused(skip: int, every: int) -> None:
    with pytest.raises(LineError, match="expected >= 0 and >= 1"):
        FaultRule(NoReply(), skip=skip, every=every)


def test_a_late_reply_does_not_keep_the_line_from_the_next_request() -> None:
    machine = slave(rules=[FaultRule(Late(500), unit=1)])
    machine.receive(request(1), 0)
    machine.receive(request(2), 100 * MS)
    assert run_until(machine, 1_000 * MS) == [(105 * MS, reply(2)), (505 * MS, reply(1))]


def test_replies_that_wait_are_bounded() -> None:
    machine = slave(rules=[FaultRule(Late(1_000_000))])
    sent = MAX_PENDING_BYTES // len(reply()) + 10
    for _ in range(sent):
        machine.receive(request(), 0)
    kept = MAX_PENDING_BYTES // len(reply())
    assert machine.counts.lost_bytes == (sent - kept) * len(reply())
    assert len(run_until(machine, 2_000_000 * MS)) == kept


def test_two_devices_of_one_unit_are_refused() -> None:
    with pytest.raises(LineError, match="expected all different"):
        slave(units=(1, 1))


@pytest.mark.parametrize(
    "settings",
    [{"baud": 0}, {"bits_per_character": 9}, {"silence_ns": 0}, {"turnaround_ns": -1}],
)
def test_a_timing_no_line_has_is_refused(settings: dict[str, int]) -> None:
    with pytest.raises(LineError, match="expected"):
        LineTiming(**settings)  # type: ignore[arg-type]
