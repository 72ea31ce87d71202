"""A line served on a real pty, read by masters that we did not write."""

import contextlib
import os
import struct
import subprocess
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymodbus.client import ModbusSerialClient
from pymodbus.exceptions import ModbusIOException
from wattle_hil import parts
from wattle_hil.curves.curve import UW_PER_W, Curve, StepSeries
from wattle_hil.devices.device import EmulatedDevice
from wattle_hil.devices.faults import ExceptionReply, FaultRule, FaultScript, NoReply
from wattle_hil.devices.line import Line
from wattle_hil.devices.rtu_frame import seal
from wattle_hil.devices.rtu_slave import LineTiming
from wattle_hil.devices.sdm import SDM120, SDM630
from wattle_hil.errors import LineError
from wattle_testkit.waiting import until

T0_MS = 1_170_288_000_000
HOUR_MS = 3_600_000
DEADLINE_S = 10.0
# Long for a pty, short for a test that waits for silence.
MASTER_TIMEOUT_S = 0.3


class BenchTime:
    """The bench time, moved by the test."""

    def __init__(self) -> None:
        self.now_ms = T0_MS

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def bench_time() -> BenchTime:
    return BenchTime()


@pytest.fixture
def line(tmp_path: Path, bench_time: BenchTime) -> Iterator[Line]:
    """An SDM120 (unit 1) and an SDM630 (unit 2), both at 3.6 kW for two hours."""
    curve = Curve("flat", HOUR_MS, StepSeries([T0_MS], [3_600 * UW_PER_W], T0_MS + 2 * HOUR_MS))
    devices = [
        EmulatedDevice(1, SDM120, curve, initial_import_wh=1_000_000),
        EmulatedDevice(2, SDM630, curve, shares_permille=(500, 250, 250)),
    ]
    # A test that is descheduled in the middle of a frame is still one master.
    timing = LineTiming(turnaround_ns=0, silence_ns=int(DEADLINE_S * 1e9))
    with Line(tmp_path / "line1", devices, bench_time, timing) as served:
        yield served


