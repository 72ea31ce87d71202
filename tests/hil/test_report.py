"""Reports: all three forms say the same, and the page needs nothing but itself."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from wattle_hil.curves.curve import UW_PER_W, Curve, Gap, StepSeries
from wattle_hil.errors import ReportError
from wattle_hil.report.chart import point_chart
from wattle_hil.report.files import write_report
from wattle_hil.report.model import Check, Event, PointRecord, Reading, Report, Spread, Unread
from wattle_hil.report.scale import nice_range, number_label, time_ticks

T0_MS = 1_170_288_000_000
HOSTILE = '<script>alert("load")</script>'


def point(steps: int = 10, load: str = "kettle", interval_ms: int = 60_000) -> PointRecord:
    times = [T0_MS + at * 60_000 for at in range(steps)]
    watts = [(at % 7) * 500 * UW_PER_W for at in range(steps)]
    end_ms = T0_MS + steps * 60_000
    curve = Curve(
        "load.csv",
        60_000,
        StepSeries(times, watts, end_ms),
        gaps=(Gap(T0_MS + 120_000, T0_MS + 180_000, "no rows"),),
    )
    readings = [
        Reading(at, 100 + (at - T0_MS) // 60_000, 0, 5_000)
        for at in range(T0_MS - interval_ms, end_ms + interval_ms, interval_ms)
    ]
    readings[3] = Reading(readings[3].time_ms, None, None, None)
    unread = [Unread(T0_MS + 240_000, T0_MS + 360_000, "restart of the meter")]
    return PointRecord("ab12/1", load, "SDM120", curve, 100, 0, 1, 500, readings, unread)


def report(*points: PointRecord, passed: bool | None = True) -> Report:
    return Report(
        title="Replay",
        command="wattle-hil replay load.csv",
        started="2026-11-20T12:00:00Z",
        seed=7,
        speed=10,
        real_s=65.25,
        checks=[
            Check("energy", True, "agrees"),
            Check("audit", passed, "leaf 12\nsignature fails"),
        ],
        points=points,
        counts={"samples": 12_345},
        latencies_ms={"slot to commit": Spread(3, 10.0, 20.0, 30.0, 12_000.0)},
        environment={"MicroPython": "1.25.0"},
        events=[Event(3.25, "kill -9 of the gateway")],
        notes=["Times are UTC."],
    )


@pytest.mark.parametrize(
    ("verdict", "word"), [(True, "passed"), (False, "FAILED"), (None, "not checked")]
)
def test_the_verdict_stands_in_all_three_forms(
    tmp_path: Path, verdict: bool | None, word: str
) -> None:
    page = write_report(report(point(), passed=verdict), tmp_path)
    text = (tmp_path / "report.txt").read_text(encoding="utf-8")
    content = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert text.startswith(f"Replay: {'passed' if verdict else 'FAILED'}\n")
    assert f"[{word}] audit: leaf 12\n    signature fails\n" in text
    assert content["passed"] is (verdict is True)
    shown = page.read_text(encoding="utf-8")
    assert f"<title>Replay: {'passed' if verdict else 'failed'}</title>" in shown
    assert f">{word}</td><td>leaf 12<pre>signature fails</pre>" in shown


def test_no_check_is_no_pass() -> None:
    empty = Report("Replay", "", "", None, 1, 0.0, checks=[], points=[])
    assert not empty.passed


def test_the_page_loads_nothing_and_escapes_what_people_named(tmp_path: Path) -> None:
    shown = write_report(report(point(load=HOSTILE)), tmp_path).read_text(encoding="utf-8")
    links: list[tuple[str, str | None]] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag not in ("script", "link", "img", "iframe")
            links.extend(pair for pair in attrs if pair[0] in ("src", "href", "srcset"))

    Links().feed(shown)
    assert links == []
    assert not re.search(r"url\(|@import|https?:", shown)
    assert "&lt;script&gt;" in shown


def test_each_reading_is_a_dot_and_each_gap_a_shade() -> None:
    drawn = ElementTree.fromstring(point_chart(point()))
    dots = [path for path in drawn.iter("path") if "dots" in path.get("class", "")]
    # 12 readings, one of which could not be read; power, energy and residual.
    assert [path.get("d", "").count("M") for path in dots] == [11, 11, 11]
    titles = [title.text for title in drawn.iter("title")]
    assert titles.count("restart of the meter") == 3
    assert sum("no rows" in (title or "") for title in titles) == 3


def test_a_curve_of_very_many_steps_is_drawn_by_its_extremes() -> None:
    chart = point_chart(point(steps=20_000, interval_ms=600_000))
    drawn = ElementTree.fromstring(chart)
    (area,) = (path for path in drawn.iter("path") if path.get("class") == "curve-area")
    assert 3_900 < area.get("d", "").count("V") < 4_100


def test_a_point_without_any_reading_is_drawn() -> None:
    bare = PointRecord("ab12/1", "kettle", "SDM120", point().curve, 0, 0, 1, 500, [])
    assert ElementTree.fromstring(point_chart(bare)).tag == "svg"


def test_axes_are_round() -> None:
    assert nice_range(3, 7_712, 4) == (0, 8_000, [0, 2_000, 4_000, 6_000, 8_000])
    assert nice_range(5, 5, 4)[:2] == (4, 6)
    assert number_label(-2_000, [0, 1_000]) == "\u22122\u202f000"
    assert number_label(0.25, [0, 0.05]) == "0.25"
    ticks = time_ticks(T0_MS + 1, T0_MS + 600_000, 9)
    assert ticks[0] == (T0_MS + 120_000, "01 Feb 00:02")
    assert [label for _, label in ticks[1:]] == ["00:04", "00:06", "00:08", "00:10"]


def test_spread_has_values_that_occurred() -> None:
    assert Spread.of([]) is None
    assert Spread.of([3, 1, 2]) == Spread(3, 1, 2, 3, 3)


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ReportError, match="cannot be written"):
        write_report(report(), tmp_path / "absent")
