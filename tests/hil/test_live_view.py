"""The live view: a table in a terminal, lines in a pipe."""

import io
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console
from wattle_hil.errors import ReportError
from wattle_hil.runs.live_view import (
    EVENTS_SHOWN,
    Frame,
    GatewayRow,
    LiveView,
    MemberRow,
    PointRow,
    plain_lines,
)
from wattle_hil.runs.terminal_picture import save_picture

ROW = PointRow(
    name="1f2e3d4c5b6a7988/1",
    load="kettle",
    runs_on="32-bit",
    power_w=2_012.5,
    import_wh=1_234_567,
    export_wh=89,
    seq=40,
    durable=39,
    final=38,
    classes="late 2",
    failed_reads=1,
    state="online",
)
GATEWAY = GatewayRow(
    broker="up",
    commits=12,
    head="12 ab12cd34",
    samples=1_000,
    samples_per_s=4.25,
    refused="malformed 3",
    bench_ms=1_170_288_000_500,
    speed=60,
)
MEMBERS = (
    MemberRow("bench-1", "up", 45, 1_037, 6.81, "4ccf85cd31b6", "yes", 2, 3),
    MemberRow("bench-2", "killed", None, None, None, "", "-", None, 1),
)
FRAME = Frame("replay of load.csv", [ROW], GATEWAY, 0.25)


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=150, highlight=False)


def shown_on(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_shows_every_point_and_the_gateway() -> None:
    console = terminal()
    with LiveView(console) as view:
        view.show(FRAME)
        view.event("kill -9 of gateway")
    shown = shown_on(console)
    for part in (
        "1f2e3d4c5b6a7988/1",
        "kettle",
        "32-bit",
        "2012.5",
        "1\u202f234\u202f567",
        "late 2",
    ):
        assert part in shown
    for part in ("12 commits, head 12 ab12cd34", "2007-02-01T00:00:00Z", "kill -9 of gateway"):
        assert part in shown


def test_an_alliance_has_a_table_of_gateways_and_meters_say_where_they_are() -> None:
    console = terminal()
    frame = replace(FRAME, points=[replace(ROW, at="bench-1")], members=MEMBERS)
    with LiveView(console) as view:
        view.show(frame)
    shown = shown_on(console)
    for part in ("same as others", "1\u202f037", "6.8", "4ccf85cd31b6", "killed"):
        assert part in shown
    first = next(line for line in shown.splitlines() if "kettle" in line)
    assert "bench-1" in first
    lines = plain_lines(frame)
    assert lines[1] == (
        "bench-1: up, round 45, commit 1\u202f037 6.8 s ago, head 4ccf85cd31b6, same as others:"
        " yes, 2 peers, 3 meters"
    )
    assert lines[2].startswith("bench-2: killed, round -, commit - - s ago, head -")
    assert lines[-1].endswith("online at bench-1")


def test_only_the_latest_events_stay_in_view() -> None:
    console = terminal()
    with LiveView(console) as view:
        for number in range(EVENTS_SHOWN + 1):
            view.event(f"event <{number}>")
        view.show(FRAME)
    shown = shown_on(console)
    assert "event <0>" not in shown
    assert "event <1>" in shown


def test_a_pipe_gets_lines_from_time_to_time_and_every_event() -> None:
    console = Console(file=io.StringIO(), width=300, highlight=False)
    with LiveView(console) as view:
        view.show(FRAME)
        view.show(FRAME)
        view.event("meter [1] is back")
    lines = shown_on(console).splitlines()
    assert [line.partition(" s  ")[2] for line in lines] == [
        *plain_lines(FRAME),
        "meter [1] is back",
    ]


def test_what_is_not_known_yet_is_a_dash() -> None:
    bare = replace(
        ROW, power_w=None, import_wh=None, export_wh=None, seq=None, durable=None, final=None
    )
    (line,) = plain_lines(replace(FRAME, points=[bare], gateway=None, progress=None))
    assert line == (
        "1f2e3d4c5b6a7988/1 kettle: - W, import - Wh, export - Wh, seq -, durable -, final -,"
        " classes late 2, 1 failed reads, online"
    )


def test_the_picture_of_a_terminal_loads_nothing(tmp_path: Path) -> None:
    view = LiveView(Console(file=io.StringIO()))
    view.show(FRAME)
    save_picture(view.picture(), "make demo", tmp_path / "demo.svg")
    svg = (tmp_path / "demo.svg").read_text(encoding="utf-8")
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert "kettle" in svg
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")
    with pytest.raises(ReportError):
        save_picture(view.picture(), "", tmp_path / "absent" / "demo.svg")
