"""Which meters and metering devices a run has, and which curve each follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wattle_hil.curves.csv_file import CurveColumns
from wattle_hil.curves.curve import NJ_PER_WH, Curve
from wattle_hil.devices.adjustable_load import AdjustableLoad
from wattle_hil.devices.device import EmulatedDevice
from wattle_hil.devices.energy_counter import tolerance_wh
from wattle_hil.devices.model import Model

# Below 16,384 kWh a float32 register still shows single Wh.
_FIRST_COUNTER_WH = 1_000_000
_COUNTER_STEP_WH = 137_911


@dataclass(frozen=True)
class LoadSource:
    """A curve and the CSV from which the independent check reads it again."""

    curve: Curve
    path: Path
    columns: CurveColumns


@dataclass(frozen=True)
class AdjustablePlan:
    """An adjustable load at `unit` of the line: it draws `rest_w` until it is told otherwise, and
    can adjust by `capacity_w` as the registry has it."""

    unit: int
    rest_w: int
    capacity_w: int


@dataclass(frozen=True)
class DevicePlan:
    """One metering device: `number` at its meter, which is also its unit on the line.

    adjustable: its load takes setpoints; then `load.curve` is only what it does at rest, and what
    it did stands in the CSV when the run is over.
    """

    number: int
    model: Model
    load: LoadSource
    initial_import_wh: int
    initial_export_wh: int
    resolution_wh: int = 1
    adjustable: AdjustablePlan | None = None

    def emulated(self, load: AdjustableLoad | None = None) -> EmulatedDevice:
        """The device that follows the curve, or an adjustable load. Raises DeviceError."""
        return EmulatedDevice(
            self.number,
            self.model,
            self.load.curve if load is None else load.power,
            initial_import_wh=self.initial_import_wh,
            initial_export_wh=self.initial_export_wh,
            resolution_wh=self.resolution_wh,
        )

    @property
    def tolerance_wh(self) -> int:
        """What the register's resolution allows between two readings, float32 included."""
        curve = self.load.curve
        energy = curve.energy(curve.start_ms, curve.end_ms)
        highest_nj = max(energy.import_nj, energy.export_nj)
        highest_wh = max(self.initial_import_wh, self.initial_export_wh) + highest_nj // NJ_PER_WH
        return tolerance_wh(highest_wh, self.resolution_wh)


@dataclass(frozen=True)
class MeterPlan:
    """One meter: `number` from 1, its devices on one line, and which interpreter runs it.

    interpreter: index into `Programs.meters`, taken modulo their number. owner: name of the party
    whose its points are, None: the member's where it is enrolled.
    """

    number: int
    devices: Sequence[DevicePlan]
    interpreter: int = 0
    owner: str | None = None

    @property
    def name(self) -> str:
        return f"meter{self.number}"


def plan_meters(
    loads: Sequence[LoadSource], models: Sequence[Model], devices: int
) -> list[MeterPlan]:
    """One meter for each load, with `devices` devices that all follow it; counters all differ."""
    plans = []
    for index, (load, model) in enumerate(zip(loads, models, strict=True)):
        numbers = range(1, devices + 1)
        rows = []
        for number in numbers:
            counter_wh = _FIRST_COUNTER_WH + _COUNTER_STEP_WH * (index * devices + number)
            rows.append(DevicePlan(number, model, load, counter_wh, counter_wh // 10))
        plans.append(MeterPlan(index + 1, rows, interpreter=index))
    return plans
