"""The report as one HTML page: style and drawings are inside, nothing is loaded."""

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from wattle_hil.curves.curve import iso_utc
from wattle_hil.report.chart import point_chart
from wattle_hil.report.model import Check, PointRecord, Report
from wattle_hil.report.numbers import grouped, milliseconds

_STYLE = Path(__file__).with_name("page.css")
_LEGEND = (
    '<div class="legend"><span><i class="curve-key"></i>curve given to the emulated device</span>'
    '<span><i class="ledger-key"></i>reading in the ledger</span>'
    '<span><i class="allowed-key"></i>allowed: register resolution and time to read</span>'
    '<span><i class="unread-key"></i>no reading</span></div>'
)


def html_page(report: Report) -> str:
    """The whole page."""
    word = "passed" if report.passed else "failed"
    title = escape(report.title)
    return "\n".join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}: {word}</title>",
            f"<style>{_STYLE.read_text(encoding='utf-8')}</style></head><body>",
            f'<header><h1>{title}</h1><span class="verdict {word}">{word}</span>',
            f'<div class="what"><code>{escape(report.command)}</code><br>{_when(report)}</div>',
            "</header>",
            _checks(report.checks),
            *(_point(point) for point in report.points),
            '<div class="pair">',
            _facts("Counts", [(name, grouped(value)) for name, value in report.counts.items()]),
            _latencies(report),
            "</div>",
            _events(report),
            _facts("Environment", report.environment.items()),
            f"<footer>{'<br>'.join(escape(note) for note in report.notes)}</footer>",
            "</body></html>\n",
        ]
    )


def _when(report: Report) -> str:
    seed = "" if report.seed is None else f", seed {report.seed}"
    return f"started {escape(report.started)}, {report.real_s:.1f} s, speed {report.speed}{seed}"


def _checks(checks: Sequence[Check]) -> str:
    rows = []
    for check in checks:
        kind = {True: "passed", False: "failed", None: "unset"}[check.passed]
        first, _, more = check.detail.partition("\n")
        detail = escape(first) + (f"<pre>{escape(more)}</pre>" if more else "")
        rows.append(
            f"<tr><td>{escape(check.name)}</td>"
            f'<td class="{kind}">{check.verdict}</td><td>{detail}</td></tr>'
        )
    head = "<tr><th>check</th><th>result</th><th>what was found</th></tr>"
    return f"<h2>Checks</h2><section><table>{head}{''.join(rows)}</table></section>"


def _point(point: PointRecord) -> str:
    curve = point.curve
    facts = [
        point.device,
        f"{len(point.readings)} readings",
        f"curve {iso_utc(curve.start_ms)} to {iso_utc(curve.end_ms)}",
        f"register resolution {point.resolution_wh} Wh",
    ]
    if curve.gaps:
        facts.append(f"gaps in the curve: {len(curve.gaps)}")
    if point.unread:
        facts.append(f"stretches unread: {len(point.unread)}")
    return (
        f'<section class="point"><h3>{escape(point.load)} <code>{escape(point.name)}</code></h3>'
        f'<div class="facts">{escape(", ".join(facts))}</div>{_LEGEND}'
        f'<div class="scroll">{point_chart(point)}</div></section>'
    )


def _facts(title: str, rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(
        f'<tr><td>{escape(name)}</td><td class="number">{escape(value)}</td></tr>'
        for name, value in rows
    )
    return f"<div><h2>{title}</h2><section><table>{cells}</table></section></div>" if cells else ""


def _latencies(report: Report) -> str:
    if not report.latencies_ms:
        return ""
    rows = "".join(
        f"<tr><td>{escape(name)}</td>"
        + "".join(
            f'<td class="number">{milliseconds(value)}</td>'
            for value in (spread.least, spread.median, spread.p95, spread.most)
        )
        + "</tr>"
        for name, spread in report.latencies_ms.items()
    )
    names = ("least", "median", "95 %", "most")
    head = "".join(f'<th class="number">{name}</th>' for name in names)
    return (
        "<div><h2>Delays in real time</h2><section>"
        f"<table><tr><th></th>{head}</tr>{rows}</table></section></div>"
    )


def _events(report: Report) -> str:
    rows = "".join(
        f'<tr><td class="number moment">{event.at_s:.1f} s</td><td>{escape(event.text)}</td></tr>'
        for event in report.events
    )
    return f"<h2>Events</h2><section><table>{rows}</table></section>" if rows else ""
