"""What a metering device measures at one instant of a load curve.

Floats are right here and only here: these are the values a real device computes and shows.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from wattle_hil.curves.curve import UW_PER_W, Energy
from wattle_hil.devices.energy_counter import EnergyCounter, PhaseSplit
from wattle_hil.devices.wiring import Wiring

FREQUENCY_HZ = 50.0
_MV_PER_V = 1_000


class Load(Protocol):
    """A load as a metering device sees it; a `Curve` is one. Times are Unix ms."""

    @property
    def start_ms(self) -> int: ...

    def power_uw(self, at_ms: int) -> int: ...

    def reactive_power_uvar(self, at_ms: int) -> int: ...

    def phase_voltage_mv(self, at_ms: int) -> int: ...

    def energy(self, from_ms: int, to_ms: int) -> Energy: ...

    def reactive_energy(self, from_ms: int, to_ms: int) -> Energy: ...


class Measurement:
    """Turns a load into the values of one device.

    curve: its load. split: shares of its phases. importing, exporting: its active counters, which
    count from the start of the curve; the reactive counters start at 0 with the same resolution.
    wiring: how the load's currents reach it, None for as they should.
    """

    def __init__(
        self,
        curve: Load,
        split: PhaseSplit,
        importing: EnergyCounter,
        exporting: EnergyCounter,
        wiring: Wiring | None = None,
    ) -> None:
        self._curve = curve
        self._split = split
        self._wiring = wiring
        self._active = (importing, exporting)
        reactive = EnergyCounter(0, importing.resolution_wh)
        self._reactive = (reactive, reactive)

    def values(self, at_ms: int) -> dict[str, float]:
        """All quantities at Unix ms, in the unit their name ends with; energies are whole numbers.

        `_l1` to `_l3` are phases, no suffix is the sum.
        """
        curve = self._curve
        since_ms = max(at_ms, curve.start_ms)
        if self._wiring is not None:
            return {**self._instant(at_ms), **self._wired_energies(self._wiring, since_ms)}
        return {
            **self._instant(at_ms),
            **self._energies("wh", "e", curve.energy, self._active, since_ms),
            **self._energies("varh", "er", curve.reactive_energy, self._reactive, since_ms),
        }

    def counted_wh(self, at_ms: int) -> tuple[int, int]:
        """Import and export counters in Wh at Unix ms, as integers before float32 rounds them."""
        if self._wiring is not None:
            values = self._wired_energies(self._wiring, max(at_ms, self._curve.start_ms))
            return values["ei_wh"], values["ee_wh"]
        energy = self._curve.energy(self._curve.start_ms, max(at_ms, self._curve.start_ms))
        return _counted(self._active, energy)

    def _instant(self, at_ms: int) -> dict[str, float]:
        active_uw = self._curve.power_uw(at_ms)
        reactive_uvar = self._curve.reactive_power_uvar(at_ms)
        voltage_v = self._curve.phase_voltage_mv(at_ms) / _MV_PER_V
        phases = self._by_phase(active_uw, reactive_uvar)
        if self._wiring is not None:
            phases = self._wiring.seen(phases)
            active_uw, reactive_uvar = (sum(parts) for parts in zip(*phases, strict=True))
        values: dict[str, float] = {}
        currents_a = []
        for number, (part_uw, part_uvar) in enumerate(phases, 1):
            phase = _power_values(part_uw, part_uvar, f"_l{number}")
            current_a = phase[f"s_l{number}_va"] / voltage_v if voltage_v else 0.0
            currents_a.append(current_a)
            values |= phase | {f"u_l{number}_v": voltage_v, f"i_l{number}_a": current_a}
        return (
            values
            | _power_values(active_uw, reactive_uvar, "")
            | {
                "p_absolute_w": abs(active_uw) / UW_PER_W,
                "pf_absolute": abs(values["pf_l1"]),
                "u_mean_v": voltage_v,
                "u_line_v": voltage_v * math.sqrt(3),
                "i_mean_a": sum(currents_a) / len(currents_a),
                "i_sum_a": sum(currents_a),
                "f_hz": FREQUENCY_HZ,
                # The emulated grid is a pure sine.
                "thd_percent": 0.0,
            }
        )

    def _by_phase(self, active: int, reactive: int) -> list[tuple[int, int]]:
        return list(zip(self._split.power(active), self._split.power(reactive), strict=True))

    def _wired_energies(self, wiring: Wiring, at_ms: int) -> Mapping[str, int]:
        """As `_energies`, active and reactive; each phase counts by itself, the whole is their
        sum.
        """
        start_ms = self._curve.start_ms
        active = self._curve.energy(start_ms, at_ms)
        reactive = self._curve.reactive_energy(start_ms, at_ms)
        phases = wiring.counted(
            self._by_phase(active.import_nj, reactive.import_nj),
            self._by_phase(active.export_nj, reactive.export_nj),
        )
        values: dict[str, int] = {}
        for at, (unit, stem, counters) in enumerate(
            (("wh", "e", self._active), ("varh", "er", self._reactive))
        ):
            flows = {f"_l{number}": phase[at] for number, phase in enumerate(phases, 1)}
            flows[""] = Energy(
                sum(flow.import_nj for flow in flows.values()),
                sum(flow.export_nj for flow in flows.values()),
            )
            for suffix, flow in flows.items():
                started = list(map(_from_zero, counters)) if suffix else counters
                wh_in, wh_out = _counted(started, flow)
                values[f"{stem}i{suffix}_{unit}"] = wh_in
                values[f"{stem}e{suffix}_{unit}"] = wh_out
                values[f"{stem}{suffix}_{unit}"] = wh_in + wh_out
        return values

    def _energies(
        self,
        unit: str,
        stem: str,
        energy_of: Callable[[int, int], Energy],
        counters: tuple[EnergyCounter, EnergyCounter],
        at_ms: int,
    ) -> Mapping[str, int]:
        """Counters in and out and their sum (`total` is import + export), whole and by phase."""
        energy = energy_of(self._curve.start_ms, at_ms)
        ins, outs = (
            _whole_and_phases(counter, self._split, flowed_nj)
            for counter, flowed_nj in zip(
                counters, (energy.import_nj, energy.export_nj), strict=True
            )
        )
        values = {}
        for suffix, wh_in in ins.items():
            values[f"{stem}i{suffix}_{unit}"] = wh_in
            values[f"{stem}e{suffix}_{unit}"] = outs[suffix]
            values[f"{stem}{suffix}_{unit}"] = wh_in + outs[suffix]
        return values


def _power_values(active_uw: int, reactive_uvar: int, phase: str) -> dict[str, float]:
    active_w, reactive_var = active_uw / UW_PER_W, reactive_uvar / UW_PER_W
    apparent_va = math.hypot(active_w, reactive_var)
    return {
        f"p{phase}_w": active_w,
        f"q{phase}_var": reactive_var,
        f"s{phase}_va": apparent_va,
        # Its sign shows the direction of the current (V1.8, note 1 to section 1.2.1).
        f"pf{phase}": active_w / apparent_va if apparent_va else 1.0,
        f"phi{phase}_deg": math.degrees(math.atan2(reactive_var, active_w)),
    }


def _counted(counters: Sequence[EnergyCounter], energy: Energy) -> tuple[int, int]:
    importing, exporting = counters
    return (
        importing.steps(energy.import_nj) * importing.resolution_wh,
        exporting.steps(energy.export_nj) * exporting.resolution_wh,
    )


def _from_zero(counter: EnergyCounter) -> EnergyCounter:
    """A counter of a phase that was connected with the load."""
    return EnergyCounter(0, counter.resolution_wh)


def _whole_and_phases(counter: EnergyCounter, split: PhaseSplit, flowed_nj: int) -> dict[str, int]:
    steps = counter.steps(flowed_nj)
    parts = {f"_l{number}": part for number, part in enumerate(split.steps(steps), 1)}
    return {suffix: part * counter.resolution_wh for suffix, part in ({"": steps} | parts).items()}
