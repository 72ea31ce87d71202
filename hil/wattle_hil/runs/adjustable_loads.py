"""The adjustable loads of a demonstration: planned, and written down when the run is over."""

import csv
from collections.abc import Mapping, Sequence

from wattle_hil.curves.csv_file import CurveColumns
from wattle_hil.curves.curve import UW_PER_W, Curve, StepSeries
from wattle_hil.curves.shapes import MAX_DURATION_MS, STEP_MS
from wattle_hil.devices.adjustable_load import AdjustableLoad
from wattle_hil.devices.sdm import SDM120
from wattle_hil.errors import RunError
from wattle_hil.runs.device_plan import (
    AdjustablePlan,
    DevicePlan,
    LoadSource,
    MeterPlan,
    plan_meters,
)
from wattle_hil.runs.event_plan import PARTICIPANTS
from wattle_hil.runs.folder import RunFolder

# On the line of a meter whose metering device is unit 1.
_LOAD_UNIT = 100
_COLUMNS = CurveColumns("time", "power_W", "W")


def adjustable_loads(folder: RunFolder, start_ms: int) -> list[LoadSource]:
    """What each participant's load draws at rest, from Unix ms on."""
    end_ms = start_ms + MAX_DURATION_MS
    return [
        LoadSource(
            Curve(one.load, STEP_MS, StepSeries((start_ms,), (one.rest_w * UW_PER_W,), end_ms)),
            folder.curves / f"{number}-{one.load.replace(' ', '-').lower()}.csv",
            _COLUMNS,
        )
        for number, one in enumerate(PARTICIPANTS, 1)
    ]


def plan_adjustable(loads: Sequence[LoadSource]) -> list[MeterPlan]:
    """A meter for each participant, with one metering device and its load."""
    plans = []
    for meter, one in zip(plan_meters(loads, [SDM120] * len(loads), 1), PARTICIPANTS, strict=True):
        (device,) = meter.devices
        chosen = AdjustablePlan(_LOAD_UNIT, one.rest_w, one.capacity_w)
        with_load = DevicePlan(
            device.number,
            device.model,
            device.load,
            device.initial_import_wh,
            device.initial_export_wh,
            adjustable=chosen,
        )
        plans.append(MeterPlan(meter.number, [with_load], meter.interpreter, one.owner))
    return plans


def write_tracks(
    plans: Sequence[MeterPlan], loads: Mapping[str, AdjustableLoad], until_ms: int
) -> None:
    """Writes what each adjustable load drew, up to Unix ms, as the CSV that the independent check
    reads: a row on a grid, and one at each change. Raises RunError."""
    for plan in plans:
        load = loads.get(plan.name)
        for device in plan.devices:
            if device.adjustable is None or load is None:
                continue
            start_ms = load.power.start_ms
            times = {at_ms for at_ms, _ in load.power.steps() if at_ms < until_ms}
            times.update(range(start_ms, until_ms, STEP_MS))
            path = device.load.path
            try:
                with path.open("w", newline="", encoding="utf-8") as file:
                    writer = csv.writer(file, lineterminator="\n")
                    writer.writerow([_COLUMNS.time, _COLUMNS.power])
                    for at_ms in sorted(times):
                        writer.writerow([at_ms, load.power.power_uw(at_ms) // UW_PER_W])
            except OSError as error:
                raise RunError(f"{path}: cannot be written: {error}") from error
