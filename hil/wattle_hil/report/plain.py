"""The report as plain text and as JSON."""

import json
from collections.abc import Iterator
from dataclasses import asdict

from wattle_hil.curves.curve import iso_utc
from wattle_hil.report.model import PointRecord, Report
from wattle_hil.report.numbers import grouped, milliseconds


def text_report(report: Report) -> str:
    """For a terminal or a log."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.title}: {'passed' if report.passed else 'FAILED'}"
    seed = "" if report.seed is None else f", seed {report.seed}"
    yield f"started {report.started}, {report.real_s:.1f} s, speed {report.speed}{seed}"
    yield f"command: {report.command}"
    for point in report.points:
        yield (
            f"{point.name} {point.load} on {point.device}: {len(point.readings)} readings,"
            f" {len(point.unread)} stretches unread, {len(point.curve.gaps)} gaps in the curve"
        )
    for check in report.checks:
        first, *more = check.detail.splitlines() or [""]
        yield f"[{check.verdict}] {check.name}: {first}"
        yield from (f"    {line}" for line in more)
    for name, count in report.counts.items():
        yield f"{name}: {grouped(count)}"
    for name, spread in report.latencies_ms.items():
        yield (
            f"{name}: median {milliseconds(spread.median)}, 95 % {milliseconds(spread.p95)},"
            f" most {milliseconds(spread.most)} of {grouped(spread.count)}"
        )
    for event in report.events:
        yield f"{event.at_s:8.1f} s  {event.text}"
    for name, value in report.environment.items():
        yield f"{name}: {value}"
    yield from report.notes


def json_report(report: Report) -> str:
    """Everything but the curve's steps, which stand in the CSV beside it."""
    content = {
        "title": report.title,
        "passed": report.passed,
        "command": report.command,
        "started": report.started,
        "seed": report.seed,
        "speed": report.speed,
        "real_s": round(report.real_s, 3),
        "checks": [asdict(check) for check in report.checks],
        "points": [_point(point) for point in report.points],
        "counts": dict(report.counts),
        "latencies_ms": {name: asdict(spread) for name, spread in report.latencies_ms.items()},
        "events": [asdict(event) for event in report.events],
        "environment": dict(report.environment),
        "notes": list(report.notes),
    }
    return json.dumps(content, indent=1) + "\n"


def _point(point: PointRecord) -> dict[str, object]:
    return {
        "name": point.name,
        "load": point.load,
        "device": point.device,
        "curve": point.curve.name,
        "from": iso_utc(point.curve.start_ms),
        "to": iso_utc(point.curve.end_ms),
        "initial_import_wh": point.initial_import_wh,
        "initial_export_wh": point.initial_export_wh,
        "resolution_wh": point.resolution_wh,
        "readings": [
            [reading.time_ms, reading.import_wh, reading.export_wh, reading.power_dw]
            for reading in point.readings
        ],
        "unread": [asdict(stretch) for stretch in point.unread],
        "curve_gaps": [str(gap) for gap in point.curve.gaps],
    }
