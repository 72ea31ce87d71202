"""What is to be checked: the points file."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

from .errors import CannotCheckError


@dataclass(frozen=True)
class Point:
    """One metering device: where it stands on the ledger, and what it was given to measure.

    meter: 16 hex digits. device: 1 to 32. curve: a CSV file, relative to the points file.
    time, power: its columns (`Date+Time` joins two by a space). unit: W or kW.
    time_format: None, `epoch_s`, `epoch_ms` or strptime. initial_*_wh: counters at its start.
    resolution_wh: step of the counters, or what float32 makes of it where that is coarser.
    interval_ms: sampling grid, multiples in Unix time. lateness_ms: how long after its slot, in
    the curve's time, a reading may have been taken. from_ms, until_ms: the slots that must be
    there, both included.
    """

    meter: str
    device: int
    curve: Path
    time: str
    power: str
    unit: str
    initial_import_wh: int
    initial_export_wh: int
    resolution_wh: int
    interval_ms: int
    lateness_ms: int
    from_ms: int
    until_ms: int
    time_format: str | None = None


_NUMBERS = frozenset(field.name for field in fields(Point) if field.type is int)
_OPTIONAL = frozenset({"time_format"})


def read_points(path: Path) -> tuple[bytes, list[Point]]:
    """Ledger id (16 bytes) and points of a points file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        ledger_id = bytes.fromhex(content["ledger_id"])
        points = [_point(entry, path.parent) for entry in content["points"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotCheckError(f"{path}: {error!r}") from error
    if len(ledger_id) != 16 or not points:
        raise CannotCheckError(f"{path}: expected a ledger id of 16 bytes and at least one point")
    if len({(point.meter, point.device) for point in points}) != len(points):
        raise CannotCheckError(f"{path}: a point stands there twice")
    return ledger_id, points


def _point(entry: dict[str, object], folder: Path) -> Point:
    names = {field.name for field in fields(Point)}
    if set(entry) - names or names - set(entry) - _OPTIONAL:
        raise ValueError(f"a point has the keys {sorted(entry)}, expected {sorted(names)}")
    for name in _NUMBERS:
        if type(entry[name]) is not int:
            raise ValueError(f"{name} is {entry[name]!r}, expected an integer")
    return Point(**{**entry, "curve": folder / str(entry["curve"])})  # type: ignore[arg-type]
