"""`baseline` where the clock is changed."""

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from wattle_testkit.baseline_command import RULE, as_json, refused, words


def berlin_file(path: Path, first: datetime, days: int, naive: bool) -> Path:
    """A load that follows the local clock: its hour, in kW."""
    zone = ZoneInfo("Europe/Berlin")
    begin = first.replace(tzinfo=zone)
    end = (first + timedelta(days=days)).replace(tzinfo=zone)
    lines = ["when,power"]
    at_s = int(begin.timestamp())
    while at_s < end.timestamp():
        local = datetime.fromtimestamp(at_s, zone)
        shown = f"{local:%Y-%m-%d %H:%M}" if naive else local.isoformat()
        lines.append(f"{shown},{local.hour}")
        at_s += 3_600
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("naive", [True, False])
@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-24", 24)]
)
def test_days_of_23_and_25_hours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], naive: bool, day: str, hours: int
) -> None:
    event_day = datetime.fromisoformat(day)
    path = berlin_file(tmp_path / "berlin.csv", event_day - timedelta(days=40), 44, naive)
    zone = ("--timezone", "Europe/Berlin") if naive else ()
    whole = (day, (event_day + timedelta(days=1)).strftime("%Y-%m-%d"))
    found = as_json(capsys, *words(path, *RULE, *zone, "--adjustment", "none", event=whole))
    assert len(found["intervals"]) == hours
    assert found["reduction_wh"] == 0
    assert found["baseline_wh"] == 1_000 * (sum(range(24)) + {23: -2, 24: 0, 25: 2}[hours])
    assert found["notes"] == []


def test_the_hour_that_comes_twice_wants_its_offset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = berlin_file(tmp_path / "berlin.csv", datetime(2026, 9, 1), 60, naive=False)
    event = ("2026-10-25 02:00", "2026-10-25 03:00")
    told = refused(capsys, *words(path, *RULE, event=event))
    assert "--event: '2026-10-25 02:00' happened twice" in told
    for offset, start in (("+02:00", "02:00:00+02:00"), ("+01:00", "02:00:00+01:00")):
        event = (f"2026-10-25 02:00{offset}", f"2026-10-25 03:00{offset}")
        found = as_json(capsys, *words(path, *RULE, event=event))
        assert found["event"]["start"] == f"2026-10-25T{start}"
        assert len(found["intervals"]) == 1
    path = berlin_file(tmp_path / "spring.csv", datetime(2026, 3, 1), 40, naive=False)
    event = ("2026-03-29 02:00", "2026-03-29 04:00")
    assert "does not exist" in refused(capsys, *words(path, *RULE, event=event))


def test_an_event_with_an_offset_wants_a_file_with_a_zone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = berlin_file(tmp_path / "local.csv", datetime(2026, 6, 1), 60, naive=True)
    event = ("2026-07-15T17:00+02:00", "2026-07-15T20:00+02:00")
    told = refused(capsys, *words(path, *RULE, event=event))
    assert "names its offset from UTC, and the times in the file name none" in told
    zoned = words(path, *RULE, "--timezone", "Europe/Berlin", event=event)
    assert as_json(capsys, *zoned)["event"]["start"] == "2026-07-15T17:00:00+02:00"
