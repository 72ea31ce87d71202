"""Writes points.json, the energy check's description of what was measured where."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from wattle_hil.errors import RunError
from wattle_hil.runs.device_plan import DevicePlan, LoadSource, MeterPlan
from wattle_hil.runs.folder import RunFolder


@dataclass(frozen=True)
class ReadingTimes:
    """When readings were to be taken: see `energy_check.point.Point`."""

    interval_ms: int
    lateness_ms: int
    from_ms: int
    until_ms: int


def copied(load: LoadSource, folder: RunFolder) -> LoadSource:
    """The load with its CSV copied into the run's folder, which then needs nothing outside.

    Raises RunError.
    """
    try:
        target = Path(shutil.copyfile(load.path, folder.curves / load.path.name))
    except OSError as error:
        raise RunError(f"{load.path} cannot be copied: {error}") from error
    return LoadSource(load.curve, target, load.columns)


def write_points(
    folder: RunFolder,
    plans: Sequence[MeterPlan],
    meter_ids: Mapping[str, str],
    ledger_id: str,
    times: ReadingTimes,
) -> None:
    """Writes the points of all meters. meter_ids: by the name of the plan. Raises RunError."""
    points = [
        _point(folder, meter_ids[plan.name], device) | asdict(times)
        for plan in plans
        for device in plan.devices
    ]
    content = {"ledger_id": ledger_id, "points": points}
    try:
        folder.points.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise RunError(f"{folder.points} cannot be written: {error}") from error


def _point(folder: RunFolder, meter_id: str, device: DevicePlan) -> dict[str, object]:
    load = device.load
    return {
        "meter": meter_id,
        "device": device.number,
        "curve": os.path.relpath(load.path, folder.path),
        "time": load.columns.time,
        "power": load.columns.power,
        "unit": load.columns.unit,
        "time_format": load.columns.time_format,
        "initial_import_wh": device.initial_import_wh,
        "initial_export_wh": device.initial_export_wh,
        "resolution_wh": device.tolerance_wh,
    }