@contextlib.contextmanager
def pymodbus_client(line: Line) -> Iterator[ModbusSerialClient]:
    client = ModbusSerialClient(str(line.link), baudrate=9_600, timeout=MASTER_TIMEOUT_S, retries=0)
    assert client.connect()
    try:
        yield client
    finally:
        client.close()  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def raw_master(line: Line) -> Iterator[int]:
    """The far end as a plain non-blocking file descriptor."""
    fd = os.open(line.link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    tty.setraw(fd)
    try:
        yield fd
    finally:
        os.close(fd)


def read_some(fd: int) -> bytes:
    try:
        return os.read(fd, 4_096)
    except BlockingIOError:
        return b""


def read_exactly(fd: int, count: int) -> bytes:
    """The next bytes as they come, count of them; DeadlineError when they do not."""
    data = b""

    def arrived() -> bool:
        nonlocal data
        data += read_some(fd)
        return len(data) >= count

    until(arrived, DEADLINE_S, f"{count} bytes on the line")
    return data


def request(unit: int = 1, address: int = 0x000C, count: int = 2) -> bytes:
    return seal(struct.pack(">BBHH", unit, 4, address, count))


REPLY = seal(b"\x01\x04\x04" + struct.pack(">f", 3_600.0))


def test_pymodbus_reads_both_devices_at_the_bench_time(line: Line, bench_time: BenchTime) -> None:
    bench_time.now_ms = T0_MS + HOUR_MS
    with pymodbus_client(line) as client:
        single = client.read_input_registers(0x0000, count=80, device_id=1).registers
        kind = client.DATATYPE.FLOAT32
        assert client.convert_from_registers(single[0x0C:0x0E], kind) == 3_600.0
        assert client.convert_from_registers(single[0x46:0x4A], kind) == [
            50.0,
            pytest.approx(1_003.6, abs=1e-4),
        ]
        phases = client.read_input_registers(0x015A, count=6, device_id=2).registers
        assert client.convert_from_registers(phases, kind) == pytest.approx([1.8, 0.9, 0.9])
        settings = client.read_holding_registers(0x0014, count=2, device_id=2).registers
        assert client.convert_from_registers(settings, kind) == 2.0
    assert line.counts.requests == line.counts.replies == 3


def test_pymodbus_sees_exceptions_and_silence(line: Line) -> None:
    with pymodbus_client(line) as client:
        assert client.read_input_registers(0x0050, count=2, device_id=1).exception_code == 2
        assert client.read_input_registers(0x0000, count=82, device_id=1).exception_code == 3
        assert client.read_coils(0, count=1, device_id=1).exception_code == 1
        with pytest.raises(ModbusIOException):
            client.read_input_registers(0x0000, count=2, device_id=3)
        assert not client.read_input_registers(0x0000, count=2, device_id=1).isError()
    assert line.counts.other_units == 1


def test_faults_can_come_and_go_while_the_line_serves(line: Line) -> None:
    with pymodbus_client(line) as client:
        line.inject(FaultScript([FaultRule(ExceptionReply(6), unit=1)]))
        assert client.read_input_registers(0, count=2, device_id=1).exception_code == 6
        assert not client.read_input_registers(0, count=2, device_id=2).isError()
        line.inject(FaultScript([FaultRule(NoReply())]))
        with pytest.raises(ModbusIOException):
            client.read_input_registers(0, count=2, device_id=1)
        line.inject(FaultScript())
        assert not client.read_input_registers(0, count=2, device_id=1).isError()


def test_mbpoll_reads_a_float(line: Line, bench_time: BenchTime) -> None:
    try:
        mbpoll = parts.mbpoll()
    except parts.PartMissingError as missing:
        pytest.skip(str(missing))
    bench_time.now_ms = T0_MS + HOUR_MS
    command = [str(mbpoll), "-m", "rtu", "-a", "1", "-b", "9600", "-P", "none", "-0", "-1", "-B"]
    wanted = ["-t", "3:float", "-r", str(0x0048), "-c", "1", str(line.link)]
    done = subprocess.run(
        [*command, *wanted], capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[72]: \t1003.6" in done.stdout


def test_a_request_in_pieces_between_garbage_is_answered(line: Line) -> None:
    with raw_master(line) as fd:
        for piece in (b"\xff\x00\x55", request()[:3], request()[3:7], request()[7:]):
            os.write(fd, piece)
        assert read_exactly(fd, len(REPLY)) == REPLY


def test_a_master_that_dies_leaves_nothing_to_the_next_one(line: Line) -> None:
    with raw_master(line) as fd:
        # A whole request whose reply is never read, and half of another.
        os.write(fd, request() + request()[:5])
        until(lambda: line.counts.replies == 1, DEADLINE_S, "the first reply")
    until(lambda: not line.connected, DEADLINE_S, "the line to notice that the master left")
    with raw_master(line) as fd:
        os.write(fd, request(address=0x0046))
        frequency = seal(b"\x01\x04\x04" + struct.pack(">f", 50.0))
        assert read_exactly(fd, len(frequency)) == frequency
    assert line.counts.opened == 2


def test_a_master_that_never_reads_costs_only_its_own_bytes(line: Line) -> None:
    with raw_master(line) as fd:

        def overrun() -> bool:
            with contextlib.suppress(BlockingIOError):
                os.write(fd, request(address=0, count=80))
            return line.counts.lost_bytes > 0

        until(overrun, DEADLINE_S, "the unread replies to overflow")
    until(lambda: not line.connected, DEADLINE_S, "the line to notice that the master left")
    with raw_master(line) as fd:
        os.write(fd, request())
        assert read_exactly(fd, len(REPLY)) == REPLY


def test_stopping_removes_the_link_and_a_killed_runs_link_is_replaced(tmp_path: Path) -> None:
    link = tmp_path / "line1"
    link.symlink_to("/dev/pts/none")
    served = Line(link, [], lambda: T0_MS)
    assert link.resolve().is_char_device()
    served.start()
    served.stop()
    assert not link.is_symlink()
    served.stop()


def test_a_link_that_is_another_lines_by_now_is_left(tmp_path: Path) -> None:
    link = tmp_path / "line1"
    first = Line(link, [], lambda: T0_MS)
    with Line(link, [], lambda: T0_MS):
        first.stop()
        assert link.resolve().is_char_device()


def test_a_path_that_is_taken_is_refused(tmp_path: Path) -> None:
    taken = tmp_path / "line1"
    taken.write_text("a file of somebody's")
    with pytest.raises(LineError, match="cannot make the serial line"):
        Line(taken, [], lambda: T0_MS)
    assert taken.read_text() == "a file of somebody's"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_line_that_fails_of_itself_says_so(tmp_path: Path) -> None:
    class BrokenDevice:
        unit = 1

        def answer(self, pdu: bytes, now_ms: int) -> bytes:
            raise ZeroDivisionError("a bug in a device")

    served = Line(tmp_path / "line1", [BrokenDevice()], lambda: T0_MS)
    served.start()
    with raw_master(served) as fd:
        os.write(fd, request())
        until(lambda: served.failure, DEADLINE_S, "the line to fail")
    with pytest.raises(LineError, match="a bug in a device"):
        served.stop()
