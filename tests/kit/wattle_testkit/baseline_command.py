"""`baseline` and `placebo` in this process, as an analyst types them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from wattle_gateway.cli import main

EVENT = ("2026-07-15T17:00", "2026-07-15T20:00")
RULE = ("--rule", "caiso-10-of-10")


def write_curve(path: Path) -> Path:
    """June and July 2026 by the hour, in UTC, kW: from 17 to 20 o'clock the day of the month,
    else 1; on 15 July 1.1."""
    hours = (datetime(2026, 6, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(61 * 24))
    rows = (f"{at:%Y-%m-%dT%H:%M:%SZ},{_load_kw(at)}\n" for at in hours)
    path.write_text("when,power\n" + "".join(rows))
    return path


def _load_kw(at: datetime) -> float:
    if 17 <= at.hour < 20:
        return at.day
    return 1.1 if (at.month, at.day) == (7, 15) else 1.0


def words(path: Path, *more: str, event: tuple[str, str] = EVENT) -> list[str]:
    """`baseline` for a file with the columns when and power, in kW."""
    data = ["--csv", str(path), "--time", "when", "--power", "power", "--unit", "kW"]
    return ["baseline", *data, "--stamp", "start", "--event", *event, *more]


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What a command prints with --json."""
    assert main([*arguments, "--json"]) == 0, capsys.readouterr().err
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line by which a command refuses what it was given."""
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("wattle-gateway: ")
    assert told.err.count("\n") == 1
    return told.err
