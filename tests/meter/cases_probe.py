"""The technician's probe: what it finds on a line, and what it says of it."""

from wattle_meter import probe, profile
from wattle_meter.line import Line
from wattle_meter.probe import Probe
from wattle_testkit.meter_fakes import FakeClock, FakeSlave, ScriptedPort, run

VOLTS = [0x4366, 0x3334]  # 230.2 V as binary32
HERTZ = [0x4248, 0x0000]  # 50 Hz
WATTS = [0x42C8, 0x0000]  # 100 W
ROW = b'{"address": "0x%04x", "type": "%s", "factor10": %d}'


def made(name, word_order, function, registers):
    """A profile with `registers` [(quantity, address, type, factor10)]."""
    rows = b", ".join(
        b'"%s": ' % name.encode() + ROW % (address, kind.encode(), factor10)
        for name, address, kind, factor10 in registers
    )
    head = b"""{"format": 1, "name": "%s", "function": %d, "word_order": "%s",
        "registers_per_read": 20, "answer_ms": 20, "answer_timeout_ms": 100, "pause_ms": 0,
        "line": {"baud": 9600, "parity": "N", "stop_bits": 1}, "registers": {"""
    head = head % (name.encode(), function, word_order.encode())
    return profile.parse(head + rows + b"}}", name)


SINGLES = made(
    "singles",
    "high_first",
    4,
    [("u", 0, "float32", 0), ("p", 2, "float32", 0), ("f", 0x46, "float32", 0)],
)
LONGS = made("longs", "low_first", 4, [("u", 0, "int32", -1), ("f", 0x33, "int16", -1)])


class Bench:
    """One device, unit 3, on a line at `line`; other settings give garbage."""

    def __init__(self, line=(9600, "N", 1), profiles=(SINGLES, LONGS)):
        self.clock = FakeClock(1000)
        self.slave = FakeSlave({})
        self.told = []
        self.tried = []
        self._line = line
        self.probe = Probe(self.open_port, self.clock, list(profiles), self.told.append)

    def open_port(self, line):
        self.tried.append(line.text())
        if line.text() == Line(*self._line).text():
            return ScriptedPort(self.clock, self.slave.answer)
        garbage = [(5, b"\xf8\x00\x7f")]
        return ScriptedPort(self.clock, lambda request, now: garbage if request[0] == 3 else [])

    def run(self, units=(1, 2, 3, 4)):
        return run(self.probe.run(list(units)))


def test_a_known_device_is_named_with_its_values():
    bench = Bench()
    bench.slave.set_words(3, 0, VOLTS + WATTS)
    bench.slave.set_words(3, 0x46, HERTZ)
    assert bench.run() == 1
    assert bench.told == [
        "9600 Bd 8N1: units [3] answer, 0 damaged answers",
        "unit 3: singles, high word first: f 50.00 Hz, p 100.0 W, u 230.2 V",
    ]


def test_a_device_with_the_other_word_order_is_named_so():
    bench = Bench()
    bench.slave.set_words(3, 0, VOLTS[::-1] + WATTS[::-1])
    bench.slave.set_words(3, 0x46, HERTZ[::-1])
    bench.run()
    assert bench.told[1:] == ["unit 3: singles, low word first: f 50.00 Hz, p 100.0 W, u 230.2 V"]


def test_line_settings_are_tried_until_somebody_answers():
    bench = Bench((9600, "E", 1))
    bench.slave.set_words(3, 0, [2302, 0])
    bench.slave.set_words(3, 0x33, [500])
    assert bench.run() == 1
    assert bench.tried == ["9600 Bd 8N1", "19200 Bd 8E1", "9600 Bd 8E1"]
    assert bench.told == [
        "9600 Bd 8N1: units [] answer, 2 damaged answers",
        "19200 Bd 8E1: units [] answer, 2 damaged answers",
        "9600 Bd 8E1: units [3] answer, 0 damaged answers",
        "unit 3: longs, low word first: f 50.00 Hz, u 230.2 V",
    ]


def test_a_device_that_only_refuses_is_there():
    bench = Bench()
    bench.slave.set_words(3, 0x1000, [1])
    assert bench.run() == 1
    assert bench.told[1] == "unit 3: no profile fits; registers that could be V or Hz:"
    assert len(bench.told) == 2


def test_an_unknown_device_shows_what_could_be_mains():
    bench = Bench(profiles=(LONGS,))
    bench.slave.set_words(3, 0, [7, 0] + VOLTS + [0, 4998])
    bench.run()
    assert "  function 4, 0x0002: float32, high_first, factor10 0: u 230.2 V" in bench.told
    assert "  function 3, 0x0005: uint16, factor10 -2: f 49.98 Hz" in bench.told
    assert not any("0x0000" in text for text in bench.told)


def test_nobody():
    bench = Bench((300, "O", 2))
    assert bench.run([1, 2]) == 0
    assert len(bench.tried) == len(probe.LINES)
    assert bench.told[-1] == "nobody answers"


def test_plausible():
    sound = {"u1": 2302, "u2": 0, "f": 5000, "ei": 0, "p": -5}
    assert probe.is_plausible(sound, 5)
    assert not probe.is_plausible(sound, 11)  # most of it is not there
    for name, value in (("u1", 0), ("u1", 9000), ("f", 0), ("ei", -1), ("p", 10**9)):
        assert not probe.is_plausible(dict(sound, **{name: value}), 5), name
    assert probe.is_plausible(dict(sound, p="O"), 5)


def test_values_for_people():
    for name, value, text in (
        ("u1", 2304, "u1 230.4 V"),
        ("i", -5, "i -0.005 A"),
        ("f", 7, "f 0.07 Hz"),
        ("ei", 12, "ei 12 Wh"),
        ("p", "N", "p (N)"),
    ):
        assert probe.shown(name, value) == text
