"""The live table says in words what its colours say, and where lines are looked for."""

from io import StringIO
from types import SimpleNamespace

import pytest
from wattle_testkit.serial_boards import mac
from wattle_tools.boards import identity, ports
from wattle_tools.boards.identity import FoundBoard
from wattle_tools.flash.job import JobResult
from wattle_tools.flash.table import TableView

FIRST = FoundBoard("/dev/ttyUSB0", mac(1), "ESP32", identity.EMPTY)
SECOND = FoundBoard("/dev/ttyUSB1", mac(2), "ESP32", identity.EMPTY)


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_row_shows_step_percent_and_time_then_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    output = Terminal()
    with TableView([FIRST, SECOND], output) as view:
        view.step(FIRST, "interpreter", 0.42)
        view.refresh()
        during = output.getvalue()
        view.end(JobResult(FIRST.name, FIRST.port, done={"application": "written"}, seconds=7.2))
        view.end(JobResult(SECOND.name, SECOND.port, code=4, reason="the line broke"))
    after = output.getvalue()[len(during) :]
    for text in ("24:0a:c4:00:00:01", "interpreter", "#####.......", "42%", "0 s", "waits"):
        assert text in during
    for text in ("done", ": application written", "7 s", "failed", ": the line broke"):
        assert text in after
    assert "\x1b[32mdone" in after
    assert "\x1b[1;31mfailed" in after


def test_without_a_terminal_each_end_is_a_line() -> None:
    output = StringIO()
    with TableView([FIRST, SECOND], output) as view:
        view.step(FIRST, "interpreter", 0.42)
        view.refresh()
        view.end(JobResult(SECOND.name, SECOND.port, code=4, reason="the line broke", seconds=3))
    assert output.getvalue() == "24:0a:c4:00:00:02  failed  3.0 s  the line broke\n"


def test_a_reason_with_brackets_is_shown_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    output = Terminal()
    with TableView([FIRST], output) as view:
        view.end(JobResult(FIRST.name, FIRST.port, code=4, reason="[Errno 5] [red]lost[/red]"))
    assert "[Errno 5] [red]lost[/red]" in output.getvalue()


def test_lines_behind_usb_are_looked_at_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        SimpleNamespace(device="/dev/ttyUSB1", vid=0x10C4, pid=0xEA60),
        SimpleNamespace(device="/dev/ttyS0", vid=None, pid=None),
        SimpleNamespace(device="/dev/ttyACM0", vid=0x303A, pid=0x1001),
    ]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: found)
    assert ports.usb_ports() == [
        ports.Port("/dev/ttyACM0", "303a:1001"),
        ports.Port("/dev/ttyUSB1", "10c4:ea60"),
    ]
