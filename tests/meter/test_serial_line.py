"""The Modbus master on real MicroPython, on a real tty: the other end is a pty of this test."""

import json
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pymodbus.framer.rtu import FramerRTU
from wattle_hil import parts
from wattle_testkit import waiting

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).parent / "programs" / "read_line.py"
UNIT = 7
TIMEOUT_MS = 200
SOUND = {"u": 2302, "ei": 1000}
_PIECE_S = 0.02  # between the pieces of a split answer


def pause(seconds: float) -> None:
    """What the emulated device does between bytes; no test waits for anything by it."""
    threading.Event().wait(seconds)


def frame(body: bytes) -> bytes:
    """`body` with the check sum of an implementation that is not ours."""
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


def sound_answer(request: bytes) -> bytes:
    """230.2 V at 0, 1 kWh at 0x48."""
    assert request == frame(request[:6])
    unit, function, address, count = struct.unpack(">BBHH", request[:6])
    assert (unit, function, count) == (UNIT, 4, 2)
    return frame(bytes([UNIT, 4, 4]) + struct.pack(">f", {0: 230.2, 0x48: 1.0}[address]))


class Slave:
    """The far end of a line; `speak(request, send)` is what it does with a request."""

    def __init__(self, link: Path) -> None:
        self._master, slave = pty.openpty()
        tty.setraw(slave)
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(slave))
        os.close(slave)
        self.speak: Callable[[bytes, Callable[[bytes], None]], None] = self.answer
        self.requests = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @staticmethod
    def answer(request: bytes, send: Callable[[bytes], None]) -> None:
        send(sound_answer(request))

    def settings(self) -> list[object]:
        """What the other end has set the line to."""
        return list(termios.tcgetattr(self._master))

    def close(self) -> None:
        """Pulls the plug."""
        master, self._master = self._master, -1
        self._thread.join(5)
        if master >= 0:
            os.close(master)

    def _serve(self) -> None:
        buffer = b""
        master = self._master
        while self._master == master:
            try:
                if select.select([master], [], [], _PIECE_S)[0]:
                    buffer += os.read(master, 256)
            except OSError:  # nobody has the line open yet
                pause(_PIECE_S)
            while len(buffer) >= 8:
                request, buffer = buffer[:8], buffer[8:]
                self.requests += 1
                self.speak(request, lambda data: self._send(master, data))

    def _send(self, master: int, data: bytes) -> None:
        if self._master == master:
            os.write(master, data)


