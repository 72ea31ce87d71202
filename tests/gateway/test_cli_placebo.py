"""`placebo` as an analyst meets it."""

from pathlib import Path

import pytest
from wattle_gateway.cli import main
from wattle_gateway.contracts.baseline.presets import PRESETS
from wattle_testkit.baseline_command import as_json, refused, words, write_curve


@pytest.fixture(scope="module")
def curve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_curve(tmp_path_factory.mktemp("curve") / "load.csv")


def placebo(path: Path, *more: str) -> list[str]:
    given = words(path)
    at = given.index("--event")
    return ["placebo", *given[1:at], *more]


JULY = ("--from", "2026-07-15", "--to", "2026-07-21", "--hours", "17-20")


def test_placebo_tells_bias_and_spread_of_each_rule(
    curve: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (*JULY, "--rule", "nyiso-high-5-of-10", "same-day-3-plus-2")
    found = as_json(capsys, *placebo(curve, *options))
    assert (found["days"], found["judged_by_all"]) == (5, 5)
    high, same = found["rules"]
    # 15 to 21 July against the highest five of the ten business days before each.
    assert high["actual_wh"] == 3_000 * (15 + 16 + 17 + 20 + 21)
    assert high["baseline_wh"] == 600 * (
        sum((14, 13, 10, 9, 8))
        + sum((15, 14, 13, 10, 9))
        + sum((16, 15, 14, 13, 10))
        + sum((17, 16, 15, 14, 13))
        + sum((20, 17, 16, 15, 14))
    )
    difference = high["baseline_wh"] - high["actual_wh"]
    assert high["bias_permyriad"] == round(10_000 * difference / high["actual_wh"])
    assert same["baseline_wh"] == 3 * 1_100 + 4 * 3 * 1_000
    squares = [(1.1 - 15) ** 2, *((1 - day) ** 2 for day in (16, 17, 20, 21))]
    mean_kw = (15 + 16 + 17 + 20 + 21) / 5
    assert same["rrmse_permyriad"] == int(10_000 * (sum(squares) / 5) ** 0.5 / mean_kw)
    assert main(placebo(curve, *JULY)) == 0
    out = capsys.readouterr().out
    assert "5 days without an event, 5 of them judged by every rule" in out
    assert all(name in out for name in PRESETS if name != "control-group")


def test_placebo_leaves_days_of_events_and_holidays_out(
    curve: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    holidays = tmp_path / "holidays.txt"
    holidays.write_text("2026-07-16\n")
    options = (*JULY, "--holidays", str(holidays), "--past-event", "2026-07-17")
    assert as_json(capsys, *placebo(curve, *options))["days"] == 3
    assert as_json(capsys, *placebo(curve, *options, "--days", "all"))["days"] == 6


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ((*JULY[:4], "--hours", "20-17"), "expected an end after the start"),
        ((*JULY[:4], "--hours", "17"), "expected a span such as 17:00-20:00"),
        ((*JULY[:4], "--hours", "17:60-20"), "expected a span such as 17:00-20:00"),
        (("--from", "2026-07-02", "--to", "2026-07-01", *JULY[4:]), "expected 1 to 731 days"),
        ((*JULY, "--rule", "control-group"), "has no placebo events"),
        ((*JULY, "--control", "power"), "has no placebo events"),
        (
            (*JULY, "--rule", "caiso-10-of-10", "same-day-3-plus-2", "--match-gap", "1h"),
            "--match-gap: a rule of method same-day, x-of-y does not read it",
        ),
    ],
)
def test_a_placebo_that_cannot_be_made_is_told(
    curve: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], problem: str
) -> None:
    assert problem in refused(capsys, *placebo(curve, *options))
