"""`baseline` as an analyst meets it."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from wattle_gateway.cli import baseline_rule, main
from wattle_gateway.contracts.baseline.presets import PRESETS
from wattle_gateway.errors import UsageError
from wattle_testkit.baseline_command import RULE, as_json, refused, words, write_curve


@pytest.fixture(scope="module")
def curve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_curve(tmp_path_factory.mktemp("curve") / "load.csv")


def test_the_baseline_of_an_event(curve: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = as_json(capsys, *words(curve, *RULE))
    # 1 to 14 July without weekends: 73 in all; the hours before say a tenth more.
    assert found["days"][0] == "2026-07-14"
    assert found["days"][-1] == "2026-07-01"
    assert [entry["baseline_wh"] for entry in found["intervals"]] == [8_030] * 3
    assert (found["baseline_wh"], found["actual_wh"]) == (24_090, 45_000)
    assert found["reduction_wh"] == -20_910
    assert found["adjustment"]["factor_ppm"] == 1_100_000
    assert found["intervals"][0]["start"] == "2026-07-15T17:00:00+00:00"
    assert found["source"].startswith("CAISO tariff")


def test_text_ends_with_the_totals(curve: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(curve, *RULE, "--adjustment", "none")) == 0
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert lines[-3:] == [
        "baseline_wh   21900",
        "actual_wh     45000",
        "reduction_wh  -23100",
    ]
    assert "2026-07-15T18:00:00+00:00  2026-07-15T19:00:00+00:00         7300" in told.out
    assert "all 10 of 10 days (weekends 4 of 4)" in lines[0]
    assert "note: days are counted in UTC" in told.err


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "control-group"])
def test_every_preset_prints_itself_and_its_source(
    curve: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main(words(curve, "--rule", name)) == 0
    out = capsys.readouterr().out
    assert f"rule          {name}: " in out
    assert PRESETS[name].source in out


@pytest.mark.parametrize(
    "event",
    [
        ("2026-07-15 17:00", "2026-07-15 20:00"),
        ("2026-07-15T17:00:00Z", "2026-07-15T20:00:00Z"),
        ("2026-07-15T19:00+02:00", "2026-07-15 16:00-04:00"),
        ("1784134800", "1784145600"),
        ("20260715T1700", "2026/07/15 20:00"),
    ],
)
def test_an_event_may_be_written_in_many_ways(
    curve: Path, capsys: pytest.CaptureFixture[str], event: tuple[str, str]
) -> None:
    found = as_json(capsys, *words(curve, *RULE, event=event))
    assert found["baseline_wh"] == 24_090


def test_a_day_alone_begins_at_its_midnight(
    curve: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = as_json(capsys, *words(curve, *RULE, event=("2026-07-15", "2026-07-16")))
    assert len(found["intervals"]) == 24
    told = refused(capsys, *words(curve, *RULE, event=("2026-07-15", "2026-07-15")))
    assert "the end '2026-07-15' is not after the start" in told


def test_days_are_excluded_one_by_one_or_in_a_row(
    curve: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    holidays = tmp_path / "holidays.txt"
    holidays.write_text("2026-07-01 a holiday\n")
    options = ["--exclude", "2026-07-14", "2026-07-13", "--exclude", "2026-07-07..2026-07-10"]
    options += ["--past-event", "2026-07-03", "--holidays", str(holidays)]
    found = as_json(capsys, *words(curve, *RULE, *options))
    assert found["days"][:3] == ["2026-07-06", "2026-07-02", "2026-06-30"]
    reasons = {entry["day"]: entry["reason"] for entry in found["passed_over"]}
    assert reasons["2026-07-14"] == "excluded"
    assert reasons["2026-07-03"] == "event day"
    assert "2026-07-01" not in reasons


def test_every_parameter_of_a_rule_has_an_option(
    curve: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = shlex.split(
        "--method x-of-y --day-types saturday-sunday --selection middle --rank-by day "
        "--x 3 --y 5 --least-days 2 --weekend-x 1 --weekend-y 2 --weekend-least-days 1 "
        "--look-back 30 --skip-days 1 --low-usage 12.5% --least-intervals 90% "
        "--fallback event-days --adjustment additive --window-before 4h-90min "
        "--window-after 1h-1h30 --cap-up 15 --cap-down 10%"
    )
    rule = as_json(capsys, *words(curve, *RULE, *options))["rule"]
    assert rule == {
        "name": "caiso-10-of-10",
        "method": "x-of-y",
        "day_types": "saturday-sunday",
        "quota": {"x": 3, "y": 5, "least": 2},
        "weekend_quota": {"x": 1, "y": 2, "least": 1},
        "selection": "middle",
        "rank_by": "day",
        "look_back_days": 30,
        "skip_days": 1,
        "low_usage_permille": 125,
        "least_intervals_permille": 900,
        "fallback": "event-days",
        "adjustment": "additive",
        "window": {
            "before_from_min": 240,
            "before_to_min": 90,
            "after_from_min": 60,
            "after_to_min": 90,
        },
        "cap_up_permille": 150,
        "cap_down_permille": 100,
        "match_gap_min": 60,
    }
    nearest = as_json(capsys, *words(curve, *RULE, "--method", "nearest", "--match-gap", "30min"))
    assert nearest["rule"]["match_gap_min"] == 30


def test_options_that_follow_from_others_follow(
    curve: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def rule(*options: str) -> Any:
        return as_json(capsys, *words(curve, *RULE, *options))["rule"]

    assert rule("--y", "4")["quota"] == {"x": 4, "y": 4, "least": 4}
    assert rule("--x", "12")["quota"] == {"x": 12, "y": 12, "least": 5}
    assert rule("--day-types", "all")["weekend_quota"] is None
    assert rule("--adjustment", "none")["cap_up_permille"] is None
    assert rule("--method", "same-day")["adjustment"] == "none"
    assert rule("--cap", "none")["cap_down_permille"] is None
    assert rule("--window-before", "none", "--window-after", "1h-2h")["window"] == {
        "before_from_min": 0,
        "before_to_min": 0,
        "after_from_min": 60,
        "after_to_min": 120,
    }


def test_an_unmeasured_interval_is_told(
    curve: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = curve.read_text().splitlines()
    path = tmp_path / "gap.csv"
    path.write_text("\n".join(line for line in lines if "2026-07-15T18" not in line))
    assert main(words(path, *RULE)) == 0
    told = capsys.readouterr()
    assert "note: 1 of 3 intervals of the event are unmeasured and in no total" in told.err
    assert "note: intervals without a row: 1, not measured" in told.err
    assert "8030  unmeasured    unmeasured" in told.out
    assert told.out.endswith("baseline_wh   16060\nactual_wh     30000\nreduction_wh  -13940\n")
    path.write_text("\n".join(line for line in lines if line < "2026-07-15T17" or line > "w"))
    found = as_json(capsys, *words(path, *RULE))
    assert (found["baseline_wh"], found["actual_wh"], found["reduction_wh"]) == (24_090, None, None)
    assert found["unmeasured_intervals"] == 3


def test_a_control_group_comes_from_further_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "group.csv"
    rows = (f"2026-07-15 {hour:02}:00,2,1,3\n" for hour in range(24))
    path.write_text("when,power,a,b\n" + "".join(rows))
    options = ("--rule", "control-group", "--control", "a", "b", "--adjustment", "none")
    assert as_json(capsys, *words(path, *options))["reduction_wh"] == 0
    told = refused(capsys, *words(path, "--rule", "control-group"))
    assert "0 points in the control group" in told


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--rule", "best"), "rule 'best', expected one of caiso-10-of-10, pjm-high-4-of-5"),
        ((*RULE, "--exclude", "yesterday"), "--exclude: 'yesterday', expected a day such as"),
        ((*RULE, "--exclude", "2026-07-02..2026-07-01"), "the last day lies before the first"),
        ((*RULE, "--past-event", "2026-07-01T10:00"), "--past-event: '2026-07-01T10:00'"),
        ((*RULE, "--holidays", "/nowhere"), "/nowhere: cannot be read: No such file"),
        ((*RULE, "--match-gap", "30min"), "--match-gap: a rule of method x-of-y does not read it"),
        (("--rule", "same-day-3-plus-2", "--x", "3"), "--x: a rule of method same-day does not"),
        ((*RULE, "--control", "a"), "--control: a rule of method x-of-y compares with no other"),
        ((*RULE, "--timezone", "Mars"), "time zone 'Mars', expected an IANA name"),
        ((*RULE, "--y", "0"), "x 0 of y 0, expected 1 <= x <= y"),
        ((*RULE, "--cap", "much"), "'much', expected a percentage"),
        ((*RULE, "--window-before", "4h"), "window '4h', expected two times such as 4h-1h"),
        ((*RULE, "--window-before", "x-y"), "'x', expected hours or minutes"),
        ((*RULE, "--window-before", "1h-4h"), "from 60 to 240 min before the event"),
        ((*RULE, "--look-back", "5"), "3 eligible days (business day)"),
        ((*RULE, "--time-format", "%d.%m.%Y"), "line 2: column 'when': '2026-06-01T00:00:00Z'"),
        ((*RULE, "--substituted", "flag"), "column 'flag' is not there"),
    ],
)
def test_what_cannot_be_used_is_told(
    curve: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], problem: str
) -> None:
    assert problem in refused(capsys, *words(curve, *options))


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (("07/05/2026 17:00", "2026-07-05T20:00"), "--event: '07/05/2026 17:00' is no time that"),
        (("2026-07-15T20:00", "2026-07-15T17:00"), "is not after the start"),
        (("2026-07-15T17:30", "2026-07-15T20:00"), "lies within an interval of 3600 s"),
        (("2026-07-15", "2026-07-17"), "at most 25 h"),
        (("2031-07-15", "2031-07-16"), "0 eligible days"),
    ],
)
def test_an_event_that_cannot_be_judged_is_told(
    curve: Path, capsys: pytest.CaptureFixture[str], event: tuple[str, str], problem: str
) -> None:
    assert problem in refused(capsys, *words(curve, *RULE, event=event))


@pytest.mark.parametrize("lacking", ["--time", "--power", "--unit", "--stamp"])
def test_what_a_file_needs_is_asked_for(
    curve: Path, capsys: pytest.CaptureFixture[str], lacking: str
) -> None:
    given = words(curve, *RULE)
    at = given.index(lacking)
    told = refused(capsys, *given[:at], *given[at + 2 :])
    assert f"--csv needs {lacking} too" in told


@pytest.mark.parametrize("lacking", ["--rule", "--csv"])
def test_what_a_baseline_needs_is_asked_for(
    curve: Path, capsys: pytest.CaptureFixture[str], lacking: str
) -> None:
    given = words(curve, *RULE)
    at = given.index(lacking)
    with pytest.raises(SystemExit) as left:
        main([*given[:at], *given[at + 2 :]])
    assert left.value.code == 2
    assert lacking in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "minutes"), [("4h", 240), ("90min", 90), ("90m", 90), ("1h30", 90), ("1h 30m", 90)]
)
def test_times_of_a_window(text: str, minutes: int) -> None:
    assert baseline_rule.parsed_minutes(text) == minutes


@pytest.mark.parametrize("text", ["", "h", "-1h", "1d", "12.55%"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError):
        baseline_rule.parsed_minutes(text)