class Meter:
    """The program on MicroPython; round() lets it read once."""

    def __init__(self, interpreter: Path, heap: str, link: Path) -> None:
        rooms = ("protocol", "firmware", "firmware/boards/linux")
        self.process = subprocess.Popen(
            [interpreter, "-X", f"heapsize={heap}", PROGRAM, link, str(UNIT), str(TIMEOUT_MS)],
            env=os.environ
            | {"MICROPYPATH": ":".join([*(f"{ROOT}/{r}" for r in rooms), ".frozen"])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # as a service manager does: it leads a session
        )

    def round(self) -> dict[str, object]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the program ended with {self.process.wait(5)}"
        row: dict[str, object] = json.loads(line)
        return row

    def until(self, status: str) -> dict[str, object]:
        """Rounds until one has `status`."""
        row: dict[str, object] = {}

        def has_status() -> bool:
            row.clear()
            row.update(self.round())
            return row["status"] == status

        waiting.until(has_status, 10, f"a round with status {status}")
        return row

    def processor_s(self) -> float:
        """Processor time it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def link(tmp_path: Path) -> Path:
    """Where the meter finds its line, whatever pty is behind it."""
    return tmp_path / "line"


@pytest.fixture
def slave(link: Path) -> Iterator[Slave]:
    """A sound device at the other end."""
    slave = Slave(link)
    yield slave
    slave.close()


@pytest.fixture(params=[64, 32], ids=["micropython64", "micropython32"])
def meter(request: pytest.FixtureRequest, slave: Slave, link: Path) -> Iterator[Meter]:
    """The program, with the line of `slave`."""
    try:
        interpreter = parts.micropython(request.param)
    except parts.PartMissingError as error:
        if request.param == 32:
            pytest.skip(str(error))
        raise
    # Compiled from sources into the heap; objects of the 64-bit interpreter are twice as large.
    meter = Meter(interpreter, "160k" if request.param == 32 else "320k", link)
    yield meter
    meter.process.kill()
    meter.process.communicate()


def test_sound_device(meter: Meter, slave: Slave) -> None:
    for _ in range(3):
        row = meter.round()
        assert (row["status"], row["values"]) == ("G", SOUND)
    assert slave.requests == 6


def test_line_is_set_as_told(meter: Meter, slave: Slave) -> None:
    meter.round()
    settings = slave.settings()
    flags = settings[2]
    assert isinstance(flags, int)
    assert settings[4] == settings[5] == termios.B9600
    assert flags & termios.CSIZE == termios.CS8
    # Linux takes PARENB back from a pty, so parity cannot be seen here; the rest can.
    assert not flags & (termios.CSTOPB | termios.PARODD)
    assert flags & termios.CREAD


def test_noise_echo_and_split_answers(meter: Meter, slave: Slave) -> None:
    def speak(request: bytes, send: Callable[[bytes], None]) -> None:
        answer = sound_answer(request)
        send(request + b"\x00\xff" + bytes([UNIT, 4]))
        pause(_PIECE_S)
        send(answer[:1])
        pause(_PIECE_S)
        send(answer[1:6])
        send(answer[6:])

    slave.speak = speak
    row = meter.round()
    assert (row["status"], row["values"]) == ("G", SOUND)


def test_damaged_and_refused(meter: Meter, slave: Slave) -> None:
    slave.speak = lambda request, send: send(sound_answer(request)[:-1] + b"\x00")
    row = meter.round()
    assert (row["status"], row["values"]) == ("F", {"u": "F", "ei": "F"})
    slave.speak = lambda request, send: send(frame(bytes([UNIT, 0x84, 2])))
    row = meter.round()
    assert (row["status"], row["values"]) == ("E", {"u": "E", "ei": "E"})
    slave.speak = slave.answer
    assert meter.round()["status"] == "G"


def test_silence_costs_its_time_only_and_no_processor(meter: Meter, slave: Slave) -> None:
    assert meter.round()["status"] == "G"
    slave.speak = lambda request, send: None
    before_s = meter.processor_s()
    row = meter.until("T")
    took_ms = row["took_ms"]
    assert isinstance(took_ms, int)
    assert TIMEOUT_MS <= took_ms < TIMEOUT_MS + 150
    assert meter.processor_s() - before_s < 0.1


def test_late_answer_is_never_taken_for_the_next(meter: Meter, slave: Slave) -> None:
    assert meter.round()["status"] == "G"

    def speak(request: bytes, send: Callable[[bytes], None]) -> None:
        pause((TIMEOUT_MS + 300) / 1000)
        send(frame(bytes([UNIT, 4, 4]) + struct.pack(">f", 999.0)))
        slave.speak = slave.answer

    slave.speak = speak
    assert meter.round()["status"] == "T"
    row = meter.until("G")
    assert row["values"] == SOUND
    counts = row["counts"]
    assert isinstance(counts, dict)
    # One late answer; on a machine that was busy just then, sound ones came late as well.
    assert counts["stale_bytes"] in range(9, 9 * 20, 9)


def test_pulled_and_plugged_line(meter: Meter, slave: Slave, link: Path) -> None:
    assert meter.round()["status"] == "G"
    slave.close()
    link.unlink()  # the number of a pty that is gone is soon another program's
    row = meter.round()
    assert (row["status"], row["values"]) == ("D", {"u": "D", "ei": "D"})
    assert meter.round()["status"] == "D"
    again = Slave(link)
    try:
        row = meter.until("G")
        assert row["values"] == SOUND
    finally:
        again.close()


def test_unknown_speed_is_refused() -> None:
    done = subprocess.run(
        [
            parts.micropython(64),
            "-c",
            "from serial_port import PosixSerialPort\n"
            "from wattle_meter.line import Line\n"
            "PosixSerialPort('x', Line(12345))",
        ],
        env=os.environ
        | {"MICROPYPATH": f"{ROOT}/protocol:{ROOT}/firmware:{ROOT}/firmware/boards/linux:.frozen"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ValueError: 12345 Bd, expected one of [1200, 2400" in done.stderr, sys.version
