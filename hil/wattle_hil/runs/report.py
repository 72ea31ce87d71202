"""Makes the report of a run from the files in its folder."""

from collections.abc import Mapping, Sequence
from itertools import groupby, pairwise

from wattle_hil.curves.csv_file import CurveColumns, read_curve
from wattle_hil.curves.curve import Curve
from wattle_hil.energy_check.errors import CannotCheckError
from wattle_hil.energy_check.point import Point, read_points
from wattle_hil.errors import RunError
from wattle_hil.report.model import Check, Event, PointRecord, Reading, Report, Spread, Unread
from wattle_hil.runs.folder import PointNote, RunFolder, RunNote
from wattle_hil.runs.ledger_rows import LedgerRow, read_rows

_GOOD = "G"
_NOTES = (
    "Times are UTC by the bench clock. Ledger minus curve: a register counts whole steps, so its"
    " readings lie up to one resolution below the curve's integral; a reading taken some time"
    " after its slot has counted on.",
)


def run_report(
    folder: RunFolder,
    checks: Sequence[Check],
    events: Sequence[Event],
    environment: Mapping[str, str],
    real_s: float,
) -> Report:
    """The report. Raises RunError or CurveError when a file of the run is missing or wrong."""
    note = RunNote.read(folder.run)
    rows = list(read_rows(folder.samples))
    try:
        _, points = read_points(folder.points)
    except CannotCheckError as error:
        raise RunError(str(error)) from error
    curves: dict[object, Curve] = {}
    records = [_record(point, note, rows, curves) for point in points]
    return Report(
        title=note.title,
        command=note.command,
        started=note.started,
        seed=note.seed,
        speed=note.speed,
        real_s=real_s,
        checks=checks,
        points=records,
        counts=_counts(rows),
        latencies_ms=_latencies(rows, note.speed),
        environment=environment,
        events=events,
        notes=_NOTES,
    )


def _record(
    point: Point, note: RunNote, rows: Sequence[LedgerRow], curves: dict[object, Curve]
) -> PointRecord:
    described = _described(point, note)
    source = (point.curve, point.time, point.power, point.unit, point.time_format)
    if source not in curves:
        columns = CurveColumns(point.time, point.power, point.unit, point.time_format)
        curves[source] = read_curve(point.curve, columns)
    own = sorted(
        (row for row in rows if (row.meter, row.device) == (point.meter, point.device)),
        key=lambda row: row.time_ms,
    )
    return PointRecord(
        name=f"{point.meter}/{point.device}",
        load=described.load,
        device=described.model,
        curve=curves[source],
        initial_import_wh=point.initial_import_wh,
        initial_export_wh=point.initial_export_wh,
        resolution_wh=point.resolution_wh,
        lateness_ms=point.lateness_ms,
        readings=[Reading(row.time_ms, row.import_wh, row.export_wh, row.power_dw) for row in own],
        unread=_unread(own, point.interval_ms),
    )


def _described(point: Point, note: RunNote) -> PointNote:
    for described in note.points:
        if (described.meter, described.device) == (point.meter, point.device):
            return described
    raise RunError(f"{point.meter}/{point.device} of the points is not in the note of the run")


def _unread(rows: Sequence[LedgerRow], interval_ms: int) -> list[Unread]:
    """Stretches without a reading, and those in which reading failed."""
    stretches = []
    for before, after in pairwise(rows):
        if after.time_ms - before.time_ms > interval_ms:
            reason = "restart of the meter" if after.boot != before.boot else "no reading"
            stretches.append(Unread(before.time_ms, after.time_ms, reason))
    for good, group in groupby(rows, key=lambda row: row.status == _GOOD):
        if not good:
            failed = list(group)
            letters = ", ".join(sorted({row.status for row in failed}))
            end_ms = failed[-1].time_ms + interval_ms
            stretches.append(Unread(failed[0].time_ms, end_ms, f"reading failed: {letters}"))
    return stretches


def _counts(rows: Sequence[LedgerRow]) -> Mapping[str, int]:
    classes: dict[str, int] = {}
    for row in rows:
        for name in row.classes:
            classes[name] = classes.get(name, 0) + 1
    return {
        "meters": len({row.meter for row in rows}),
        "points": len({(row.meter, row.device) for row in rows}),
        "samples": len({(row.meter, row.seq) for row in rows}),
        "readings": len(rows),
        "readings that failed": sum(row.status != _GOOD for row in rows),
        "starts of meters": len({(row.meter, row.boot) for row in rows}),
        "commits with samples": len({row.commit for row in rows}),
        **{f"readings classed {name}": classes[name] for name in sorted(classes)},
    }


def _latencies(rows: Sequence[LedgerRow], speed: int) -> Mapping[str, Spread]:
    spread = Spread.of([(row.commit_time_ms - row.time_ms) / speed for row in rows])
    return {} if spread is None else {"slot to commit": spread}
